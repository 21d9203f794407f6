//! A handover as bots see it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Agent;
use crate::domain::Control;
use crate::domain::ConversationId;
use crate::domain::EndReason;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::Origin;
use crate::domain::Outcome;
use crate::domain::Queue;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::User;

/// Times are RFC 3339 UTC with milliseconds; `metadata` is what the bot gave, byte for byte.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Handover)]
pub(in crate::http) struct HandoverView<'a> {
    #[schema(value_type = String, example = "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")]
    id: &'a HandoverId,
    #[schema(value_type = StateName)]
    state: State,
    /// Who talks to the user now.
    #[schema(value_type = ControlName)]
    control: Control,
    #[schema(value_type = OriginName)]
    origin: Origin,
    #[schema(value_type = Option<EndReasonName>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<EndReason>,
    #[schema(value_type = Option<OutcomeName>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[schema(example = "acme")]
    tenant: &'a str,
    #[schema(example = "support")]
    bot: &'a str,
    /// 8x8's conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    conversation_id: Option<&'a ConversationId>,
    channel_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NamedView<'_>>)]
    queue: Option<&'a Queue>,
    /// The agents who are in.
    agents: Vec<NamedView<'a>>,
    #[schema(value_type = crate::http::api::user_body::UserBody)]
    user: &'a User,
    #[schema(value_type = Object)]
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot_session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reopened_from: Option<&'a HandoverId>,
    #[serde(serialize_with = "Timestamp::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(serialize_with = "Timestamp::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[serde(
        serialize_with = "Timestamp::rfc3339_option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    agent_joined_at: Option<Timestamp>,
    #[serde(
        serialize_with = "Timestamp::rfc3339_option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Since when what people said and who they are is erased: `user` and `metadata` are empty then, agents have no names,
    /// and the transcript is empty.
    #[serde(
        serialize_with = "Timestamp::rfc3339_option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    erased_at: Option<Timestamp>,
    /// The number of the newest event in the log.
    last_sequence: u64,
}

/// A page of handovers, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HandoverList)]
pub(in crate::http) struct HandoverListView<'a> {
    pub(super) data: Vec<HandoverView<'a>>,
    /// For the next page, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

/// A queue or an agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Named)]
pub(in crate::http) struct NamedView<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// `{}` when none was given.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Metadata<'a> {
    Given(&'a RawJson),
    None {},
}

impl<'a> HandoverView<'a> {
    pub(super) fn of(handover: &'a Handover) -> Self {
        let (facts, progress) = (&*handover.facts, &handover.progress);
        Self {
            id: &facts.id,
            state: progress.state,
            control: progress.state.control(),
            origin: facts.origin,
            end_reason: progress.end_reason,
            outcome: progress.outcome,
            tenant: facts.tenant.as_str(),
            bot: facts.bot.as_str(),
            conversation_id: progress.conversation.as_ref(),
            channel_id: &facts.channel_id,
            queue: progress.queue.as_ref(),
            agents: progress.agents.present().map(NamedView::of).collect(),
            user: &progress.user,
            metadata: facts.metadata.as_ref().map_or(Metadata::None {}, Metadata::Given),
            bot_session_id: facts.bot_session_id.as_deref(),
            reopened_from: facts.reopened_from.as_ref(),
            created_at: facts.created_at,
            updated_at: progress.updated_at,
            agent_joined_at: progress.agent_joined_at,
            ended_at: progress.ended_at,
            erased_at: progress.erased_at,
            last_sequence: progress.last_sequence,
        }
    }
}

impl<'a> NamedView<'a> {
    fn of(agent: &'a Agent) -> Self {
        Self {
            id: &agent.id,
            name: agent.name.as_deref(),
        }
    }
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident as $shown:ident { $($variant:ident),* }) => {
        $(#[$doc])*
        #[derive(ToSchema)]
        #[schema(as = $shown, rename_all = "snake_case")]
        #[expect(dead_code, reason = "describes a type of the domain in the OpenAPI document")]
        pub(in crate::http) enum $name { $($variant),* }
    };
}

names!(
    /// Where a handover stands.
    StateName as State { Creating, Queued, Active, Transferring, Bot, Ended, Failed }
);
names!(ControlName as Control { Bot, Agent });
names!(
    /// Who opened the conversation.
    OriginName as Origin { Bot, Channel }
);
names!(EndReasonName as EndReason { AgentEnded, UserLeft, BotEnded, Cancelled, QueueTimeout, IdleTimeout, Expired, UpstreamError });
names!(OutcomeName as Outcome { Completed, Cancelled, Error });
