//! The failpoints of the source, read from it: a new one is killed at without being listed anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names in the order of the alphabet.
pub(crate) fn all() -> Vec<String> {
    let mut names = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
    names.into_iter().collect()
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("failpoint.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let points = text
                .split("failpoint!(\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            names.extend(points.map(str::to_owned));
        }
    }
}

#[test]
fn each_step_of_each_flow_has_its_failpoint() {
    let names = all();
    for flow in [
        "webhook.",
        "kept.",
        "create.",
        "message.",
        "call.",
        "end.",
        "update.",
        "hand_back.",
        "reopen.",
        "placing.",
        "timer.",
        "key.",
        "delivery.",
        "store.",
        "start.",
    ] {
        let steps = names.iter().filter(|name| name.starts_with(flow)).count();
        assert!(steps >= 1, "{flow} has none of {names:?}");
    }
    assert!(names.len() >= 40, "{names:?}");
}

/// The other half of what `tests/it` shows of a build without them.
#[test]
fn this_build_has_failpoints() {
    let program = fs::read(env!("CARGO_BIN_EXE_handover-gateway")).unwrap();
    assert!(String::from_utf8_lossy(&program).contains("HANDOVER_FAILPOINTS"));
}
