//! Failpoints are for `tests/chaos` alone: nothing that is shipped or run elsewhere has them.

use std::fs;
use std::path::Path;

/// A build with failpoints shows this in `tests/chaos`, so the search can find it.
#[cfg(not(feature = "failpoints"))]
#[test]
fn a_build_without_the_feature_has_no_failpoints() {
    let program = fs::read(crate::support::gateway::PROGRAM).unwrap();
    let program = String::from_utf8_lossy(&program);
    for name in ["HANDOVER_FAILPOINTS", "HANDOVER_CLOCK_SHIFT"] {
        assert!(!program.contains(name), "{name}");
    }
}

#[test]
fn what_is_shipped_is_built_without_features() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let features = manifest
        .split("[features]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    assert!(!features.contains("default"), "{features}");
    for file in ["Dockerfile", ".github/workflows/release.yml", "scripts/smoke-image"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        assert!(!text.contains("features"), "{file}");
    }
}
