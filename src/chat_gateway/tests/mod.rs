//! The client against real sockets.

mod calls;
mod keys;
mod outcomes;
pub(crate) mod server;
mod setup;
