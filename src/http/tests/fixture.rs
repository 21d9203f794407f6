//! One gateway without its ports, and an 8x8 that takes everything but the queue `unknown`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::Request;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http_body_util::BodyExt as _;
use prometheus_client::registry::Registry;
use serde_json::Value;
use serde_json::json;
use tower::ServiceExt as _;
use url::Url;

use crate::attachment_links::AttachmentLinks;
use crate::availability::Availability;
use crate::bus::Bus;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewaySettings;
use crate::chat_gateway::KeySource;
use crate::chat_gateway::KeySourceSettings;
use crate::clock::Clock;
use crate::delivery::CallbackFormat;
use crate::delivery::Ephemerals;
use crate::delivery::Wake;
use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::TenantName;
use crate::handovers::AgentNames;
use crate::handovers::AttachmentRules;
use crate::handovers::Bot;
use crate::handovers::Duplicate;
use crate::handovers::HandoverMetrics;
use crate::handovers::Handovers;
use crate::handovers::Parts;
use crate::handovers::Tenant;
use crate::handovers::Tenants;
use crate::http::ApiLimits;
use crate::http::ApiState;
use crate::http::BotKeys;
use crate::http::CheckCallbackUrl;
use crate::http::HttpMetrics;
use crate::http::PublicLimits;
use crate::http::RunningKeys;
use crate::http::Tokens;
use crate::http::WebhookGuard;
use crate::http::WebhookRoute;
use crate::http::WebhookState;
use crate::http::extract::sha256;
use crate::http::public_router;
use crate::outbound;
use crate::outbound::AddressPolicy;
use crate::outbound::Fetcher;
use crate::outbound::OutboundSettings;
use crate::provisioning::Standing;
use crate::redaction::Redactor;
use crate::store::StoreSettings;
use crate::store::sqlite::SqliteStore;
use crate::supervisor::Supervisor;
use crate::webhook::Verifier;
use crate::webhook::WebhookSettings;

pub(super) struct Gateway {
    router: Router,
    pub(super) supervisor: Supervisor,
    pub(super) handovers: Arc<Handovers>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.header("content-type")),
            (status, Some("application/problem+json")),
            "{}",
            self.text
        );
        assert_eq!(self.json()["code"], code, "{}", self.text);
        assert_eq!(self.json()["type"], format!("urn:handover-gateway:problem:{code}"));
    }
}

pub(super) struct Stream(Body);

impl Stream {
    /// The next message; each is written at once.
    pub(super) async fn next(&mut self) -> Option<String> {
        let frame = tokio::time::timeout(Duration::from_secs(10), self.0.frame())
            .await
            .unwrap()?;
        Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    }
}

impl Gateway {
    pub(super) async fn start() -> Self {
        Self::answering_within(Duration::from_secs(20)).await
    }

    pub(super) async fn answering_within(request: Duration) -> Self {
        let supervisor = Supervisor::new();
        let eight = base_url(&supervisor).await;
        Self::over("sqlite::memory:", &eight, supervisor, request)
    }

    /// One with a store and an 8x8 that may have been there before.
    pub(super) fn over(store: &str, eight: &Url, supervisor: Supervisor, request: Duration) -> Self {
        let tenant = tenant(eight);
        let bots = [bot("support", &tenant), bot("other", &tenant)];
        let clock = Clock::system();
        let settings = StoreSettings {
            url: store.to_owned(),
            retention: Duration::from_hours(24),
            content_retention: Duration::from_hours(24),
        };
        let wake = Wake::new();
        let bus = Bus::new(bots.iter().map(|bot| bot.name.clone()));
        let handovers = Handovers::new(Parts {
            store: Arc::new(SqliteStore::open(&settings, clock.clone()).unwrap()),
            tenants: Tenants::new([tenant], bots.iter().cloned()),
            clock: clock.clone(),
            supervisor: supervisor.clone(),
            links: AttachmentLinks::new(&[7; 32], None),
            bus: bus.clone(),
            ephemerals: Ephemerals::new(wake.clone()),
            wake,
            metrics: HandoverMetrics::default(),
        });
        let metrics = HttpMetrics::new(&mut Registry::default());
        let webhooks = WebhookState {
            routes: Arc::new(webhook_routes(&clock)),
            handovers: Arc::clone(&handovers),
            clock: clock.clone(),
            metrics: metrics.clone(),
            guard: WebhookGuard::new(metrics.clone()),
            tokens: Tokens::new(Arc::clone(handovers.store()), clock.clone(), Vec::new(), Vec::new()),
        };
        let api = ApiState {
            handovers: Arc::clone(&handovers),
            keys: BotKeys::new(
                bots.iter()
                    .map(|bot| (Arc::clone(bot), vec![sha256(format!("key-{}", bot.name).as_bytes())]))
                    .collect(),
            ),
            limits: ApiLimits::new(1000, 1000),
            bus,
            clock,
            supervisor: supervisor.clone(),
            running: RunningKeys::default(),
            callback_urls: CheckCallbackUrl::new(|_bot, _url| Err("is not for this bot".to_owned())),
            pause: request,
        };
        let limits = PublicLimits {
            body: 4096 * 4,
            request,
        };
        Self {
            router: public_router(api, webhooks, limits, metrics),
            supervisor,
            handovers,
        }
    }

    /// A call of the bot `support`.
    pub(super) async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call_with(method, path, body, &[]).await
    }

    pub(super) async fn call_with(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        read(self.respond(method, path, body, headers).await).await
    }

    /// A call of the bot `support` whose body never comes to its end.
    pub(super) async fn call_endlessly(&self, method: &str, path: &str) -> Answer {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        read(self.send(method, path, body, &[]).await).await
    }

    /// A stream of the bot `support`.
    pub(super) async fn stream(&self, path: &str) -> Stream {
        let response = self.respond("GET", path, "", &[("accept", "text/event-stream")]).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream(response.into_body())
    }

    async fn respond(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Response {
        self.send(method, path, Body::from(body.to_owned()), headers).await
    }

    async fn send(&self, method: &str, path: &str, body: Body, headers: &[(&str, &str)]) -> Response {
        let common = [
            ("authorization", "Bearer key-support"),
            ("content-type", "application/json"),
        ];
        let common = common
            .iter()
            .filter(|(name, _)| !headers.iter().any(|(own, _)| own == name));
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in common.chain(headers) {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// A handover that 8x8 took; its path.
    pub(super) async fn opened(&self) -> String {
        let answer = self.call("POST", "/v1/handovers", r#"{"user":{"name":"James"}}"#).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.header("location").unwrap().to_owned()
    }
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

async fn base_url(supervisor: &Supervisor) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    supervisor.run(async move {
        axum::serve(listener, Router::new().fallback(eight_by_eight))
            .await
            .unwrap();
    });
    url.parse().unwrap()
}

async fn eight_by_eight(uri: Uri, body: Bytes) -> Response {
    if !uri.path().ends_with("/conversations") {
        return StatusCode::NO_CONTENT.into_response();
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    if body["assignment"]["id"] == "unknown" {
        return (StatusCode::BAD_REQUEST, Json(json!({"message": "no such queue"}))).into_response();
    }
    let own = &body["user"]["additionalProperties"][0]["value"];
    (StatusCode::ACCEPTED, Json(json!({ "conversationId": own }))).into_response()
}

pub(in crate::http) fn tenant(base_url: &Url) -> Arc<Tenant> {
    let gateway = ChatGatewaySettings {
        base_url: base_url.clone(),
        tenant_id: Some("acme-8x8".to_owned()),
        api_keys: vec!["key".into()],
        call_timeout: Duration::from_secs(5),
    };
    let client = outbound::for_chat_gateway(&OutboundSettings::default()).unwrap();
    Arc::new(Tenant {
        name: TenantName::new("acme"),
        account: AccountId::new("acme-8x8"),
        chat_gateway: ChatGateway::new(client, &gateway).unwrap(),
        channel_id: Some("ch-1".to_owned()),
        standing: Standing::new(
            TenantName::new("acme"),
            AccountId::new("acme-8x8"),
            Some("ch-1".to_owned()),
        ),
        queue_id: Some("101".to_owned()),
        queue_names: std::collections::HashMap::new(),
        queue_rules: std::collections::HashMap::new(),
        transfer_grace: Duration::from_secs(10),
        reconcile_after: Duration::from_mins(5),
        message_limit: 4000,
        send_wait: Duration::from_secs(5),
        message_deadline: Duration::from_mins(2),
        availability: Arc::new(Availability::default()),
        redactor: Redactor::default(),
        attachments: AttachmentRules {
            limit: 1024,
            types: Vec::new(),
        },
    })
}

pub(in crate::http) fn bot(name: &str, tenant: &Arc<Tenant>) -> Arc<Bot> {
    Arc::new(Bot {
        name: BotName::new(name),
        tenant: Arc::clone(tenant),
        channel_id: None,
        queue_id: None,
        hears_messages: true,
        is_called_back: false,
        fetcher: Fetcher::new(&OutboundSettings::default(), AddressPolicy::default()).unwrap(),
        format: CallbackFormat::Native,
        duplicate: Duplicate::Reject,
        queue_timeout: None,
        idle_timeout: None,
        max_age: Duration::from_hours(24),
        inbound_channels: Vec::new(),
        accept_conversation_active: false,
        copilot: None,
        agent_names: AgentNames::Full,
    })
}

/// `acme` has no path secret, `globex` has one.
fn webhook_routes(clock: &Clock) -> BTreeMap<TenantName, WebhookRoute> {
    let route = |account: &str, path_secrets| {
        let source = KeySourceSettings {
            base_url: "http://127.0.0.1:9/".parse().unwrap(),
            tenant_id: None,
            jwk_fallback_url: None,
        };
        let client = outbound::for_chat_gateway(&OutboundSettings::default()).unwrap();
        let keys = Arc::new(KeySource::new(client, &source, clock.clone()).unwrap());
        let account = AccountId::new(account);
        let verifier = Verifier::new(keys, vec![account.clone()], Duration::from_mins(5));
        let standing = Standing::new(TenantName::new("acme"), account.clone(), None);
        WebhookRoute::new(
            standing,
            account,
            verifier,
            &WebhookSettings {
                path_secrets,
                ..WebhookSettings::default()
            },
        )
    };
    [
        ("acme", route("acme-8x8", Vec::new())),
        ("globex", route("globex-8x8", vec!["s3cret".into()])),
    ]
    .map(|(name, route)| (TenantName::new(name), route))
    .into()
}
