//! Rules that one value alone cannot break: between keys, between sections, and on what a secret may look like.

mod bot;
mod notes;
mod queues;
mod sections;
mod tenant;

pub(super) use notes::Notes;
pub(super) use sections::check;
