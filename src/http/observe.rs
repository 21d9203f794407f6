//! One span, one count and one line of log a request. Never a path, a query, a header's text or a body.

use std::time::Instant;

use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use tracing::Instrument as _;

use crate::http::metrics::HttpMetrics;
use crate::http::webhook;
use crate::http::webhook_answer::Unproven;
use crate::problem::Problem;

pub(super) const REQUEST_ID: &str = "x-request-id";

pub(super) async fn observe(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("none", MatchedPath::as_str);
    let method = method_name(request.method());
    let instance = instance(matched.as_ref(), request.uri().path());
    let id = request_id(request.headers());
    let parent = text(request.headers(), "traceparent").filter(|parent| is_traceparent(parent));
    let span = tracing::info_span!(
        "request",
        http.method = method,
        http.route = route,
        request.id = id,
        traceparent = parent
    );
    let started = Instant::now();
    let response = complete(next.run(request).instrument(span.clone()).await, instance);
    let (status, took) = (response.status().as_u16(), started.elapsed());
    metrics.answered(method, route, status, took);
    tracing::debug!(parent: &span, http.status = status, ?took, "answered");
    response
}

/// What log lines and entries of the audit log call a request by.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, REQUEST_ID)
}

/// The path a problem is about. Never a secret: what 8x8 is given is shown as its route, or, with something behind it that
/// no route has, not at all.
fn instance(matched: Option<&MatchedPath>, path: &str) -> Option<String> {
    match matched.map(MatchedPath::as_str) {
        Some(route) if route.contains(webhook::PATH_SECRET) => Some(route.to_owned()),
        None if webhook::is_under(path) => None,
        Some(_) | None => Some(path.to_owned()),
    }
}

/// A problem is completed with the path it is about.
fn complete(mut response: Response, instance: Option<String>) -> Response {
    let completed = if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.instance = instance;
        Box::new(problem).into_response()
    } else if let Some(mut unproven) = response.extensions_mut().remove::<Unproven>() {
        unproven.instance = instance;
        unproven.into_response()
    } else {
        return response;
    };
    let (mut parts, _old_body) = response.into_parts();
    let (new, body) = completed.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(new.headers);
    Response::from_parts(parts, body)
}

/// Methods are free text on the wire.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .filter(|text| text.len() <= 128)
        .map(str::to_owned)
}

/// W3C Trace Context.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts.starts_with(&[2, 32, 16, 2])
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trace_parent_is_taken_for_one() {
        assert!(is_traceparent(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        for text in [
            "",
            "00-x-y-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "secret",
        ] {
            assert!(!is_traceparent(text), "{text}");
        }
    }
}
