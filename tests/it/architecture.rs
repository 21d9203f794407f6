//! Imports go down only, and what has one place stays in it. Every `crate::` path counts, not only `use` lines.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The floors, lowest first. A module sees what stands below it, and itself; never its own floor's other modules.
const FLOORS: &[&[&str]] = &[
    &["domain", "failpoint"],
    &[
        "attachment_links",
        "bus",
        "clock",
        "fuzzing",
        "oauth",
        "problem",
        "redaction",
        "setting",
        "supervisor",
        "telemetry",
        "token_bucket",
    ],
    &["availability", "chat_gateway", "outbound", "store"],
    &["delivery", "provisioning", "webhook"],
    &["handovers"],
    &["http"],
    &["settings"],
    &["app"],
    &["commands"],
];
/// Stand-ins that know the gateway by its sockets only, so that they cannot agree with it by mistake.
const APART: &[&str] = &["demo", "sandbox"];

/// A word that may appear in these places only.
const ONE_PLACE: &[(&str, &[&str])] = &[
    ("axum::", &["src/http/", "src/sandbox/", "src/demo/"]),
    ("rusqlite::", &["src/store/sqlite/"]),
    ("Client::builder()", &["src/outbound/", "src/sandbox/", "src/demo/"]),
    ("std::env::var", &["src/settings/", "src/failpoint.rs"]),
    ("tracing_subscriber::", &["src/telemetry.rs"]),
    ("clap::", &["src/commands/", "src/main.rs"]),
    ("SystemTime", &["src/clock.rs", "src/sandbox/clock.rs"]),
];

const LONGEST_FILE: usize = 400;

struct Source {
    path: String,
    module: String,
    text: String,
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        for seen in crate_paths(&source.text) {
            if !may_see(&source.module, &seen) {
                wrong.push(format!("{} sees crate::{seen}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    for source in sources() {
        let known = floor(&source.module).is_some() || APART.contains(&source.module.as_str());
        assert!(
            known || ["lib", "main"].contains(&source.module.as_str()),
            "{} has no floor",
            source.path
        );
    }
}

#[test]
fn what_has_one_place_stays_in_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        // A module's tests may need a server or a client of their own.
        if source.path.contains("/tests") {
            continue;
        }
        for (word, places) in ONE_PLACE {
            if code(&source.text).contains(word) && !places.iter().any(|place| source.path.starts_with(place)) {
                wrong.push(format!("{} uses {word}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_readable() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//!") {
            wrong.push(format!("{} does not begin with //!", source.path));
        }
        let lines = code(&source.text).lines().count();
        if lines > LONGEST_FILE && !source.path.ends_with("tests.rs") {
            wrong.push(format!("{} has {lines} lines", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_check_itself_sees_an_import_that_goes_up() {
    assert_eq!(
        crate_paths("let x = crate::http::router::Y; use crate::store::Store;"),
        ["http", "store"]
    );
    assert!(!may_see("store", "http"));
    assert!(
        !may_see("store", "chat_gateway"),
        "neighbours on one floor do not see each other"
    );
    assert!(!may_see("sandbox", "domain"));
    assert!(may_see("http", "store"));
}

fn may_see(from: &str, to: &str) -> bool {
    if from == to || from == "main" || from == "lib" {
        return true;
    }
    match (floor(from), floor(to)) {
        (Some(from), Some(to)) => to < from,
        // The commands start the stand-ins.
        (Some(_), None) => from == "commands" && APART.contains(&to),
        (None, _) => false,
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The first part of each `crate::` path.
fn crate_paths(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split("crate::")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        })
        .filter(|name: &String| !name.is_empty())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The text without what is compiled for tests only.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.iter().map(|file| source(root, file)).collect()
}

fn source(root: &Path, file: &Path) -> Source {
    let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let module = path
        .trim_start_matches("src/")
        .split('/')
        .next()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned();
    Source {
        path,
        module,
        text: fs::read_to_string(file).unwrap(),
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
