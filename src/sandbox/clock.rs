//! The sandbox's clock: epoch milliseconds, and their RFC 3339 form.

use jiff::Timestamp;

/// Milliseconds since 1970, as 8x8 stamps its events and transmissions.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox stands for 8x8 and shares no clock with the gateway; this is its only reader of time"
)]
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

pub(crate) fn iso(epoch_ms: i64) -> String {
    Timestamp::from_millisecond(epoch_ms)
        .map(|at| format!("{at:.3}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn times_carry_milliseconds_and_a_zone() {
        assert_eq!(iso(1_713_100_000_000), "2024-04-14T13:06:40.000Z");
    }
}
