//! The state table: what one input makes of a handover. Pure but for the ids it gives out.
//!
//! `next` is the only way a handover changes. The caller holds the handover's lock, commits the transition and only then
//! lets memory follow.

mod calls;
mod change;
mod deadlines;
mod next;
mod problem;
mod routing;
mod webhook;

pub use calls::allowed;
pub use change::Transition;
pub use deadlines::next_deadline;
pub use next::Answer;
pub use next::Input;
pub use next::Refused;
pub use next::next;
pub use routing::Whereabouts;

#[cfg(test)]
mod routing_tests;
#[cfg(test)]
mod tests;
