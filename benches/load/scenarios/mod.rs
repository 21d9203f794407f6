//! The parts of a run, each with a store and a process of its own.

pub(crate) mod bare;
pub(crate) mod end_to_end;
pub(crate) mod flood;
pub(crate) mod ingest;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod outage;
pub(crate) mod restart;
mod rig;
pub(crate) mod sick_bot;

pub(crate) use rig::Bench;
