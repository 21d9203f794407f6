//! What a sandbox can be told before it starts.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

/// The account, the scripted agents and the limits of one sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    pub api_key: String,
    /// Other keys of the account: a key is changed by making another before the old one is deleted.
    pub more_api_keys: Vec<String>,
    /// Accepted as `Authorization: Bearer` in the place of the key, for accounts that are said to have it.
    pub bearer_tokens: Vec<String>,
    pub tenant_id: String,
    pub customer_id: String,
    /// Where the first webhook points. It can be set later with `POST /sandbox/webhook`.
    pub webhook_url: Option<Url>,
    /// Added to every webhook event, as a load balancer on the way would; 8x8 itself cannot.
    pub webhook_headers: Vec<(String, String)>,
    /// `Chat Gateway v1.0` (nested events) or `v2.0` (flat events).
    pub webhook_version: String,
    pub channel_id: String,
    /// Queue ids and names. The channel routes to the first.
    pub queues: Vec<(String, String)>,
    /// Schedule ids and names; open until told otherwise.
    pub schedules: Vec<(String, String)>,
    /// Agent ids and names, as the analytics list them.
    pub agents: Vec<(String, String)>,
    /// The Data Request Token: the password of the clusters' schedules and statistics, beside the tenant's name.
    pub data_token: String,
    /// Key and secret of an app that may ask for analytics.
    pub analytics_key: String,
    pub analytics_secret: String,
    /// How long a token for analytics lives; whole seconds.
    pub token_life: Duration,
    /// Where analytics are served: `us`, `eu`, `au` or `ca`.
    pub region: String,
    pub script: Script,
    /// Waits between the attempts at one webhook event; when they are used up the event is given up.
    pub retry_schedule: Vec<Duration>,
    /// How long one webhook call may take.
    pub answer_limit: Duration,
    /// How long a `hang` fault keeps a caller waiting before the connection is closed.
    pub hang_limit: Duration,
    /// Entries each ledger keeps; the oldest go first.
    pub ledger_limit: usize,
    /// Webhooks must be written with `notificationVersion`, as the documentation's list of required fields says.
    pub require_notification_version: bool,
    /// Whether lists of messages leave out attachments and cards, and a single message its cards.
    pub lean_messages: bool,
    /// How far the clock of the `Date` header is ahead, in seconds.
    pub clock_ahead: i64,
}

/// What the agents do without being told through the control API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Nothing: conversations queue and wait for the control API.
    Manual,
    /// An agent joins, greets, answers, transfers on "transfer" and says goodbye on "bye".
    Helpful(Pace),
}

/// How fast helpful agents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From queued to joined.
    pub join: Duration,
    /// From a message to the first key stroke.
    pub think: Duration,
    /// From the first key stroke to the answer.
    pub typing: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            join: Duration::from_millis(1500),
            think: Duration::from_millis(400),
            typing: Duration::from_millis(1200),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_key: "eght_sandbox".to_owned(),
            bearer_tokens: Vec::new(),
            tenant_id: "sandbox-tenant".to_owned(),
            customer_id: "sandbox-customer".to_owned(),
            webhook_url: None,
            more_api_keys: Vec::new(),
            webhook_headers: Vec::new(),
            webhook_version: "Chat Gateway v1.0".to_owned(),
            channel_id: "sandbox-channel".to_owned(),
            queues: vec![
                ("101".to_owned(), "Support".to_owned()),
                ("102".to_owned(), "Billing".to_owned()),
            ],
            schedules: vec![("122".to_owned(), "Default Schedule".to_owned())],
            agents: vec![
                ("agent-1".to_owned(), "Ada Agent".to_owned()),
                ("agent-2".to_owned(), "Grace Agent".to_owned()),
            ],
            data_token: "sandbox-data-token".to_owned(),
            analytics_key: "eght_sandbox_analytics".to_owned(),
            analytics_secret: "sandbox-secret".to_owned(),
            token_life: Duration::from_secs(1799),
            region: "us".to_owned(),
            script: Script::Manual,
            retry_schedule: default_retry_schedule(),
            answer_limit: Duration::from_secs(10),
            hang_limit: Duration::from_mins(1),
            ledger_limit: 200_000,
            require_notification_version: false,
            lean_messages: false,
            clock_ahead: 0,
        }
    }
}

fn default_retry_schedule() -> Vec<Duration> {
    let first = [250, 500, 1000, 2000].map(Duration::from_millis);
    let rest = std::iter::repeat_n(Duration::from_secs(4), 56);
    first.into_iter().chain(rest).collect()
}
