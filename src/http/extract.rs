//! Reads a JSON body whose faults are told as problems: which member, and what is wrong with it.

use aws_lc_rs::digest;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::Request;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;
use serde::de::IgnoredAny;

use crate::domain::EventId;
use crate::domain::HandoverId;
use crate::http::problem::Refusal;
use crate::http::problem::invalid;
use crate::http::problem::no_delivery;
use crate::http::problem::no_handover;
use crate::http::problem::refused;
use crate::problem::FieldError;
use crate::problem::Problem;
use crate::problem::ProblemCode;

/// A body, and the SHA-256 of its bytes as they came.
#[derive(Debug)]
pub(super) struct JsonBody<T> {
    pub(super) value: T,
    pub(super) sha256: [u8; 32],
}

/// As [`JsonBody`], where an empty body means `{}`.
#[derive(Debug)]
pub(super) struct OptionalJsonBody<T>(pub(super) JsonBody<T>);

/// The handover in the path. What cannot be one of ours is not found.
#[derive(Debug)]
pub(super) struct HandoverPath(pub(super) HandoverId);

/// The event in the path whose delivery is meant, likewise.
#[derive(Debug)]
pub(super) struct DeliveryPath(pub(super) EventId);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        is_json(request.headers())?;
        let bytes = read(request, state).await?;
        parse(&bytes)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let said_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            let JsonBody { value, .. } = parse(b"{}")?;
            return Ok(Self(JsonBody {
                value,
                sha256: sha256(b""),
            }));
        }
        said_json?;
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for HandoverPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| HandoverId::parse(&text));
        id.map(Self).ok_or_else(no_handover)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DeliveryPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| EventId::parse(&text));
        id.map(Self).ok_or_else(no_delivery)
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(refused(
        ProblemCode::UnsupportedMediaType,
        "send the body as Content-Type: application/json",
    ))
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, state).await.map_err(unreadable)
}

/// A body that is too large, or that broke off.
pub(super) fn unreadable(rejection: BytesRejection) -> Refusal {
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        return refused(
            ProblemCode::PayloadTooLarge,
            "the body is larger than the gateway's server.body_limit",
        );
    }
    Box::new(Problem::new(ProblemCode::InvalidRequest, "the body could not be read to its end").with_status(400))
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<JsonBody<T>, Refusal> {
    // JSON is UTF-8, also where a member is read over.
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let detail = format!(
            "the body is not JSON: it is not UTF-8 from byte {} on",
            error.valid_up_to()
        );
        Box::new(Problem::new(ProblemCode::InvalidRequest, detail).with_status(400))
    })?;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // serde_json calls a number in the place of a name a fault of the syntax.
        let is_json = error.inner().is_data() || serde_json::from_str::<IgnoredAny>(text).is_ok();
        if is_json {
            let pointer = pointer(&error);
            let message = if error.inner().is_data() {
                without_place(&error.inner().to_string())
            } else {
                "is of the wrong type".to_owned()
            };
            return invalid(vec![FieldError { pointer, message }]);
        }
        not_json(error.inner())
    })?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(JsonBody {
        value,
        sha256: sha256(bytes),
    })
}

fn not_json(error: &serde_json::Error) -> Refusal {
    let detail = format!("the body is not JSON: {error}");
    Box::new(Problem::new(ProblemCode::InvalidRequest, detail).with_status(400))
}

fn pointer(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    use serde_path_to_error::Segment;

    let mut pointer = String::new();
    for segment in error.path() {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&escaped(key)),
            Segment::Enum { variant } => pointer.push_str(&escaped(variant)),
            Segment::Unknown => pointer.push('?'),
        }
    }
    // What is missing is named, not where it is missing.
    if let Some(missing) = error.inner().to_string().strip_prefix("missing field `")
        && let Some((name, _)) = missing.split_once('`')
    {
        pointer.push('/');
        pointer.push_str(&escaped(name));
    }
    pointer
}

/// RFC 6901.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn without_place(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _place)| message)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RawJson;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Body {
        user: User,
        metadata: Option<RawJson>,
        #[serde(default)]
        items: Vec<u8>,
        kind: Option<Kind>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Kind {
        Queue,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct User {
        name: Option<String>,
    }

    fn fault(text: &str) -> (u16, String) {
        let problem = parse::<Body>(text.as_bytes()).unwrap_err();
        let pointer = problem.errors.first().map(|error| error.pointer.clone());
        (problem.status, pointer.unwrap_or_default())
    }

    #[test]
    fn each_fault_names_its_member() {
        for (text, expected) in [
            (r#"{"user":{"nick":"x"}}"#, "/user/nick"),
            (r#"{"user":{"name":1}}"#, "/user/name"),
            (r#"{"user":{},"a/b":1}"#, "/a~1b"),
            (r#"{"user":{},"items":[1,"x"]}"#, "/items/1"),
            (r#"{"user":{},"kind":7}"#, "/kind"),
            (r#"{"user":{},"kind":"agent"}"#, "/kind"),
            ("{}", "/user"),
            ("[]", ""),
        ] {
            let (status, pointer) = fault(text);
            assert_eq!((status, pointer.as_str()), (422, expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_400() {
        for text in [
            "",
            "{",
            "nonsense",
            r#"{"user":{}} x"#,
            "{\"user\":{\"name\":\"\u{1}\"}}",
        ] {
            assert_eq!(fault(text).0, 400, "{text}");
        }
    }

    #[test]
    fn raw_json_keeps_its_bytes() {
        let body = parse::<Body>(br#"{"user":{"name":"J"},"metadata":{ "b":1.0,  "a":2 }}"#)
            .unwrap()
            .value;
        assert_eq!(body.metadata.unwrap().as_str(), r#"{ "b":1.0,  "a":2 }"#);
        assert_eq!(body.user.name.as_deref(), Some("J"));
        assert!(body.items.is_empty());
        assert!(body.kind.is_none());
    }
}
