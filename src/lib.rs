//! Hands a chat bot's conversation over to a human agent in 8x8 Contact Center and brings every answer back.

#[macro_use]
mod failpoint;

pub mod app;
pub mod attachment_links;
pub mod availability;
pub mod bus;
pub mod chat_gateway;
pub mod clock;
pub mod commands;
pub mod delivery;
pub mod demo;
pub mod domain;
#[cfg(test)]
mod fuzzing;
pub mod handovers;
pub mod http;
pub mod oauth;
pub mod outbound;
pub mod problem;
pub mod provisioning;
pub mod redaction;
pub mod sandbox;
pub mod setting;
pub mod settings;
pub mod store;
pub mod supervisor;
pub mod telemetry;
pub mod token_bucket;
pub mod webhook;
