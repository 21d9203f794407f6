//! The control API under `/sandbox`: plays the agent, injects events and faults, and shows what happened. JSON, no key.
//!
//! `GET /sandbox` answers [`HELP`](help::HELP), the description of every call.

mod help;
mod routes;

mod agent;
mod events;
mod settings;
mod views;

mod refusal;

pub(crate) use refusal::Refusal;
pub(crate) use routes::router;
