//! What tests share.

pub(crate) mod bot;
pub(crate) mod calls;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod crc;
pub(crate) mod disk;
pub(crate) mod eightx8;
pub(crate) mod faulty_disk;
pub(crate) mod files;
pub(crate) mod forwarder;
pub(crate) mod gate;
pub(crate) mod gateway;
pub(crate) mod log;
pub(crate) mod model_store;
pub(crate) mod power_cut;
pub(crate) mod raw_bot;
pub(crate) mod reply;
pub(crate) mod site;
pub(crate) mod token_endpoint;
pub(crate) mod traffic;
pub(crate) mod upload;
pub(crate) mod wait;
pub(crate) mod world;
