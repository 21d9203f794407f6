//! Three documents say which test shows what. Every row is there, and every test they name exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Operations of the Chat Gateway but the two that look internal, what the user's documents ask for, and the traps.
const COVERAGE: (&str, &[(&str, u8)]) = (
    "docs/coverage.md",
    &[("op ", 32), ("A", 16), ("C", 11), ("E", 6), ("W", 19), ("T", 40)],
);
/// The faults it is tried against, and the invariants.
const RELIABILITY: (&str, &[(&str, u8)]) = ("docs/reliability.md", &[("", 33), ("I", 8)]);
/// The ways in and out, the attacks, and the rules of what may be called.
const SECURITY: (&str, &[(&str, u8)]) = ("docs/security.md", &[("E", 9), ("S", 25), ("N", 6)]);

const DOCUMENTS: [(&str, &[(&str, u8)]); 3] = [COVERAGE, RELIABILITY, SECURITY];

#[test]
fn every_demand_has_its_row() {
    for (document, demands) in DOCUMENTS {
        let rows = rows(document, demands);
        let found: BTreeSet<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
        let missing: Vec<String> = ids(demands).filter(|id| !found.contains(id.as_str())).collect();
        assert!(missing.is_empty(), "{document} has no row for {missing:?}");
    }
}

#[test]
fn every_row_names_a_test_or_says_why_not() {
    for (document, demands) in DOCUMENTS {
        for (id, answer) in rows(document, demands) {
            let says_why = answer.split_whitespace().count() > 3;
            assert!(!tests_in(&answer).is_empty() || says_why, "{document}, {id}: {answer}");
        }
    }
}

#[test]
fn every_test_they_name_exists() {
    let known = functions();
    for (document, demands) in DOCUMENTS {
        for (id, answer) in rows(document, demands) {
            for test in tests_in(&answer) {
                assert!(known.contains(&test), "{document}, {id}: there is no test {test}");
            }
        }
    }
}

fn ids(demands: &[(&str, u8)]) -> impl Iterator<Item = String> {
    let numbered = |(prefix, last): &(&str, u8)| (1..=*last).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    demands.iter().flat_map(numbered).collect::<Vec<_>>().into_iter()
}

/// The id and the other cells of each row that is asked for.
fn rows(document: &str, demands: &[(&str, u8)]) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let asked: BTreeSet<String> = ids(demands).collect();
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|line| {
        let (id, rest) = line.trim().trim_matches('|').split_once('|')?;
        Some((id.trim().to_owned(), rest.trim().to_owned()))
    });
    cells.filter(|(id, _)| asked.contains(id)).collect()
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
    for folder in ["src", "tests"] {
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
