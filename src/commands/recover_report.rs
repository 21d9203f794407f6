//! What `recover` says of each tenant, for people and for programs.

use serde::Serialize;

use crate::domain::BotName;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::State;
use crate::domain::TenantName;

/// What 8x8 was never told, and nobody else knows.
const LOST: [&str; 5] = [
    "metadata, botSessionId and callbackUrl: events go to the bot's own address without them",
    "the logs: each starts anew with sequence 1, and handover.accepted says \"recovered\": true",
    "messages that were waiting for 8x8, and events that were waiting for the bot",
    "idempotency keys, clientMessageIds and the ids of webhooks that came: a repeat is taken for news",
    "handovers that were over, and conversations handed over after a customer began them unless a bot changed their user",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    tenant: TenantName,
    /// Conversations that 8x8 listed.
    conversations: usize,
    /// Whether these are all it has.
    complete: bool,
    handovers: Vec<Line>,
    problems: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    handover_id: HandoverId,
    conversation_id: ConversationId,
    bot: Option<BotName>,
    outcome: &'static str,
    state: Option<&'static str>,
}

/// What became of one handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    WouldRecover,
    Recovered(State),
    /// It is in the store.
    Known(State),
    /// Another handover stands on the conversation.
    Taken,
    UnknownBot,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::WouldRecover => "would-recover",
            Self::Recovered(_) => "recovered",
            Self::Known(_) => "known",
            Self::Taken => "taken",
            Self::UnknownBot => "unknown-bot",
        }
    }

    const fn state(self) -> Option<&'static str> {
        match self {
            Self::Recovered(state) | Self::Known(state) => Some(state.as_str()),
            Self::WouldRecover | Self::Taken | Self::UnknownBot => None,
        }
    }
}

impl Report {
    pub(super) fn new(tenant: &TenantName) -> Self {
        Self {
            tenant: tenant.clone(),
            conversations: 0,
            complete: false,
            handovers: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    pub(super) fn listed(&mut self, conversations: usize, complete: bool) {
        self.conversations = conversations;
        self.complete = complete;
    }

    pub(super) fn found(&mut self, id: &HandoverId, at: &ConversationId, bot: Option<BotName>, outcome: Outcome) {
        self.handovers.push(Line {
            handover_id: id.clone(),
            conversation_id: at.clone(),
            bot,
            outcome: outcome.name(),
            state: outcome.state(),
        });
    }

    pub(super) fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    pub(super) fn recovered(&self) -> usize {
        self.count(|line| line.outcome == "recovered")
    }

    /// Those that could not be.
    pub(super) fn skipped(&self) -> usize {
        self.count(|line| line.outcome == "unknown-bot" || line.outcome == "taken")
    }

    pub(super) fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.skipped() == 0
    }

    fn count(&self, is_one: impl Fn(&Line) -> bool) -> usize {
        self.handovers.iter().filter(|line| is_one(line)).count()
    }

    fn lines(&self) -> Vec<String> {
        let (tenant, listed) = (&self.tenant, self.conversations);
        let rest = if self.complete { "" } else { ", the newest of more" };
        let mut lines = vec![format!("tenant {tenant}: {listed} conversations at 8x8{rest}")];
        lines.extend(self.handovers.iter().map(Line::text));
        if self.handovers.iter().any(|line| line.bot.is_none()) {
            lines.push("  whose handovers those are cannot be told by their channel: give --bot NAME".to_owned());
        }
        lines.extend(self.problems.iter().map(|problem| format!("  problem: {problem}")));
        lines
    }
}

impl Line {
    fn text(&self) -> String {
        let bot = self.bot.as_ref().map_or("?", BotName::as_str);
        let state = self.state.map(|state| format!(", {state}")).unwrap_or_default();
        let (id, at, outcome) = (&self.handover_id, &self.conversation_id, self.outcome);
        format!("  {outcome:13} {id} of bot {bot} on {at}{state}")
    }
}

pub(super) fn print(reports: &[Report], applied: bool, json: bool) -> String {
    if json {
        let all = serde_json::json!({"applied": applied, "tenants": reports, "lost": LOST});
        return format!("{all:#}\n");
    }
    let mut lines: Vec<String> = reports.iter().flat_map(Report::lines).collect();
    lines.push("what 8x8 cannot give back:".to_owned());
    lines.extend(LOST.iter().map(|lost| format!("  - {lost}")));
    let next = if applied {
        "start the gateway: new webhooks and the bots' calls find these handovers by their old ids"
    } else {
        "nothing was changed; --apply writes them into the store"
    };
    lines.push(next.to_owned());
    lines.join("\n") + "\n"
}
