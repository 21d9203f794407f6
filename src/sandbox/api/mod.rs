//! The Chat Gateway API and those beside it, one file a group of operations. Attachments, card lists and post-agent
//! assignments will be files of their own beside these.

mod centre_routes;
mod credentials;
mod guard;
mod routes;

mod channels;
mod conversations;
mod keys;
mod messages;
mod participants;
mod signals;
mod webhooks;

mod analytics;
mod schedules;
mod statistics;

mod answer;
mod page;

pub(crate) use routes::router;
