//! The paths of the control API.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::help::HELP;
use super::{agent, centre, customer, events, settings, views};
use crate::sandbox::load;
use crate::sandbox::state::Shared;

pub(crate) fn router(shared: Shared) -> Router {
    let routes = Router::new()
        .route("/", get(|| async { HELP }))
        .route("/channels", post(customer::add_channel))
        .route("/conversations", get(views::conversations).post(customer::open))
        .route("/conversations/{id}", get(views::conversation))
        .route("/conversations/{id}/agent", post(agent::act))
        .route("/conversations/{id}/customer", post(customer::act))
        .route("/conversations/{id}/events", post(events::send))
        .route("/calls", get(views::calls))
        .route("/events", get(views::events))
        .route(
            "/faults",
            get(settings::faults)
                .post(settings::add_fault)
                .delete(settings::clear_faults),
        )
        .route("/centre", get(centre::show).post(centre::change))
        .route("/webhook", post(settings::webhook))
        .route("/keys/rotate", post(settings::rotate_key))
        .route("/load", post(load::run))
        .layer(DefaultBodyLimit::max(64 << 20))
        .with_state(shared);
    Router::new().nest("/sandbox", routes)
}
