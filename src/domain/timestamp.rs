//! A moment in whole milliseconds: what the store keeps, what 8x8 sends, and what our JSON shows as RFC 3339 UTC.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// Serialised as epoch milliseconds; `to_string` and [`Timestamp::rfc3339`] give the published form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Serialises in the published form, for use as `#[serde(serialize_with = "Timestamp::rfc3339")]`.
    pub fn rfc3339<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }

    /// As [`Timestamp::rfc3339`], for optional fields.
    pub fn rfc3339_option<S: serde::Serializer>(value: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    /// Reads RFC 3339 text, as 8x8's `createdAt`.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Self(at.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{at:.3}")
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_form_always_has_three_decimals() {
        assert_eq!(
            Timestamp::from_millis(1_763_640_000_000).to_string(),
            "2025-11-20T12:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_millis(1_763_640_000_123).to_string(),
            "2025-11-20T12:00:00.123Z"
        );
        assert_eq!(
            Timestamp::parse_rfc3339("2025-11-20T12:00:00.123Z"),
            Some(Timestamp::from_millis(1_763_640_000_123))
        );
    }
}
