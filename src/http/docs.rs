//! The OpenAPI document, generated from the handlers, and the problems each of them may answer with.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi;
use utoipa::openapi::Content;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::Response;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::SecurityScheme;

use crate::http::api;
use crate::http::problem::CONTENT_TYPE;
use crate::http::tokens;
use crate::http::webhook;
use crate::http::webhook_answer::Unproven;
use crate::problem::FieldError;
use crate::problem::Problem;
use crate::problem::ProblemCode;
use crate::problem::Upstream;

const SCHEME: &str = "botKey";

/// The document of the public port.
pub fn openapi() -> openapi::OpenApi {
    let mut api = api::calls()
        .merge(api::streams())
        .merge(api::transfers())
        .into_openapi();
    for item in api.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(SCHEME, [])]);
        }
    }
    let mut document = Document::openapi();
    document.merge(api);
    document.merge(api::links().into_openapi());
    document.merge(webhook::paths());
    document.merge(tokens::paths());
    document
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "handover-gateway",
        description = "Hands a chat bot's conversation over to a human agent in 8x8 Contact Center and brings every answer back.\n\n\
            Receivers ignore event types and fields they do not know; new ones may be added at any time."
    ),
    tags(
        (name = "handovers", description = "Hand a user over to an agent, and see how it goes"),
        (name = "messages", description = "What the user says to the agent"),
        (name = "attachments", description = "Files, both ways"),
        (name = "events", description = "What the agent says and does, for bots that pull"),
        (name = "deliveries", description = "What the bot did not take, once more"),
        (name = "webhooks", description = "What 8x8 calls"),
    ),
    components(schemas(Problem, ProblemCode, FieldError, Upstream, Unproven)),
    modifiers(&Scheme),
)]
struct Document;

struct Scheme;

impl Modify for Scheme {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let http = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The bot's API key"))
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme(SCHEME, SecurityScheme::Http(http));
    }
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $($code:ident),*;)*) => {
        $(
            $(#[$doc])*
            pub(super) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    responses(&[$(ProblemCode::$code),*])
                }
            }
        )*
    };
}

problems! {
    /// Of any call.
    CallProblems = InvalidRequest, Unauthorized, Internal, StoreUnavailable;
    /// Of a call that looks at one handover.
    ReadProblems = InvalidRequest, Unauthorized, NotFound, Internal, StoreUnavailable;
    EraseProblems = InvalidRequest, Unauthorized, NotFound, HandoverNotActive, Internal, StoreUnavailable;
    /// Of a call that fetches a file.
    DownloadProblems = Unauthorized, NotFound, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable, UpstreamTimeout, Internal,
        StoreUnavailable;
    /// Of a link to a file.
    LinkProblems = NotFound, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable, UpstreamTimeout, Internal, StoreUnavailable;
    CreateProblems = InvalidRequest, Unauthorized, HandoverExists, AgentsUnavailable, TenantNotProvisioned, IdempotencyInProgress, IdempotencyMismatch,
        PayloadTooLarge, UnsupportedMediaType, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable, UpstreamTimeout,
        StoreUnavailable, Internal;
    ReopenProblems = InvalidRequest, Unauthorized, NotFound, HandoverExists, HandoverEnded, HandoverNotActive, IdempotencyInProgress,
        IdempotencyMismatch, PayloadTooLarge, UnsupportedMediaType, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable,
        UpstreamTimeout, StoreUnavailable, Internal;
    UpdateProblems = InvalidRequest, Unauthorized, NotFound, HandoverEnded, HandoverNotActive, PayloadTooLarge, UnsupportedMediaType,
        RateLimited, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable, UpstreamTimeout, StoreUnavailable, Internal;
    HandBackProblems = InvalidRequest, Unauthorized, NotFound, HandoverEnded, HandoverNotActive, TenantNotProvisioned,
        IdempotencyInProgress, IdempotencyMismatch, PayloadTooLarge, UnsupportedMediaType, RateLimited, UpstreamRejected,
        UpstreamUnauthorized, UpstreamUnavailable, UpstreamTimeout, StoreUnavailable, Internal;
    ResendProblems = InvalidRequest, Unauthorized, NotFound, IdempotencyInProgress, IdempotencyMismatch, PayloadTooLarge,
        UnsupportedMediaType, UpstreamTimeout, StoreUnavailable, Internal;
    RecoverProblems = InvalidRequest, Unauthorized, IdempotencyInProgress, IdempotencyMismatch, PayloadTooLarge, UnsupportedMediaType,
        UpstreamTimeout, StoreUnavailable, Internal;
    /// Of a call that changes one handover and takes an idempotency key.
    CommandProblems = InvalidRequest, Unauthorized, NotFound, HandoverEnded, HandoverNotActive, IdempotencyInProgress,
        IdempotencyMismatch, PayloadTooLarge, UnsupportedMediaType, RateLimited, UpstreamRejected, UpstreamUnauthorized,
        UpstreamUnavailable, UpstreamTimeout, StoreUnavailable, Internal;
}

/// One response a status, which names its codes.
pub(super) fn responses(codes: &[ProblemCode]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    // Whoever needs a key may call too often.
    let is_limited = codes.contains(&ProblemCode::Unauthorized) && !codes.contains(&ProblemCode::RateLimited);
    for code in codes.iter().chain(is_limited.then_some(&ProblemCode::RateLimited)) {
        by_status.entry(code.status()).or_default().push(*code);
        match code {
            // JSON that does not parse.
            ProblemCode::InvalidRequest => by_status.entry(400).or_default().push(*code),
            // What 8x8 refuses because of the bot's data.
            ProblemCode::UpstreamRejected => by_status.entry(422).or_default().push(*code),
            _ => {}
        }
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), RefOr::T(response(status, &codes))))
        .collect()
}

fn response(status: u16, codes: &[ProblemCode]) -> Response {
    let described: Vec<_> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.title()))
        .collect();
    let examples = codes.iter().map(|code| {
        let problem = Problem::new(*code, code.title()).with_status(status);
        let value = serde_json::to_value(problem).unwrap_or_default();
        (
            code.as_str(),
            openapi::example::ExampleBuilder::new().value(Some(value)).build(),
        )
    });
    let mut content = Content::new(Some(Ref::from_schema_name("Problem")));
    content.examples = examples
        .map(|(name, example)| (name.to_owned(), RefOr::T(example)))
        .collect();
    openapi::ResponseBuilder::new()
        .description(described.join("\n\n"))
        .content(CONTENT_TYPE, content)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::VerifyError;

    #[test]
    fn every_call_of_the_bot_api_is_in_the_document_with_its_problems() {
        let document = serde_json::to_value(openapi()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for (path, method) in [
            ("/v1/handovers", "post"),
            ("/v1/handovers", "get"),
            ("/v1/handovers/{id}", "get"),
            ("/v1/handovers/{id}", "patch"),
            ("/v1/handovers/{id}/messages", "post"),
            ("/v1/handovers/{id}/typing", "post"),
            ("/v1/handovers/{id}/hand-back", "post"),
            ("/v1/handovers/{id}/thinking", "post"),
            ("/v1/handovers/{id}/read-receipt", "post"),
            ("/v1/handovers/{id}/end", "post"),
            ("/v1/handovers/{id}/reopen", "post"),
            ("/v1/handovers/{id}/attachments", "post"),
            ("/v1/handovers/{id}/attachments/{attachmentId}", "get"),
            ("/v1/handovers/{id}/events", "get"),
            ("/v1/handovers/{id}/content", "delete"),
            ("/v1/handovers/{id}/transcript", "get"),
            ("/v1/handovers/{id}/timeline", "get"),
            ("/v1/events", "get"),
            ("/v1/availability", "get"),
            ("/v1/deliveries", "get"),
            ("/v1/deliveries/{deliveryId}/resend", "post"),
            ("/v1/recover", "post"),
        ] {
            let operation = &document["paths"][path][method];
            assert!(
                operation["responses"]["401"]["content"][CONTENT_TYPE].is_object(),
                "{method} {path}"
            );
            assert!(
                operation["responses"]["429"]["content"][CONTENT_TYPE].is_object(),
                "{method} {path}"
            );
            assert_eq!(
                operation["security"][0]["botKey"],
                serde_json::json!([]),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn a_webhook_that_is_not_proven_has_its_codes_in_the_document() {
        let document = serde_json::to_value(openapi()).unwrap();
        for path in [
            "/webhooks/8x8",
            "/webhooks/8x8/{tenant}",
            "/webhooks/8x8/{tenant}/{pathSecret}",
        ] {
            let answer = &document["paths"][path]["post"]["responses"]["401"];
            for (code, _) in VerifyError::CODES {
                assert!(
                    answer["description"].as_str().unwrap().contains(&format!("`{code}`")),
                    "{path} {code}"
                );
            }
        }
    }

    /// Names as the schemas have them, wherever they stand; those of OAuth's are its own.
    fn names(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(fields) => {
                if let Some(properties) = fields.get("properties").and_then(serde_json::Value::as_object) {
                    found.extend(properties.keys().cloned());
                }
                fields.values().for_each(|value| names(value, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }

    #[test]
    fn names_in_the_document_are_those_on_the_wire() {
        let document = serde_json::to_value(openapi()).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let codes: Vec<&str> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(schemas["ProblemCode"]["enum"], serde_json::json!(codes));
        for (schema, value) in schemas.iter().filter(|(schema, _)| !schema.starts_with("Token")) {
            let mut found = Vec::new();
            names(value, &mut found);
            assert!(found.iter().all(|name| !name.contains('_')), "{schema}: {found:?}");
        }
    }

    #[test]
    fn what_may_be_of_several_types_is_so_in_the_document() {
        let document = serde_json::to_value(openapi()).unwrap();
        let schemas = &document["components"]["schemas"];
        let read_at = &schemas["ReadReceipt"]["properties"]["readAt"]["type"];
        assert_eq!(*read_at, serde_json::json!(["string", "integer", "null"]));
        let property = &schemas["Property"];
        assert!(property["properties"]["id"].get("type").is_none(), "{property}");
        assert_eq!(property["required"], serde_json::json!(["key", "value"]));
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        let document = openapi();
        let text = document.to_json().unwrap();
        let schemas = document.components.unwrap().schemas;
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
    }
}
