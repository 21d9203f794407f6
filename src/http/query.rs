//! Reads query parameters whose faults are told as problems. Names nobody asked for are ignored.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::problem::Refusal;
use crate::http::problem::invalid;
use crate::problem::FieldError;
use crate::setting::parse_duration;

/// The longest a list of events may be waited for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A parameter without a value counts as not given.
#[derive(Debug, Default)]
pub(super) struct Query(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Self::read(text))
    }
}

impl Query {
    fn read(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        Self(
            pairs
                .filter(|(_, value)| !value.trim().is_empty())
                .map(|(name, value)| (name.into_owned(), value.trim().to_owned()))
                .collect(),
        )
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.text("limit") else {
            return Ok(default);
        };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| wrong("limit", format!("must be a whole number from 1 to {most}")))
    }

    /// A sequence number; 0 when not given.
    pub(super) fn after(&self) -> Result<u64, Refusal> {
        let Some(text) = self.text("after") else { return Ok(0) };
        text.parse()
            .map_err(|_not_a_number| wrong("after", "must be a sequence number, 0 or more".to_owned()))
    }

    /// How long to wait for events: seconds, or a number with a unit.
    pub(super) fn wait(&self) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.text("wait") else { return Ok(None) };
        let wait = text
            .parse()
            .map(Duration::from_secs)
            .or_else(|_no_bare_number| parse_duration(text));
        match wait {
            Ok(wait) if wait <= MAX_WAIT => Ok(Some(wait)),
            Ok(_) | Err(_) => Err(wrong(
                "wait",
                format!("must be a number of seconds, at most {}", MAX_WAIT.as_secs()),
            )),
        }
    }
}

pub(super) fn wrong(name: &str, message: String) -> Refusal {
    invalid(vec![FieldError {
        pointer: format!("/query/{name}"),
        message,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_read_and_checked() {
        let query = Query::read("limit=200&after=7&wait=10&state=&conversationId=c%2F1");
        assert_eq!(query.limit(50, 200).unwrap(), 200);
        assert_eq!(query.after().unwrap(), 7);
        assert_eq!(query.wait().unwrap(), Some(Duration::from_secs(10)));
        assert_eq!((query.text("state"), query.text("conversationId")), (None, Some("c/1")));
    }

    #[test]
    fn a_fault_names_its_parameter_and_the_limit() {
        for text in ["limit=0", "limit=201", "limit=x", "limit=-1"] {
            let problem = Query::read(text).limit(50, 200).unwrap_err();
            assert_eq!(problem.errors[0].pointer, "/query/limit", "{text}");
            assert!(problem.errors[0].message.contains("200"));
        }
        for text in ["wait=31", "wait=-1", "wait=1h", "wait=x"] {
            assert!(Query::read(text).wait().is_err(), "{text}");
        }
        assert!(Query::read("after=-1").after().is_err());
    }
}
