//! The composition root: settings become adapters, services, routers and tasks. Nothing else sees all of them.

mod availability;
mod build;
mod gateway;
mod in_force;
mod reload;
mod surface;

pub(crate) use availability::availability;
pub use build::BuildError;
pub(crate) use build::chat_gateway;
pub(crate) use build::deliveries;
pub(crate) use build::wanted;
pub use gateway::Gateway;
pub use gateway::StartError;
pub use reload::ReloadError;
