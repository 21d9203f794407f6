//! The client against real sockets.

mod calls;
mod keys;
mod outcomes;
mod server;
mod setup;
