//! Hands a chat bot's conversation over to a human agent in 8x8 Contact Center and brings every answer back.

pub mod bus;
pub mod chat_gateway;
pub mod clock;
pub mod domain;
pub mod sandbox;
pub mod setting;
pub mod store;
pub mod supervisor;
pub mod webhook;
