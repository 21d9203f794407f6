//! A tenant's registration at 8x8: the webhook that tells us of events and the channel that conversations are created on.
//! Finds what is ours, says what is to be done, and does it; and keeps in mind what a running gateway knows of it.

mod carry_out;
mod explain;
mod find;
mod plan;
mod standing;
mod wanted;
mod watch;

pub use carry_out::Carried;
pub use carry_out::CarryOut;
pub use carry_out::StepState;
pub use explain::Explained;
pub use explain::explain;
pub use find::Found;
pub use find::Known;
pub use find::find;
pub use plan::Plan;
pub use plan::Step;
pub use plan::plan;
pub use plan::plan_removal;
pub use standing::Snapshot;
pub use standing::Standing;
pub use wanted::Wanted;
pub use wanted::masked;
pub use watch::Watch;
pub use watch::Watched;
