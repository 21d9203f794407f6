//! The routers from outside: requests in, answers out, with a real store and a stand-in 8x8 on loopback.

mod calls;
mod faults;
pub(super) mod fixture;
mod key_histories;
mod log;
mod server;
mod server_tls;
mod streams;
mod webhooks;
