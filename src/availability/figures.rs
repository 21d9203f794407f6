//! The figures of one queue, whichever API they come from.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) agents: AgentCounts,
    pub(super) waiting: Option<u64>,
    /// The recent average, which 8x8 itself has nothing better than.
    pub(super) wait_seconds: Option<u64>,
}

/// `None` where 8x8 does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AgentCounts {
    pub(super) available: Option<u64>,
    pub(super) available_or_busy: Option<u64>,
    pub(super) logged_in: Option<u64>,
    /// May be given chats of the queue at all.
    pub(super) enabled: Option<u64>,
}

/// The first is what matters; the others add to it where they are told.
pub(super) fn sum(first: Option<u64>, others: &[Option<u64>]) -> Option<u64> {
    let others = others.iter().copied().flatten().fold(0, u64::saturating_add);
    match first {
        Some(first) => Some(first.saturating_add(others)),
        // Nobody says that the rest is all there is, but whoever is there is there.
        None => (others > 0).then_some(others),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_count_is_not_zero() {
        assert_eq!(sum(Some(1), &[None, Some(2)]), Some(3));
        assert_eq!(sum(Some(0), &[None]), Some(0));
        assert_eq!(sum(None, &[Some(0)]), None);
        assert_eq!(sum(None, &[Some(4)]), Some(4));
    }
}
