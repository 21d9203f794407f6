//! Stands before every operation: key, tenant and media type, faults, and the ledger of calls.
//! A call that has arrived is carried out even when its caller hangs up, as in a real service.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};

use super::answer::ConversationId;
use super::credentials::Proof;
use super::routes::operation;
use crate::sandbox::clock;
use crate::sandbox::faults::{Rule, Stage, Surface};
use crate::sandbox::ledger::{Call, Outcome};
use crate::sandbox::problem::Problem;
use crate::sandbox::server::cut;
use crate::sandbox::state::Shared;

const BODY_LIMIT: usize = 64 << 20;

pub(super) async fn guard(
    State(shared): State<Shared>,
    path: MatchedPath,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return Problem::general(StatusCode::BAD_REQUEST, "invalid_body", "The body could not be read.")
            .into_response();
    };
    let conversation_id = params
        .iter()
        .find(|(name, _)| *name == "conversationId")
        .map(|(_, value)| value.to_owned());
    let arrived = Arrived {
        operation: operation(&parts.method, path.as_str()),
        conversation_id,
        body: body.clone(),
        taken: false,
    };
    let request = Request::from_parts(parts, Body::from(body));
    let worker = Arc::clone(&shared);
    match shared
        .start(async move { arrived.carry_out(&worker, request, next).await })
        .await
    {
        Ok(Some(response)) => response,
        Ok(None) | Err(_) => cut(),
    }
}

struct Arrived {
    operation: &'static str,
    conversation_id: Option<String>,
    body: Bytes,
    taken: bool,
}

/// Ends a call without an answer.
enum Stopped {
    Dropped,
    Hung,
}

impl Arrived {
    async fn carry_out(mut self, shared: &Shared, request: Request, next: Next) -> Response {
        let surface = if self.operation == "jwk" {
            Surface::Jwk
        } else {
            Surface::Api
        };
        let fault = shared
            .faults
            .take(surface, self.operation, self.conversation_id.as_deref());
        let response = match &fault {
            Some(fault) => self.carry_out_badly(shared, fault, request, next).await,
            None => Ok(self.run(shared, request, next).await),
        };
        let outcome = match &response {
            Ok(response) => Outcome::Status(response.status().as_u16()),
            Err(Stopped::Dropped) => Outcome::Dropped,
            Err(Stopped::Hung) => Outcome::Hung,
        };
        self.record(shared, outcome);
        match response {
            Ok(response) => dated(response, shared.options.clock_ahead),
            Err(Stopped::Dropped) => cut(),
            Err(Stopped::Hung) => {
                tokio::time::sleep(shared.options.hang_limit).await;
                cut()
            }
        }
    }

    async fn carry_out_badly(
        &mut self,
        shared: &Shared,
        fault: &Rule,
        mut request: Request,
        next: Next,
    ) -> Result<Response, Stopped> {
        tokio::time::sleep(fault.delay).await;
        stops(fault, Stage::Before)?;
        if let (Some(status), false) = (fault.status, fault.taken) {
            return Ok(forced(fault, status));
        }
        if let Some(effect) = fault.effect {
            request.extensions_mut().insert(effect);
        }
        let response = self.run(shared, request, next).await;
        if let (true, Some(id)) = (fault.event_before_202, &self.conversation_id) {
            shared.lane_drained(id).await;
        }
        stops(fault, Stage::After)?;
        Ok(fault.status.map_or(response, |status| forced(fault, status)))
    }

    async fn run(&mut self, shared: &Shared, request: Request, next: Next) -> Response {
        if let Err(problem) = self.admit(shared, request.method(), request.headers()) {
            return problem.into_response();
        }
        let response = next.run(request).await;
        self.taken = response.status().is_success();
        if let Some(ConversationId(id)) = response.extensions().get() {
            self.conversation_id = Some(id.clone());
        }
        response
    }

    fn admit(&self, shared: &Shared, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        Proof::of(self.operation).check(shared, headers)?;
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let media_type = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let expected = match self.operation {
            "attachment" => "multipart/form-data",
            "token" => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        let is_expected = media_type
            .split(';')
            .next()
            .is_some_and(|media_type| media_type.trim() == expected);
        if method != Method::GET && !self.body.is_empty() && !is_expected {
            let message = format!("Content type '{media_type}' is not supported.");
            return Err(Problem::general(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                &message,
            ));
        }
        Ok(())
    }

    fn record(self, shared: &Shared, outcome: Outcome) {
        // A file's bytes are not worth remembering.
        let body = if self.operation == "attachment" {
            Bytes::from(format!("{{\"bytes\":{}}}", self.body.len()))
        } else {
            self.body
        };
        shared.ledger.call(Call {
            at: clock::now_ms(),
            operation: self.operation,
            conversation_id: self.conversation_id,
            body,
            outcome,
            taken: self.taken,
        });
    }
}

/// The server puts the right date on what has none.
fn dated(mut response: Response, ahead: i64) -> Response {
    let at = jiff::Timestamp::from_millisecond(clock::now_ms() + ahead * 1000);
    if let (true, Ok(at)) = (ahead != 0, at)
        && let Ok(date) = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at)
        && let Ok(date) = date.parse()
    {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

fn stops(fault: &Rule, stage: Stage) -> Result<(), Stopped> {
    if fault.drop == Some(stage) {
        return Err(Stopped::Dropped);
    }
    if fault.hang == Some(stage) {
        return Err(Stopped::Hung);
    }
    Ok(())
}

fn forced(fault: &Rule, status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &fault.body {
        Some(body) => (status, body.clone()).into_response(),
        None => Problem::general(status, "internal_error", "Internal error.").into_response(),
    };
    if let Some(value) = fault.retry_after.as_ref().and_then(|value| value.parse().ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}
