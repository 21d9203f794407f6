//! `docs/coverage.md` says which test shows what. Every row is there, and every test it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TABLES: &str = "docs/coverage.md";

#[test]
fn every_demand_has_its_row() {
    let found: BTreeSet<String> = rows().into_iter().map(|(id, _)| id).collect();
    let missing: Vec<String> = demands().into_iter().filter(|id| !found.contains(id)).collect();
    assert!(missing.is_empty(), "{TABLES} has no row for {missing:?}");
}

#[test]
fn every_row_names_a_test_or_says_why_not() {
    for (id, answer) in rows() {
        let says_why = answer.split_whitespace().count() > 3;
        assert!(!tests_in(&answer).is_empty() || says_why, "{TABLES}, {id}: {answer}");
    }
}

#[test]
fn every_test_it_names_exists() {
    let known = functions();
    for (id, answer) in rows() {
        for test in tests_in(&answer) {
            assert!(known.contains(&test), "{TABLES}, {id}: there is no test {test}");
        }
    }
}

/// Operations of the Chat Gateway but the two that look internal, what the user's documents ask for, and the traps.
fn demands() -> Vec<String> {
    let numbered = |letter: &str, last: u8| (1..=last).map(move |n| format!("{letter}{n}")).collect::<Vec<_>>();
    [
        numbered("op ", 32),
        numbered("A", 16),
        numbered("C", 11),
        numbered("E", 6),
        numbered("W", 19),
        numbered("T", 40),
    ]
    .concat()
}

/// The first and the last cell of each row.
fn rows() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(TABLES)).unwrap();
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_matches('|');
        inner.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    text.lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|---"))
        .map(cells)
        .map(|cells| (cells[0].clone(), cells[cells.len() - 1].clone()))
        .filter(|(id, _)| id.chars().any(|c| c.is_ascii_digit()))
        .collect()
}

/// Names such as `flows::a_handover_goes_through`.
fn tests_in(answer: &str) -> Vec<String> {
    let code = answer.split('`').skip(1).step_by(2);
    let named = code.filter(|code| code.contains("::") && !code.contains(' '));
    named
        .map(|code| code.rsplit("::").next().unwrap_or_default().to_owned())
        .collect()
}

/// Names of functions that are tests, wherever they stand.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["src", "tests/it"] {
        collect(&root().join(folder), &mut names);
    }
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[") {
                    is_test |= line.contains("test") || line.contains("case");
                } else if let Some((_, rest)) = line.split_once("fn ") {
                    if is_test {
                        names.extend(rest.split('(').next().map(str::to_owned));
                    }
                    is_test = false;
                }
            }
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
