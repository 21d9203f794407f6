//! The control API under `/sandbox`: plays the agent, injects events and faults, and shows what happened. JSON, no key.
//! `help.txt` describes every call.

mod help;
mod routes;

mod agent;
mod centre;
mod customer;
mod events;
mod settings;
mod views;

mod refusal;

pub(crate) use refusal::Refusal;
pub(crate) use routes::router;
