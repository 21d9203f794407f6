//! What the program can be told to do, one file a command.

mod cli;
mod demo;
mod doctor;
mod healthcheck;
mod hide;
mod kept;
mod keys;
mod openapi;
mod provision;
mod provision_report;
mod recover;
mod recover_report;
mod running;
mod sandbox;
mod serve;
mod store;

pub use cli::Cli;
