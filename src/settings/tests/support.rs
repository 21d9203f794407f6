//! Loads settings from text and pairs instead of files and the process.

use std::path::PathBuf;

use crate::settings::Settings;
use crate::settings::SettingsFaults;
use crate::settings::load;

/// A tenant and a bot with nothing but what they must have.
pub(super) const SMALLEST: &str = r#"
[tenants.acme]
tenant_id = "0012"
api_key = "key"
channel_id = "channel"
queue_id = "101"

[bots.support]
tenant = "acme"
api_key_hashes = ["sha256:c678f9a826ac5c12d1ba5d2abe4f3603d0c95f1bdf580a7286f671f8eca7bc79"]
"#;

pub(super) fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsFaults> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    load_files(&[file], env)
}

pub(super) fn load_files(files: &[PathBuf], env: &[(&str, &str)]) -> Result<Settings, SettingsFaults> {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(files, env)
}

/// `key: why` of each fault, without where it was set.
pub(super) fn faults(text: &str, env: &[(&str, &str)]) -> Vec<String> {
    let faults = load_text(text, env).expect_err("these settings are wrong");
    faults
        .list()
        .iter()
        .map(|fault| format!("{}: {}", fault.key, fault.why))
        .collect()
}

pub(super) fn warned_keys(text: &str, env: &[(&str, &str)]) -> Vec<String> {
    let settings = load_text(text, env).unwrap_or_else(|faults| panic!("{faults}"));
    settings.warnings.into_iter().map(|warning| warning.key).collect()
}
