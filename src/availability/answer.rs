//! What a bot is told: three verdicts, the wait, and where they come from.

use crate::availability::SourceError;
use crate::domain::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Yes,
    No,
    Unknown,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }

    /// This one, or another where nothing is known.
    pub(super) const fn or(self, when_unknown: Self) -> Self {
        match self {
            Self::Yes | Self::No => self,
            Self::Unknown => when_unknown,
        }
    }

    /// `No` as soon as one says so, `Yes` when all do; nobody knows anything where nobody is asked.
    pub(super) fn of_all(verdicts: &[Self]) -> Self {
        if verdicts.contains(&Self::No) {
            Self::No
        } else if !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Self::Yes) {
            Self::Yes
        } else {
            Self::Unknown
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailabilityAnswer {
    pub available: Verdict,
    pub open: Verdict,
    pub agents: Verdict,
    pub waiting: Option<u64>,
    pub estimated_wait_seconds: Option<u64>,
    pub sources: Vec<SourceSeen>,
}

/// One source that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSeen {
    pub name: &'static str,
    /// When 8x8 said what the answer stands on; `None` when there is nothing recent enough.
    pub as_of: Option<Timestamp>,
    /// Why 8x8's newest word is missing.
    pub problem: Option<SourceError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_no_is_enough_and_a_yes_needs_all() {
        use Verdict::No;
        use Verdict::Unknown;
        use Verdict::Yes;
        for (verdicts, all) in [
            (&[][..], Unknown),
            (&[Yes], Yes),
            (&[Yes, Yes], Yes),
            (&[Yes, Unknown], Unknown),
            (&[Unknown, No], No),
            (&[Yes, No], No),
        ] {
            assert_eq!(Verdict::of_all(verdicts), all, "{verdicts:?}");
        }
        assert_eq!(Unknown.or(No), No);
        assert_eq!(Yes.or(No), Yes);
    }
}
