//! The body that asks for a handover, parsed into a valid request once.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::RawJson;
use crate::handovers::Bot;
use crate::handovers::OpenHandover;
use crate::http::api::CheckCallbackUrl;
use crate::http::api::faults::Faults;
use crate::http::api::history::HistoryBody;
use crate::http::api::queues_body;
use crate::http::api::queues_body::QueueBody;
use crate::http::api::user_body::Own;
use crate::http::api::user_body::UserBody;
use crate::http::api::user_body::check_added_properties;
use crate::http::problem::Refusal;

/// Bytes of metadata, as they came.
const MOST_METADATA: usize = 4096;

/// Only `user` is required; the rest falls back to the bot's, then the tenant's configuration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateHandover, example = json!({
    "user": {"name": "James Jones", "email": "user@example.com", "language": "en", "additionalProperties": [{"key": "Intent", "value": "balance"}]},
    "history": {"messages": [{"authorType": "user", "text": "I would like my balance please"}]},
    "botSessionId": "session-17738489",
    "metadata": {"ticket": 42},
}))]
pub(in crate::http) struct CreateBody {
    user: UserBody,
    history: Option<HistoryBody>,
    #[schema(example = "123")]
    queue_id: Option<String>,
    /// 8x8's own form of `queueId`.
    assignment: Option<AssignmentBody>,
    channel_id: Option<String>,
    /// Where this handover's events go, when not to the bot's own address.
    #[schema(example = "https://bot.example.com/handover")]
    callback_url: Option<String>,
    /// The bot's own name for its session: at most one live handover has it, unless the bot is configured otherwise.
    #[schema(example = "session-17738489")]
    bot_session_id: Option<String>,
    /// At most 4 KiB of JSON, echoed in every event byte for byte.
    #[schema(value_type = Option<Object>)]
    metadata: Option<RawJson>,
    /// Merged into what 8x8 is sent; may not overwrite what the gateway sets.
    #[schema(value_type = Option<Object>)]
    properties: Option<RawJson>,
    /// Only `ignore`: the handover is made whether or not agents are there.
    #[schema(example = "ignore")]
    availability: Option<String>,
    timers: Option<TimersBody>,
    /// Where the user waits when nobody comes in `queueId`, in order; without `queueId` the first of them is it. At most 10.
    #[serde(default)]
    queues: Vec<QueueBody>,
    /// Only `false`.
    hand_back: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Assignment)]
pub(in crate::http) struct AssignmentBody {
    #[serde(rename = "type")]
    #[schema(example = "queue")]
    kind: String,
    #[schema(example = "123")]
    id: String,
}

/// How long the handover may stay where it is: numbers with a unit.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Timers)]
pub(in crate::http) struct TimersBody {
    /// Waiting in a queue.
    #[schema(example = "10m")]
    queue: Option<String>,
    /// Without a message either way.
    #[schema(example = "30m")]
    idle: Option<String>,
    /// Altogether.
    #[schema(example = "24h")]
    max_age: Option<String>,
}

impl CreateBody {
    pub(super) fn check(self, bot: Arc<Bot>, callback_urls: &CheckCallbackUrl) -> Result<OpenHandover, Refusal> {
        let mut faults = Faults::default();
        let timers = self.timers.unwrap_or_default();
        let queue_id = faults.id("/queueId", self.queue_id);
        let assigned = self
            .assignment
            .and_then(|assignment| assigned_queue(assignment, &mut faults));
        if queue_id.is_some() && assigned.is_some() && queue_id != assigned {
            faults.add("/assignment/id", "names another queue than `queueId`; give one of them");
        }
        not_built_yet(self.availability.as_deref(), self.hand_back, &mut faults);
        let queue_id = queue_id.or(assigned);
        let queues = queues_body::check(self.queues, queue_id.as_deref(), &bot.tenant, &mut faults);
        let callback_url = self.callback_url.and_then(|url| {
            let checked = callback_urls.check(&bot.name, url.trim());
            checked.map_err(|message| faults.add("/callbackUrl", message)).ok()
        });
        let own = Own::of(&bot);
        let user = self.user.check(own, &mut faults);
        check_added_properties(&user, self.properties.as_ref(), own, &mut faults);
        let open = OpenHandover {
            user,
            history: self
                .history
                .unwrap_or_default()
                .check(bot.tenant.message_limit, &mut faults),
            queue_id: queues.first().map(|stop| stop.id.clone()).or(queue_id),
            queues,
            channel_id: faults.id("/channelId", self.channel_id),
            callback_url,
            bot_session_id: faults.id("/botSessionId", self.bot_session_id),
            metadata: metadata(self.metadata, &mut faults),
            properties: object("/properties", self.properties, &mut faults),
            queue_timeout: faults.duration("/timers/queue", timers.queue.as_deref()),
            idle_timeout: faults.duration("/timers/idle", timers.idle.as_deref()),
            max_age: faults.duration("/timers/maxAge", timers.max_age.as_deref()),
            bot,
        };
        faults.or(open)
    }
}

fn assigned_queue(assignment: AssignmentBody, faults: &mut Faults) -> Option<String> {
    if assignment.kind.trim() != "queue" {
        faults.add("/assignment/type", "must be `queue`");
    }
    faults.id("/assignment/id", Some(assignment.id))
}

fn not_built_yet(availability: Option<&str>, hand_back: Option<bool>, faults: &mut Faults) {
    match availability {
        None | Some("ignore") => {}
        Some("require") => faults.add("/availability", "`require` is not supported yet; use `ignore`"),
        Some(_) => faults.add("/availability", "must be `ignore`"),
    }
    if hand_back == Some(true) {
        faults.add(
            "/handBack",
            "handing back to the bot is not supported yet; leave it out, or set false",
        );
    }
}

fn metadata(metadata: Option<RawJson>, faults: &mut Faults) -> Option<RawJson> {
    let metadata = object("/metadata", metadata, faults)?;
    if metadata.as_str().len() > MOST_METADATA {
        faults.add("/metadata", format!("must have at most {MOST_METADATA} bytes"));
    }
    Some(metadata)
}

fn object(pointer: &str, json: Option<RawJson>, faults: &mut Faults) -> Option<RawJson> {
    let json = json?;
    if !json.as_str().starts_with('{') {
        faults.add(pointer, "must be a JSON object");
    }
    Some(json)
}
