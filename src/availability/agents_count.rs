//! Which agents count as being there.

use crate::availability::Verdict;
use crate::availability::figures::AgentCounts;

/// What 8x8's other connectors offer as the condition of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentsCount {
    /// Free right now.
    Available,
    /// Also those who serve somebody else, or wrap up: they come free.
    AvailableOrBusy,
    /// Also those on a break or working offline.
    LoggedIn,
}

impl AgentsCount {
    pub(super) fn judge(self, counts: AgentCounts) -> Verdict {
        let count = match self {
            Self::Available => counts.available,
            Self::AvailableOrBusy => counts.available_or_busy,
            Self::LoggedIn => counts.logged_in,
        };
        match count {
            Some(0) => Verdict::No,
            Some(_) => Verdict::Yes,
            None => Verdict::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_looks_at_its_own_count() {
        let counts = AgentCounts {
            available: Some(0),
            available_or_busy: Some(2),
            logged_in: None,
            enabled: None,
        };
        assert_eq!(AgentsCount::Available.judge(counts), Verdict::No);
        assert_eq!(AgentsCount::AvailableOrBusy.judge(counts), Verdict::Yes);
        assert_eq!(AgentsCount::LoggedIn.judge(counts), Verdict::Unknown);
    }
}
