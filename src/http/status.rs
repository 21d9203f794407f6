//! What the operator's port tells of the tenants, for `doctor` and `provision` and whoever watches; no secret is in it.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::Json;
use axum::Router;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::uri::Authority;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::Notify;

use crate::domain::ConversationId;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::http::ReloadWishes;
use crate::http::audit_log;
use crate::http::extract::sha256;
use crate::http::problem::refused;
use crate::http::reload;
use crate::problem::ProblemCode;
use crate::provisioning::Snapshot;
use crate::provisioning::Standing;
use crate::store::Store;
use crate::store::StoreError;

#[derive(Clone)]
pub struct StatusState {
    pub tenants: Vec<Standing>,
    pub store: Arc<dyn Store>,
    pub tokens: AdminTokens,
    /// Wakes the task that looks at 8x8 for the tenants' channels.
    pub look: Arc<Notify>,
    pub reload: ReloadWishes,
}

/// SHA-256 hashes of the operator's tokens. Without any, whoever reaches the port may ask.
#[derive(Clone, Debug, Default)]
pub struct AdminTokens(Arc<[[u8; 32]]>);

impl AdminTokens {
    pub fn new(tokens: &[SecretString]) -> Self {
        Self(
            tokens
                .iter()
                .map(|token| sha256(token.expose_secret().trim().as_bytes()))
                .collect(),
        )
    }

    /// Looks at every hash, whether or not one fits already.
    fn admit(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        let hash = sha256(token.trim().as_bytes());
        let fits = |known: &&[u8; 32]| constant_time::verify_slices_are_equal(*known, &hash).is_ok();
        self.0.is_empty() || self.0.iter().filter(fits).count() > 0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// Also tell how many webhooks of this conversation wait for a handover.
    conversation_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: &'static str,
    tenants: Vec<TenantStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhooks_waiting: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TenantStatus {
    tenant: TenantName,
    /// `configured`, `found` or `none`.
    channel: &'static str,
    channel_id: Option<String>,
    webhook_id: Option<String>,
    #[serde(serialize_with = "Timestamp::rfc3339_option")]
    last_verify_at: Option<Timestamp>,
    #[serde(serialize_with = "Timestamp::rfc3339_option")]
    last_webhook_at: Option<Timestamp>,
    /// Since then.
    webhooks_refused: u64,
    /// Live ones no webhook came for: they are kept up by polling.
    handovers_without_webhooks: usize,
}

impl From<Snapshot> for TenantStatus {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            channel: match (snapshot.is_configured, &snapshot.channel_id) {
                (true, _) => "configured",
                (false, Some(_)) => "found",
                (false, None) => "none",
            },
            tenant: snapshot.tenant,
            channel_id: snapshot.channel_id,
            webhook_id: snapshot.webhook_id,
            last_verify_at: snapshot.last_verify_at,
            last_webhook_at: snapshot.last_webhook_at,
            webhooks_refused: snapshot.webhooks_refused,
            handovers_without_webhooks: snapshot.handovers_without_webhooks,
        }
    }
}

pub(super) fn routes(state: StatusState) -> Router {
    let admitted = middleware::from_fn_with_state(state.tokens.clone(), admitted);
    Router::new()
        .route("/status", get(status))
        .route("/audit", get(audit_log::audit_log))
        .route("/tenants/look", post(look))
        .route("/reload", post(reload::reload))
        .route_layer(admitted)
        .with_state(state)
}

/// A browser names the page a request comes from, but where it takes the page for one of ours: a name of the page's own may
/// lead to this machine, and then it is that name it asks for.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    headers.contains_key(header::ORIGIN) || hosts.any(|host| !is_this_machine(host.as_bytes()))
}

/// Nobody else can make these lead here.
fn is_this_machine(host: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(host) else {
        return false;
    };
    let name = authority.host();
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    literal.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

/// Without tokens any page that somebody on this machine looks at could ask, whatever it sends in the place of a token; with
/// them none can.
async fn admitted(State(tokens): State<AdminTokens>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let missing = if tokens.0.is_empty() {
        let detail =
            "a web page, or whoever asks for this machine by a name other than localhost, needs one of admin.tokens";
        is_of_a_page(headers).then_some(detail)
    } else {
        let detail = "send one of admin.tokens as `Authorization: Bearer <token>`";
        (!tokens.admit(headers)).then_some(detail)
    };
    match missing {
        None => next.run(request).await,
        Some(detail) => refused(ProblemCode::Unauthorized, detail).into_response(),
    }
}

async fn status(State(state): State<StatusState>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let conversation = asked
        .ok()
        .and_then(|Query(asked)| ConversationId::parse(&asked.conversation_id?));
    let waiting = match &conversation {
        Some(conversation) => match state.waiting(conversation).await {
            Ok(waiting) => Some(waiting),
            Err(_) => return refused(ProblemCode::StoreUnavailable, "the store cannot be read now").into_response(),
        },
        None => None,
    };
    let tenants = state.tenants.iter().map(|standing| standing.snapshot().into());
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        tenants: tenants.collect(),
        webhooks_waiting: waiting,
    };
    Json(status).into_response()
}

/// Something changed at 8x8: the tenants' channels are looked at now.
async fn look(State(state): State<StatusState>) -> StatusCode {
    state.look.notify_one();
    StatusCode::ACCEPTED
}

impl StatusState {
    /// Two tenants may be one account: it is counted once.
    async fn waiting(&self, conversation: &ConversationId) -> Result<usize, StoreError> {
        let mut accounts: Vec<_> = self
            .tenants
            .iter()
            .map(|standing| standing.snapshot().account)
            .collect();
        accounts.sort();
        accounts.dedup();
        let mut waiting = 0;
        for account in accounts {
            waiting += self.store.unplaced(&account, conversation).await?.len();
        }
        Ok(waiting)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn any_of_the_tokens_admits_and_without_tokens_everybody() {
        let with =
            |value: &'static str| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
        let tokens = AdminTokens::new(&[
            "one-of-the-tokens".to_owned().into(),
            "another-token\n".to_owned().into(),
        ]);
        assert!(tokens.admit(&with("Bearer one-of-the-tokens")));
        assert!(tokens.admit(&with("Bearer another-token")));
        for wrong in ["Bearer ", "Bearer one-of-the-token", "one-of-the-tokens"] {
            assert!(!tokens.admit(&with(wrong)), "{wrong}");
        }
        assert!(!tokens.admit(&HeaderMap::new()));
        assert!(AdminTokens::default().admit(&HeaderMap::new()));
    }

    #[test]
    fn a_page_whose_name_leads_here_is_a_page() {
        let host = |host: &'static str| HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        for ours in [
            "127.0.0.1:9090",
            "localhost:9090",
            "LOCALHOST",
            "[::1]:9090",
            "10.0.0.7",
        ] {
            assert!(!is_of_a_page(&host(ours)), "{ours}");
        }
        for name in [
            "evil.example.com:9090",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "",
            "a b",
        ] {
            assert!(is_of_a_page(&host(name)), "{name}");
        }
        assert!(!is_of_a_page(&HeaderMap::new()), "a browser always names the host");
    }
}
