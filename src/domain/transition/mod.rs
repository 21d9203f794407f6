//! The state table: what one input makes of a handover. Pure but for the ids it gives out.
//!
//! `next` is the only way a handover changes. The caller holds the handover's lock, commits the transition and only then
//! lets memory follow.

mod backfill;
mod bot_phase;
mod calls;
mod change;
mod deadlines;
mod erasing;
mod next;
mod notices;
mod problem;
mod reopening;
mod routing;
mod telling;
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
mod backfill_tests;
#[cfg(test)]
mod bot_phase_tests;
#[cfg(test)]
mod notices_tests;
#[cfg(test)]
mod passing_tests;
#[cfg(test)]
mod reopening_tests;
#[cfg(test)]
mod routing_tests;
#[cfg(test)]
mod stuck_tests;
#[cfg(test)]
mod tests;
