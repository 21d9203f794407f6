//! Hands a chat bot's conversation over to a human agent in 8x8 Contact Center and brings every answer back.

pub mod sandbox;
