//! A store in memory, written to be read: what every other store is compared with.

mod deliveries;
mod erasing;
mod model;
mod store;
mod timeline;

pub(crate) use store::ModelStore;
