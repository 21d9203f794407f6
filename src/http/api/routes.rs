//! Which handlers the bot API has, and which of them may take longer than an ordinary call.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::ApiState;
use crate::http::api::all_events;
use crate::http::api::availability;
use crate::http::api::content;
use crate::http::api::deliveries;
use crate::http::api::download;
use crate::http::api::end;
use crate::http::api::events;
use crate::http::api::hand_back;
use crate::http::api::handovers;
use crate::http::api::messages;
use crate::http::api::recover;
use crate::http::api::reopen;
use crate::http::api::signals;
use crate::http::api::timeline;
use crate::http::api::transcript;
use crate::http::api::upload;

pub(in crate::http) fn calls() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(handovers::create, handovers::list))
        .routes(routes!(handovers::get, handovers::update))
        .routes(routes!(messages::post))
        .routes(routes!(signals::typing))
        .routes(routes!(signals::thinking))
        .routes(routes!(signals::read_receipt))
        .routes(routes!(hand_back::hand_back))
        .routes(routes!(end::end))
        .routes(routes!(reopen::reopen))
        .routes(routes!(content::erase))
        .routes(routes!(transcript::read))
        .routes(routes!(timeline::read))
        .routes(routes!(availability::read))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::resend))
        .routes(routes!(recover::recover))
}

/// Files: bounded by their own pauses and sizes.
pub(in crate::http) fn transfers() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(upload::upload))
        .routes(routes!(download::download))
}

/// What a link opens without a key.
pub(in crate::http) fn links() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(download::open))
}

/// Long polls and streams.
pub(in crate::http) fn streams() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(events::read))
        .routes(routes!(all_events::read))
}
