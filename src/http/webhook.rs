//! What 8x8 calls: three families of addresses, one way in. Nothing is answered with 204 that is not durable.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::FromRequest as _;
use axum::extract::Path;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::HeaderMap;
use axum::routing::post;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::domain::AccountId;
use crate::domain::TenantName;
use crate::domain::WebhookHeaders;
use crate::domain::WebhookReceipt;
use crate::handovers::Applied;
use crate::handovers::ApplyError;
use crate::handovers::Handovers;
use crate::http::metrics::HttpMetrics;
use crate::http::problem::chain;
use crate::http::tokens::Peer;
use crate::http::tokens::Tokens;
use crate::http::webhook_answer::WebhookAnswer;
use crate::http::webhook_answer::WebhookProblems;
use crate::http::webhook_guard::WebhookGuard;
use crate::provisioning::Standing;
use crate::store::StoreError;
use crate::webhook::Decoded;
use crate::webhook::Issued;
use crate::webhook::PathSecrets;
use crate::webhook::Requirement;
use crate::webhook::SecondFactor;
use crate::webhook::Signed;
use crate::webhook::Verifier;
use crate::webhook::VerifyError;
use crate::webhook::WebhookSettings;
use crate::webhook::claimed_account;
use crate::webhook::decode;
use crate::webhook::is_hello;
use crate::webhook::passed_headers;

/// In the route template of an address that ends in a secret.
pub(super) const PATH_SECRET: &str = "{pathSecret}";
/// Where the documented addresses begin.
const FAMILY: &str = "/webhooks/8x8";
/// Where those begin that others speak.
const OTHER_FAMILIES: [&str; 2] = ["/handover/eightByEight", "/v1/liveAgent/receiveMessage"];

#[derive(Clone)]
pub struct WebhookState {
    pub routes: Arc<BTreeMap<TenantName, WebhookRoute>>,
    pub handovers: Arc<Handovers>,
    pub clock: Clock,
    pub metrics: HttpMetrics,
    pub tokens: Tokens,
    pub guard: WebhookGuard,
}

/// How one tenant's webhooks are looked at.
#[derive(Clone)]
pub struct WebhookRoute {
    standing: Standing,
    tenant: TenantName,
    account: AccountId,
    verifier: Verifier,
    path_secrets: PathSecrets,
    second_factor: SecondFactor,
    keeps_headers: bool,
}

impl WebhookRoute {
    pub fn new(standing: Standing, account: AccountId, verifier: Verifier, settings: &WebhookSettings) -> Self {
        let (path_secrets, second_factor) = (PathSecrets::new(settings), SecondFactor::new(settings));
        Self {
            tenant: standing.tenant().clone(),
            standing,
            account,
            verifier,
            path_secrets,
            second_factor,
            keeps_headers: settings.keeps_headers,
        }
    }

    async fn prove(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        from: IpAddr,
        state: &WebhookState,
    ) -> Result<Signed, VerifyError> {
        self.second_factor.app_token(headers)?;
        let issued = self.issued(headers, &state.tokens).await?;
        if !self.second_factor.requires(Requirement::Signature) {
            let account = self.account.clone();
            return self
                .second_factor
                .vouch(headers, body, (account, issued), state.clock.now());
        }
        self.second_factor.bearer(headers, issued)?;
        let (now, may_fetch) = (state.clock.wall(), || state.guard.may_fetch(from));
        let signed = self.verifier.verify_for(headers, body, now, &may_fetch).await?;
        state.guard.timely(signed.transmission_time(), now);
        Ok(signed)
    }

    /// 8x8's own, where somebody is to get the webhook as it came.
    fn headers_to_keep(&self, headers: &HeaderMap) -> WebhookHeaders {
        if self.keeps_headers {
            passed_headers(headers)
        } else {
            WebhookHeaders::default()
        }
    }

    /// Asks only for a token that is required and not one of the configured.
    async fn issued(&self, headers: &HeaderMap, tokens: &Tokens) -> Result<Issued, VerifyError> {
        let Some(token) = self.second_factor.unknown_bearer(headers) else {
            return Ok(Issued::No);
        };
        match tokens.admit(&self.tenant, token).await {
            Ok(true) => Ok(Issued::Here),
            Ok(false) => Ok(Issued::No),
            Err(error) => {
                tracing::error!(error = chain(&error), "a webhook's bearer token could not be looked up");
                Err(VerifyError::TokensUnavailable)
            }
        }
    }
}

/// Receive a webhook
///
/// The tenant is the one whose 8x8 tenant id the signed `x-8x8-tenant-id` names. Also at `/handover/eightByEight` and
/// `/v1/liveAgent/receiveMessage`.
#[utoipa::path(post, path = "/webhooks/8x8", tag = "webhooks", operation_id = "receiveWebhook",
    request_body(content = Object, description = "one event, as 8x8 signs it"), responses(WebhookProblems))]
async fn at_root(State(state): State<WebhookState>, request: Request) -> WebhookAnswer {
    let claimed = claimed_account(request.headers());
    let open = || state.routes.values().filter(|route| route.path_secrets.admit(None));
    let of_claimed = |route: &&WebhookRoute| claimed.as_ref().is_none_or(|account| *account == route.account);
    let right: Vec<_> = open().filter(of_claimed).collect();
    let is_known = claimed
        .as_ref()
        .is_some_and(|account| state.routes.values().any(|route| route.account == *account));
    let none = if is_known || open().next().is_none() {
        Nobody::WrongPath
    } else {
        Nobody::OtherTenant
    };
    state.receive(&right, none, request).await
}

/// Receive a webhook of a tenant
///
/// Also at `/handover/eightByEight/{tenant}` and `/v1/liveAgent/receiveMessage/{tenant}`.
#[utoipa::path(post, path = "/webhooks/8x8/{tenant}", tag = "webhooks", operation_id = "receiveTenantWebhook",
    params(("tenant" = String, Path, description = "a tenant as configured")),
    request_body(content = Object, description = "one event, as 8x8 signs it"), responses(WebhookProblems))]
async fn of_tenant(
    State(state): State<WebhookState>,
    tenant: Result<Path<String>, PathRejection>,
    request: Request,
) -> WebhookAnswer {
    let route = tenant.ok().and_then(|Path(tenant)| state.route(&tenant, None));
    state.receive(route.as_slice(), Nobody::WrongPath, request).await
}

/// Receive a webhook at a tenant's secret address
///
/// Once a tenant has path secrets, every other address refuses its webhooks. Also at
/// `/handover/eightByEight/{tenant}/{pathSecret}` and `/v1/liveAgent/receiveMessage/{tenant}/{pathSecret}`.
#[utoipa::path(post, path = "/webhooks/8x8/{tenant}/{pathSecret}", tag = "webhooks", operation_id = "receiveSecretWebhook",
    params(("tenant" = String, Path, description = "a tenant as configured"), ("pathSecret" = String, Path, description = "one of its path secrets")),
    request_body(content = Object, description = "one event, as 8x8 signs it"), responses(WebhookProblems))]
async fn with_secret(
    State(state): State<WebhookState>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> WebhookAnswer {
    let route = path
        .ok()
        .and_then(|Path((tenant, secret))| state.route(&tenant, Some(&secret)));
    state.receive(route.as_slice(), Nobody::WrongPath, request).await
}

pub(super) fn routes() -> OpenApiRouter<WebhookState> {
    let mut router = documented();
    for family in OTHER_FAMILIES {
        router = router
            .route(family, post(at_root))
            .route(&format!("{family}/{{tenant}}"), post(of_tenant))
            .route(&format!("{family}/{{tenant}}/{PATH_SECRET}"), post(with_secret));
    }
    router
}

/// Whether a path looks like a webhook's address, right or wrong, also behind a prefix that a proxy should have taken off.
pub(super) fn is_under(path: &str) -> bool {
    OTHER_FAMILIES
        .into_iter()
        .chain([FAMILY])
        .any(|family| path.contains(family))
}

/// What the OpenAPI document says of them.
pub(super) fn paths() -> OpenApi {
    documented().into_openapi()
}

fn documented() -> OpenApiRouter<WebhookState> {
    OpenApiRouter::new()
        .routes(routes!(at_root))
        .routes(routes!(of_tenant))
        .routes(routes!(with_secret))
}

/// Why no tenant takes a webhook.
#[derive(Clone, Copy)]
enum Nobody {
    WrongPath,
    OtherTenant,
}

impl WebhookState {
    /// The tenant of a path, when the path is the right one for it.
    fn route(&self, tenant: &str, secret: Option<&str>) -> Option<&WebhookRoute> {
        self.routes
            .get(&TenantName::new(tenant))
            .filter(|route| route.path_secrets.admit(secret))
    }

    async fn receive(&self, routes: &[&WebhookRoute], nobody: Nobody, request: Request) -> WebhookAnswer {
        let answer = self.read(routes, nobody, request).await;
        if answer.is_refusal() {
            // Whose it would have been is not known where no path fits: it may have been anybody's.
            let all: Vec<_> = self.routes.values().collect();
            for route in if routes.is_empty() { &all } else { routes } {
                route.standing.refused_webhook();
            }
        }
        self.metrics.webhook(answer.outcome());
        answer
    }

    /// At a wrong address nobody waits for a body.
    async fn read(&self, routes: &[&WebhookRoute], nobody: Nobody, request: Request) -> WebhookAnswer {
        if routes.is_empty() && matches!(nobody, Nobody::WrongPath) {
            return WebhookAnswer::WrongPath;
        }
        let headers = request.headers().clone();
        let from = Peer::of(request.extensions()).origin(&headers, self.tokens.trusted_proxies());
        match Bytes::from_request(request, &()).await {
            Ok(body) => self.answer(routes, nobody, (from, &headers), body).await,
            Err(rejection) => WebhookAnswer::unreadable(rejection),
        }
    }

    async fn answer(
        &self,
        routes: &[&WebhookRoute],
        nobody: Nobody,
        (from, headers): (IpAddr, &HeaderMap),
        body: Bytes,
    ) -> WebhookAnswer {
        match (routes.is_empty(), nobody, is_hello(&body)) {
            (true, Nobody::WrongPath, _) | (true, Nobody::OtherTenant, true) => return WebhookAnswer::WrongPath,
            (true, Nobody::OtherTenant, false) => return self.guard.unproven(&body, "other-tenant"),
            (false, _, true) => {
                let now = self.clock.now();
                for route in routes {
                    route.standing.heard_verify(now);
                }
                return WebhookAnswer::Hello;
            }
            (false, _, false) => {}
        }
        if claimed_account(headers).is_none() && routes.len() > 1 {
            return self.guard.unproven(&body, "missing-header");
        }
        // Several tenants may share an 8x8 tenant id; any of them may take it.
        let mut last = "other-tenant";
        for route in routes {
            match route.prove(headers, body.clone(), from, self).await {
                Ok(signed) => {
                    route.standing.heard_webhook(self.clock.now());
                    return self.take(&signed, route.headers_to_keep(headers)).await;
                }
                Err(VerifyError::KeysUnavailable) => return WebhookAnswer::KeysUnavailable,
                Err(VerifyError::TokensUnavailable) => return WebhookAnswer::NotRecorded,
                Err(VerifyError::Unproven(code)) => last = code,
                Err(VerifyError::Untimely(sent_at)) => {
                    let fault = self.guard.untimely(sent_at, self.clock.wall());
                    return fault.unwrap_or_else(|| self.guard.stale(&body));
                }
            }
        }
        self.guard.unproven(&body, last)
    }

    async fn take(&self, signed: &Signed, headers: WebhookHeaders) -> WebhookAnswer {
        let receipt = |conversation| WebhookReceipt {
            headers: headers.clone(),
            ..signed.receipt(conversation, self.clock.now())
        };
        failpoint!("webhook.verified");
        let applied = match decode(signed) {
            Decoded::Verify => return WebhookAnswer::Hello,
            Decoded::Event(event) => {
                let receipt = receipt(Some(event.conversation.clone()));
                self.handovers.apply(*event, receipt).await
            }
            Decoded::Unreadable(why) => {
                tracing::error!(
                    event.id = signed.event_id(),
                    why,
                    "a proven webhook cannot be read, it is kept aside"
                );
                match self.handovers.keep_unread(receipt(None)).await {
                    Ok(Applied::Kept | Applied::Recorded) => return WebhookAnswer::Unreadable,
                    other => other,
                }
            }
        };
        failpoint!("webhook.before_204");
        failpoint!("webhook.after_204", later);
        answer_to(signed, applied)
    }
}

fn answer_to(signed: &Signed, applied: Result<Applied, ApplyError>) -> WebhookAnswer {
    match applied {
        Ok(Applied::Recorded) => WebhookAnswer::Recorded,
        Ok(Applied::Kept) => WebhookAnswer::Kept,
        Ok(Applied::Repeated { same_body: true }) => WebhookAnswer::Repeated,
        Ok(Applied::Repeated { same_body: false }) => {
            tracing::error!(
                event.id = signed.event_id(),
                "a webhook came again under its id with another body, the first is kept"
            );
            WebhookAnswer::Conflicting
        }
        Err(ApplyError::Store(StoreError::Full)) => {
            // The store says once that its disk is full; a line a webhook would help to fill it.
            tracing::debug!(
                event.id = signed.event_id(),
                "a webhook found no room in the store, 8x8 is to repeat it"
            );
            WebhookAnswer::NotRecorded
        }
        Err(error) => {
            tracing::error!(
                event.id = signed.event_id(),
                error = chain(&error),
                "a webhook could not be recorded, 8x8 is to repeat it"
            );
            WebhookAnswer::NotRecorded
        }
    }
}
