//! The service in the middle: routes webhook events to handovers and bots' calls to 8x8, through the transition function.

mod apply;
mod carry_out;
mod deadlines;
mod end;
mod error;
mod key;
mod open;
pub mod problem;
mod reads;
mod resolve;
mod restart;
mod retention;
mod send;
mod send_lane;
mod service;
mod session_map;
mod tenants;
mod ticket;
mod timers;
mod typing;
mod update;

pub use apply::Applied;
pub use apply::ApplyError;
pub use error::CommandError;
pub use key::Key;
pub use open::OpenHandover;
pub use open::OpenedAs;
pub use restart::RestartError;
pub use send::PostMessage;
pub use send::Posted;
pub use service::Handovers;
pub use service::Parts;
pub use tenants::Bot;
pub use tenants::Duplicate;
pub use tenants::Tenant;
pub use tenants::Tenants;
