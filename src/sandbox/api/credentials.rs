//! What each API of 8x8 asks for: a key, a token, or a name and password, and the tenant under one of two names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};

use crate::sandbox::problem::Problem;
use crate::sandbox::state::State;

#[derive(Clone, Copy)]
pub(super) enum Proof {
    Nothing,
    /// `x-api-key` or a bearer token, and `X-8x8-Tenant` where it comes.
    Key,
    /// The tenant's name and the Data Request Token.
    DataToken,
    /// The key and secret of an app.
    Client,
    /// What the client got for them, and `X-Tenant-Info`.
    Bearer,
}

impl Proof {
    pub(super) fn of(operation: &str) -> Self {
        match operation {
            "jwk" => Self::Nothing,
            "cluster-schedules" | "cluster-schedule-status" | "cluster-stats" => Self::DataToken,
            "token" => Self::Client,
            "analytics-queues" | "analytics-queue" | "analytics-agents" => Self::Bearer,
            _ => Self::Key,
        }
    }

    pub(super) fn check(self, shared: &State, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let authorization = text(header::AUTHORIZATION.as_str()).unwrap_or_default();
        let options = &shared.options;
        let is_known = |token: &str| options.bearer_tokens.iter().any(|known| known == token);
        let is_key = |key: &str| key == options.api_key || options.more_api_keys.iter().any(|known| known == key);
        let has_token = authorization.strip_prefix("Bearer ").is_some_and(is_known);
        match self {
            Self::Nothing => Ok(()),
            Self::Key if !text("x-api-key").is_some_and(is_key) && !has_token => Err(Problem::unauthorized()),
            Self::Key if text("x-8x8-tenant").is_some_and(|tenant| tenant != options.tenant_id) => {
                Err(Problem::wrong_tenant())
            }
            Self::Key => Ok(()),
            Self::DataToken => is_basic(authorization, &options.tenant_id, &options.data_token),
            Self::Client => is_basic(authorization, &options.analytics_key, &options.analytics_secret),
            Self::Bearer => {
                let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
                if !shared.centre().accepts(token) {
                    return Err(Problem::message(StatusCode::UNAUTHORIZED, "Unauthorized"));
                }
                let bad = |message| Err(Problem::message(StatusCode::BAD_REQUEST, message));
                match text("x-tenant-info") {
                    None => bad("Bad request: X-Tenant-Info header is missing."),
                    Some(tenant) if tenant != options.tenant_id => {
                        bad("Bad request: Invalid value for X-Tenant-Info header.")
                    }
                    Some(_) => Ok(()),
                }
            }
        }
    }
}

fn is_basic(authorization: &str, user: &str, password: &str) -> Result<(), Problem> {
    let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    if authorization == expected {
        Ok(())
    } else {
        Err(Problem::unauthorized())
    }
}
