//! What a refusal means for the idempotency key of its call.

use crate::problem::Problem;
use crate::problem::ProblemCode;

/// What a refusal means for its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Freed,
    Open,
}

pub(super) fn fate(refusal: &Problem) -> Fate {
    match refusal.code {
        ProblemCode::HandoverExists
        | ProblemCode::HandoverEnded
        | ProblemCode::HandoverNotActive
        | ProblemCode::UpstreamRejected
        | ProblemCode::UpstreamUnauthorized => Fate::Kept,
        // Nothing was done, whatever was reserved.
        ProblemCode::UpstreamUnavailable
        | ProblemCode::RateLimited
        | ProblemCode::InvalidRequest
        | ProblemCode::AgentsUnavailable => Fate::Freed,
        // Nothing was reserved, or what was may have happened.
        ProblemCode::Unauthorized
        | ProblemCode::TenantNotProvisioned
        | ProblemCode::NotFound
        | ProblemCode::IdempotencyInProgress
        | ProblemCode::IdempotencyMismatch
        | ProblemCode::PayloadTooLarge
        | ProblemCode::UnsupportedMediaType
        | ProblemCode::UpstreamTimeout
        | ProblemCode::StoreUnavailable
        | ProblemCode::Internal => Fate::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definite_refusals_are_kept_and_passing_ones_are_not() {
        let fate_of = |code| fate(&Problem::new(code, ""));
        assert_eq!(fate_of(ProblemCode::HandoverEnded), Fate::Kept);
        assert_eq!(fate_of(ProblemCode::UpstreamRejected), Fate::Kept);
        assert_eq!(fate_of(ProblemCode::RateLimited), Fate::Freed);
        assert_eq!(fate_of(ProblemCode::UpstreamUnavailable), Fate::Freed);
        assert_eq!(fate_of(ProblemCode::AgentsUnavailable), Fate::Freed);
        assert_eq!(fate_of(ProblemCode::UpstreamTimeout), Fate::Open);
        assert_eq!(fate_of(ProblemCode::InvalidRequest), Fate::Freed);
    }
}
