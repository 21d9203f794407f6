//! What the program can be told to do, one file a command.

pub mod demo;
pub mod healthcheck;
pub mod keys;
pub mod openapi;
pub mod sandbox;
pub mod serve;
