//! The bot API: each file a resource, with the bodies it takes and the handlers that call the service.

mod all_events;
mod attachment_body;
mod availability;
mod content;
mod create_body;
mod deliveries;
mod download;
mod end;
mod event_list;
mod events;
mod faults;
mod follow;
#[cfg(test)]
mod fuzz;
mod hand_back;
mod handovers;
mod history;
mod language;
mod messages;
mod multipart;
mod queues_body;
mod recover;
mod reopen;
mod routes;
mod signals;
mod state;
mod timeline;
mod transcript;
mod update_body;
mod upload;
mod upload_key;
mod user_body;
mod view;

pub(super) use availability::AvailabilityView;
pub(super) use handovers::accepted;
pub(super) use handovers::created;
pub(super) use handovers::scheduled;
pub(super) use messages::posted;
pub(super) use routes::calls;
pub(super) use routes::links;
pub(super) use routes::streams;
pub(super) use routes::transfers;
pub use state::ApiState;
pub use state::CheckCallbackUrl;
