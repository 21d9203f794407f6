//! What the program can be told to do, one file a command.

mod cli;
mod demo;
mod healthcheck;
mod keys;
mod openapi;
mod sandbox;
mod serve;

pub use cli::Cli;
