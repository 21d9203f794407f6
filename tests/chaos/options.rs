//! How large a run is, and where its report goes: `scripts/chaos` sets these.

use std::path::PathBuf;
use std::time::Duration;

#[expect(
    clippy::disallowed_methods,
    reason = "a test's own switch, not a setting of the gateway"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not `{text}`"))
    })
}

/// A random one, or the one of an earlier run.
pub(crate) fn seed() -> u64 {
    number("HANDOVER_CHAOS_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()))
}

/// Rounds of what a scenario repeats: usually, and in the long form.
pub(crate) fn rounds(usual: u64, long: u64) -> u64 {
    let is_long = variable("HANDOVER_CHAOS_LONG").is_some();
    number("HANDOVER_CHAOS_ROUNDS").unwrap_or(if is_long { long } else { usual })
}

/// Until all is told, posted and ended once the faults are over. Pauses grow to a minute; what takes ten, such as giving up
/// a create that was not answered, is stuck.
pub(crate) fn quiet_within() -> Duration {
    let is_long = variable("HANDOVER_CHAOS_LONG").is_some() || number("HANDOVER_CHAOS_ROUNDS").is_some_and(|n| n > 50);
    Duration::from_mins(if is_long { 5 } else { 2 })
}

/// How long a scenario that is measured in time goes on.
pub(crate) fn lasting(usual: Duration) -> Duration {
    number("HANDOVER_CHAOS_MINUTES").map_or(usual, Duration::from_mins)
}

/// The file to which each scenario appends its row.
pub(crate) fn report() -> Option<PathBuf> {
    variable("HANDOVER_CHAOS_REPORT").map(PathBuf::from)
}

/// Whether ledgers are kept although all was well.
pub(crate) fn keeps() -> bool {
    variable("HANDOVER_CHAOS_KEEP").is_some()
}

/// Each run of it kills at every failpoint; the failpoints of one flow alone with `HANDOVER_CHAOS_ONLY=create.`.
pub(crate) fn only() -> String {
    variable("HANDOVER_CHAOS_ONLY").unwrap_or_default()
}
