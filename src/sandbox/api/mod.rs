//! The Chat Gateway API, one file a group of operations. Post-agent assignments, schedules and
//! statistics will be files of their own beside these.

mod guard;
mod routes;

mod attachments;
mod channels;
mod conversations;
mod keys;
mod messages;
mod participants;
mod signals;
mod webhooks;

mod answer;
mod page;

pub(crate) use routes::router;
