//! 8x8's error bodies. They are sent as `application/problem+json` but are not RFC 7807, and differ from call to call.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::ids;
use super::validate::Invalid;

#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Value,
}

impl Problem {
    /// `GenericExceptionPayload`: what most calls answer.
    pub(crate) fn general(status: StatusCode, code: &str, message: &str) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            status,
            body: json!({"message": format!("{title}."), "errors": [{"code": code, "message": message}]}),
        }
    }

    pub(crate) fn invalid(fault: Invalid) -> Self {
        let Invalid { code, message } = fault;
        Self::general(StatusCode::BAD_REQUEST, code, &message)
    }

    pub(crate) fn invalid_queue(queue_id: &str) -> Self {
        Self::general(
            StatusCode::BAD_REQUEST,
            "invalid_queue",
            &format!("Queue ID {queue_id} is invalid."),
        )
    }

    /// `BadRequestProblem`, of `POST …/messages` only: `errors` is an object.
    pub(crate) fn invalid_message(fault: Invalid) -> Self {
        let Invalid { code, message } = fault;
        let errors = json!({"code": code, "message": message});
        Self {
            status: StatusCode::BAD_REQUEST,
            body: json!({"message": "Bad Request.", "errors": errors, "referenceId": ids::token()}),
        }
    }

    /// `InvalidParameterExceptionPayload`, of typing, thinking and read-receipt.
    pub(crate) fn invalid_parameter(fault: Invalid) -> Self {
        let Invalid { message, .. } = fault;
        let errors = json!([{"code": "invalid_parameter", "message": message}]);
        Self {
            status: StatusCode::BAD_REQUEST,
            body: json!({"message": "Invalid parameter.", "errors": errors, "referenceId": ids::token()}),
        }
    }

    pub(crate) fn unauthorized() -> Self {
        let errors = json!([{"message": "Access Denied", "code": "access_denied"}]);
        Self {
            status: StatusCode::UNAUTHORIZED,
            body: json!({"message": "Access Denied", "errors": errors, "referenceId": ids::token()}),
        }
    }

    /// `ForbiddenViolationProblem`: `errors` is an array of strings.
    pub(crate) fn wrong_tenant() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            body: json!({"message": "Forbidden.", "errors": ["The tenant does not belong to customer."]}),
        }
    }

    /// `ResourceNotFoundProblem`: `errors` is an array of strings.
    pub(crate) fn not_found(kind: &str, id: &str) -> Self {
        let error = format!("Resource of type {kind} with id {id} was not found.");
        Self {
            status: StatusCode::NOT_FOUND,
            body: json!({"message": "Resource not found.", "errors": [error]}),
        }
    }

    /// `ResourceNotFoundExceptionPayload`, of typing, thinking and read-receipt.
    pub(crate) fn not_found_exception(kind: &str, id: &str) -> Self {
        let error = format!("Resource of type {kind} with id {id} was not found.");
        let errors = json!([{"code": "resource_not_found", "message": error}]);
        Self {
            status: StatusCode::NOT_FOUND,
            body: json!({"message": "Resource not found.", "errors": errors}),
        }
    }

    /// How the analytics and the edge before them answer.
    pub(crate) fn message(status: StatusCode, message: &str) -> Self {
        Self {
            status,
            body: json!({ "message": message }),
        }
    }

    pub(crate) fn no_such_route() -> Self {
        Self::general(StatusCode::NOT_FOUND, "resource_not_found", "No such operation.")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, content_type, self.body.to_string()).into_response()
    }
}
