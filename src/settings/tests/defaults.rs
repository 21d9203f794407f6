//! The default file is the reference: every key of the structs stands in it, with its default, and no other.

use std::collections::BTreeSet;

use config::File;
use config::FileFormat;
use config::Map;
use config::Source as _;
use config::Value;
use config::ValueKind;

use crate::settings::load::DEFAULTS;
use crate::settings::shape::ROOT;
use crate::settings::shape::Shape;
use crate::settings::tests::support::SMALLEST;
use crate::settings::tests::support::load_files;
use crate::settings::tests::support::load_text;

/// The file with its samples in force.
fn uncommented() -> String {
    let is_sample = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        let is_key = line.contains(" = ")
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '0'..='9'));
        line.starts_with('[') || is_key
    };
    let line = |line: &'static str| {
        line.strip_prefix('#')
            .filter(|sample| is_sample(sample))
            .unwrap_or(line)
    };
    let text: Vec<&str> = DEFAULTS.lines().map(line).collect();
    let files = [
        "/etc/ssl/certs/company.pem",
        "/etc/handover/tls.crt",
        "/etc/handover/tls.key",
    ];
    let text = text.join("\n");
    files.iter().fold(text, |text, file| text.replace(file, "Cargo.toml"))
}

fn compare(table: &Map<String, Value>, shape: &Shape, at: &str, leaves: &mut BTreeSet<String>) {
    let written: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = (shape.fields)().iter().copied().collect();
    assert_eq!(written, known, "[{at}]");
    for (name, value) in table {
        let inner = shape
            .tables
            .iter()
            .find(|(table, _)| table == name)
            .map(|(_, inner)| inner);
        let entry = shape
            .named
            .iter()
            .find(|(named, _, _)| named == name)
            .map(|(_, _, entry)| entry);
        match (&value.kind, inner, entry) {
            (ValueKind::Table(table), Some(inner), _) => compare(table, inner, &format!("{at}{name}."), leaves),
            (ValueKind::Table(entries), _, Some(entry)) => {
                for (id, value) in entries {
                    let ValueKind::Table(table) = &value.kind else {
                        panic!("{at}{name}.{id}")
                    };
                    compare(table, entry, &format!("{at}{name}.{id}."), leaves);
                }
            }
            _ => drop(leaves.insert(format!("{at}{name}"))),
        }
    }
}

fn keys_of_the_sample() -> BTreeSet<String> {
    let tree = File::from_str(&uncommented(), FileFormat::Toml).collect().unwrap();
    let mut leaves = BTreeSet::new();
    compare(&tree, &ROOT, "", &mut leaves);
    leaves
}

#[test]
fn every_key_of_the_structs_stands_in_the_file_and_no_other() {
    assert!(keys_of_the_sample().contains("bots.support.auth.token"));
}

#[test]
fn the_samples_can_be_used_as_they_stand() {
    let settings = load_text(&uncommented(), &[]).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.warnings, []);
    assert_eq!(settings.tenants.len(), 1);
    assert_eq!(settings.bots.len(), 1);
}

#[test]
fn the_samples_show_the_defaults() {
    let sample = load_text(&uncommented(), &[]).unwrap().describe();
    let text = SMALLEST
        .replace("0012", "acmecorp01")
        .replace("\"channel\"", "\"f5odm43occnifcdcsa\"");
    let smallest = load_text(&text, &[]).unwrap().describe();
    let shown: Vec<String> = smallest.into_iter().filter(|line| !sample.contains(line)).collect();
    assert_eq!(
        shown,
        [
            "tenants.acme.schedule.source = none",
            "tenants.acme.statistics.source = none",
            "bots.support.callback_secrets = []",
            "bots.support.auth.kind = none"
        ]
    );
}

#[test]
fn the_description_names_every_key() {
    let settings = load_text(&uncommented(), &[]).unwrap();
    let described = settings.describe();
    let described: BTreeSet<String> = described
        .iter()
        .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
        .collect();
    assert_eq!(described, keys_of_the_sample());
}

#[test]
fn without_any_file_there_are_no_tenants_and_nothing_is_wrong() {
    let settings = load_files(&[], &[]).unwrap();
    assert!(settings.tenants.is_empty() && settings.bots.is_empty());
    assert_eq!(settings.warnings, []);
}

#[test]
fn the_files_beside_it_can_be_used() {
    let development = load_text(include_str!("../../../config/development.toml"), &[]);
    assert!(development.is_ok(), "{development:?}");
    let production = include_str!("../../../config/production.example.toml");
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("admin_tokens", "0123456789abcdef\n"),
        ("acme_api_key", "key\n"),
        ("acme_path_secrets", "0123456789abcdef\n"),
        (
            "support_callback_secrets",
            "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n",
        ),
        (
            "support_api_key_hashes",
            "sha256:c678f9a826ac5c12d1ba5d2abe4f3603d0c95f1bdf580a7286f671f8eca7bc79\n",
        ),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let production = production.replace("/run/secrets", folder.path().to_str().unwrap());
    let settings = load_text(&production, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.warnings, []);
}
