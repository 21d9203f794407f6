//! What a sandbox can be told before it starts.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

/// The account, the scripted agents and the limits of one sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    pub api_key: String,
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
            tenant_id: "sandbox-tenant".to_owned(),
            customer_id: "sandbox-customer".to_owned(),
            webhook_url: None,
            webhook_headers: Vec::new(),
            webhook_version: "Chat Gateway v1.0".to_owned(),
            channel_id: "sandbox-channel".to_owned(),
            queues: vec![
                ("101".to_owned(), "Support".to_owned()),
                ("102".to_owned(), "Billing".to_owned()),
            ],
            script: Script::Manual,
            retry_schedule: default_retry_schedule(),
            answer_limit: Duration::from_secs(10),
            hang_limit: Duration::from_mins(1),
            ledger_limit: 200_000,
            require_notification_version: false,
            clock_ahead: 0,
        }
    }
}

fn default_retry_schedule() -> Vec<Duration> {
    let first = [250, 500, 1000, 2000].map(Duration::from_millis);
    let rest = std::iter::repeat_n(Duration::from_secs(4), 56);
    first.into_iter().chain(rest).collect()
}
