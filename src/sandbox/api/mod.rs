//! The Chat Gateway API and those beside it, one file a group of operations. Post-agent assignments will be a file of
//! their own beside these.

mod centre_routes;
mod credentials;
mod guard;
mod hand_back;
mod routes;

mod attachments;
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
