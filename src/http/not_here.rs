//! Answers where no handler is: an unknown path, a method that a path does not have.

use axum::http::Method;

use crate::http::problem::Refusal;
use crate::problem::Problem;
use crate::problem::ProblemCode;

pub(super) async fn no_path() -> Refusal {
    Box::new(Problem::new(
        ProblemCode::NotFound,
        "the gateway has nothing at this path; /docs shows what it has",
    ))
}

pub(super) async fn no_method(method: Method) -> Refusal {
    let detail = format!("this path does not take {method}; `Allow` says what it takes");
    Box::new(Problem::new(ProblemCode::NotFound, detail).with_status(405))
}
