//! The token endpoint, for whoever adds a bearer token to 8x8's webhooks on their way: tokens for a password, new ones for
//! a refresh token, as Aisera's own endpoint gives them.

mod answer;
mod endpoint;
mod logins;
mod peer;
mod request;
mod service;
mod slow_down;
mod token;

pub use logins::Login;
pub use service::Tokens;

pub(super) use endpoint::paths;
pub(super) use endpoint::routes;
pub(super) use peer::Peer;
pub(super) use peer::network;
