//! The client against real sockets.

mod calls;
mod keys;
mod outcomes;
mod provisioning;
pub(crate) mod server;
mod setup;
