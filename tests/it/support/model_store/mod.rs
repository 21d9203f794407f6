//! A store in memory, written to be read: what every other store is compared with.

mod backlogs;
mod deliveries;
mod erasing;
mod model;
mod redelivery;
mod store;
mod timeline;

pub(crate) use store::ModelStore;
