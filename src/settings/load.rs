//! The layers: compiled-in defaults, then files in order, then the environment. A later layer wins key by key.

use std::path::Path;
use std::path::PathBuf;

use config::Config;
use config::Environment;
use config::File;
use config::FileFormat;
use config::Map;
use config::Source;
use config::Value;
use config::ValueKind;

use crate::settings::Finding;
use crate::settings::Settings;
use crate::settings::SettingsFaults;
use crate::settings::check;
use crate::settings::known;
use crate::settings::marks::Marks;
use crate::settings::read;
use crate::settings::shape;

pub(super) const DEFAULTS: &str = include_str!("../../config/default.toml");

const PREFIX: &str = "HANDOVER";
const SEPARATOR: &str = "__";

/// The environment is an argument, so that tests need not touch the process's own.
pub fn load(files: &[PathBuf], env: impl Iterator<Item = (String, String)>) -> Result<Settings, SettingsFaults> {
    let mut faults = Vec::new();
    let result = judge(files, env, &mut faults);
    for fault in &mut faults {
        name_file(fault, files);
    }
    match result {
        Some(mut settings) if faults.is_empty() => {
            for warning in &mut settings.warnings {
                name_file(warning, files);
            }
            Ok(settings)
        }
        Some(_) | None => Err(SettingsFaults::new(faults)),
    }
}

/// As [`load`], with the environment of this process: the only place that reads it.
pub fn from_process(files: &[PathBuf]) -> Result<Settings, SettingsFaults> {
    let env = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    load(files, env)
}

/// Goes on after a fault, so that the later ones are found too.
fn judge(
    files: &[PathBuf],
    env: impl Iterator<Item = (String, String)>,
    faults: &mut Vec<Finding>,
) -> Option<Settings> {
    let mut tree = collect(files, env, faults);
    known::conform(&mut tree, &shape::ROOT, "", faults);
    let tree = Value::new(None, ValueKind::Table(tree));
    let mut settings = read::read(tree.clone(), &defaults(), faults)?;
    let found = check::check(&settings);
    let with_origin = |finding: Finding| {
        let setting = finding.key.split('[').next().unwrap_or_default();
        let path: Vec<String> = setting.split('.').map(str::to_owned).collect();
        finding.from(read::find(&tree, &path).and_then(Value::origin))
    };
    let is_new = |fault: &Finding| !faults.iter().any(|known| fault.follows(known));
    let more: Vec<Finding> = found.faults.into_iter().filter(is_new).map(with_origin).collect();
    faults.extend(more);
    settings.marks = Marks::of(&tree);
    settings.warnings = found.warnings.into_iter().map(with_origin).collect();
    Some(settings)
}

/// As the operator wrote it; the crate below makes every path relative.
fn name_file(finding: &mut Finding, files: &[PathBuf]) {
    let Some(origin) = finding
        .origin
        .as_ref()
        .and_then(|origin| Path::new(origin).canonicalize().ok())
    else {
        return;
    };
    if let Some(file) = files
        .iter()
        .find(|file| file.canonicalize().is_ok_and(|file| file == origin))
    {
        finding.origin = Some(file.display().to_string());
    }
}

/// A layer that cannot be read is reported and left out; the others are still judged.
fn collect(
    files: &[PathBuf],
    env: impl Iterator<Item = (String, String)>,
    faults: &mut Vec<Finding>,
) -> Map<String, Value> {
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    for file in files {
        let source = File::new(&file.to_string_lossy(), FileFormat::Toml);
        match read_layer(file, &source) {
            Ok(()) => builder = builder.add_source(source),
            Err(why) => faults.push(Finding::new("", format!("{}: {why}", file.display()))),
        }
    }
    let env = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .try_parsing(false)
        .ignore_empty(true)
        .source(Some(ours(env, faults)));
    match builder.add_source(env).build().and_then(|config| config.collect()) {
        Ok(tree) => tree,
        Err(why) => {
            faults.push(Finding::new(
                "",
                format!("the configuration cannot be put together: {why}"),
            ));
            Map::new()
        }
    }
}

fn defaults() -> Value {
    let tree = File::from_str(DEFAULTS, FileFormat::Toml).collect().unwrap_or_default();
    Value::new(None, ValueKind::Table(tree))
}

/// The parser's own message quotes the line, which may hold a secret; only the place and the reason are kept.
fn read_layer(file: &Path, source: &dyn Source) -> Result<(), String> {
    if !file.is_file() {
        return Err("there is no such file".to_owned());
    }
    source.collect().map(|_tree| ()).map_err(|error| {
        let config::ConfigError::FileParse { cause, .. } = &error else {
            return "cannot be read".to_owned();
        };
        let text = cause.to_string();
        let is_quoted = |line: &&str| line.contains('|');
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !is_quoted(line) && !line.is_empty())
            .collect();
        lines.join(": ")
    })
}

/// Only variables with the prefix; a service named `handover` makes others, such as `HANDOVER_SERVICE_HOST`.
fn ours(env: impl Iterator<Item = (String, String)>, faults: &mut Vec<Finding>) -> Map<String, String> {
    let mut ours: Map<String, String> = Map::new();
    for (name, value) in env {
        let Some(key) = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(SEPARATOR)) else {
            continue;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if key
            .split(SEPARATOR)
            .any(|part| part.is_empty() || !part.chars().all(is_name))
        {
            faults.push(Finding::new(
                name,
                "does not name a setting: write HANDOVER__SECTION__KEY",
            ));
        } else if value.contains(char::REPLACEMENT_CHARACTER) {
            faults.push(Finding::new(name, "is not UTF-8"));
        } else {
            ours.insert(name, value);
        }
    }
    sections_once(&ours, faults);
    ours
}

/// `HANDOVER__TENANTS__ACME=x` beside `HANDOVER__TENANTS__ACME__API_KEY=y`: one would silently replace the other.
fn sections_once(env: &Map<String, String>, faults: &mut Vec<Finding>) {
    for name in env.keys() {
        let inside = format!("{name}{SEPARATOR}");
        if env.keys().any(|other| other.starts_with(&inside)) {
            faults.push(Finding::new(name, "is a section, other variables set its keys"));
        }
    }
}
