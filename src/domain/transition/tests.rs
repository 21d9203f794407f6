//! The whole state table: each state with each input, and the stories in which order and repeats matter.

use std::time::Duration;

use crate::domain::transition::*;
use crate::domain::*;

pub(super) const START: Timestamp = Timestamp::from_millis(1_763_640_000_000);

pub(super) fn facts() -> Facts {
    Facts {
        id: HandoverId::generate(START),
        tenant: TenantName::new("acme"),
        account: AccountId::new("acme01"),
        bot: BotName::new("support"),
        origin: Origin::Bot,
        channel_id: "channel".to_owned(),
        queue_id: Some("101".to_owned()),
        bot_session_id: None,
        one_per_session: true,
        metadata: None,
        callback_url: None,
        reopened_from: None,
        arrival: None,
        timers: Timers {
            queue: Some(Duration::from_mins(10)),
            idle: Some(Duration::from_mins(30)),
            max_age: Duration::from_hours(24),
            transfer_grace: Duration::from_secs(10),
        },
        created_at: START,
        recovered_at: None,
    }
}

/// A handover walked through inputs, each a second after the last.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) handover: Handover,
    pub(super) now: Timestamp,
    pub(super) events: Vec<HandoverEvent>,
    pub(super) ephemeral: Vec<HandoverEvent>,
    pub(super) calls: Vec<Call>,
}

impl Walk {
    pub(super) fn new() -> Self {
        let handover = Handover::creating(facts(), User::default());
        Self {
            handover,
            now: START,
            events: Vec::new(),
            ephemeral: Vec::new(),
            calls: Vec::new(),
        }
    }

    pub(super) fn to(state: State) -> Self {
        let walk = Self::new();
        match state {
            State::Creating => walk,
            State::Queued => walk.and(created()),
            State::Active => walk.and(created()).and(joined("ada", 1)),
            State::Transferring => walk.and(created()).and(joined("ada", 1)).and(left("ada", 2)),
            State::Ended => walk.and(created()).and(end()),
            State::Failed => walk.and(not_created()),
            State::Bot => {
                let mut walk = walk.and(created());
                walk.handover.progress.state = State::Bot;
                walk.handover.progress.queued_since = None;
                walk
            }
        }
    }

    pub(super) fn and(mut self, input: Input) -> Self {
        self.apply(input).expect("the input is allowed");
        self
    }

    pub(super) fn apply(&mut self, input: Input) -> Result<(), Refused> {
        self.now = self.now.plus(Duration::from_secs(1));
        let next = next(&self.handover, input, self.now)?;
        assert_eq!(next.changed, next.next.progress != self.handover.progress);
        assert_eq!(next.next.version, self.handover.version + u64::from(next.changed));
        for (n, event) in next.events.iter().enumerate() {
            let expected = self.handover.progress.last_sequence + 1 + u64::try_from(n).unwrap();
            assert_eq!(event.sequence, expected, "sequences have no gaps");
        }
        self.handover = next.next;
        self.events.extend(next.events);
        self.ephemeral.extend(next.ephemeral);
        self.calls.extend(next.calls.into_iter().map(|call| call.call));
        Ok(())
    }

    pub(super) fn state(&self) -> State {
        self.handover.state()
    }

    pub(super) fn told(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.kind.as_str()).collect()
    }

    pub(super) fn after(mut self, wait: Duration) -> Self {
        self.now = self.now.plus(wait);
        self
    }
}

pub(super) fn webhook(kind: WebhookKind, at: i64) -> Input {
    let timestamp = Some(START.as_millis() + at);
    Input::Webhook(WebhookEvent {
        conversation: ConversationId::parse("c-1").unwrap(),
        source: Source {
            event_type: "TEST".to_owned(),
            event_id: "e".to_owned(),
            timestamp,
        },
        kind,
    })
}

/// The same event, for a bot that gets 8x8's webhooks themselves.
fn passed(input: Input) -> Input {
    match input {
        Input::Webhook(event) => Input::Passed(event),
        other => panic!("no event: {other:?}"),
    }
}

pub(super) fn agent(id: &str) -> AgentRef {
    AgentRef {
        id: id.to_owned(),
        name: None,
    }
}

pub(super) fn created() -> Input {
    Input::Created(ConversationId::parse("c-1").unwrap())
}

pub(super) fn not_created() -> Input {
    Input::NotCreated(RawJson::parse("{}").unwrap())
}

pub(super) fn joined(id: &str, at: i64) -> Input {
    webhook(WebhookKind::AgentJoined(agent(id)), at)
}

pub(super) fn left(id: &str, at: i64) -> Input {
    webhook(WebhookKind::AgentLeft(agent(id)), at)
}

pub(super) fn queued(at: i64) -> Input {
    webhook(
        WebhookKind::Queued(Queue {
            id: "102".to_owned(),
            name: Some("Billing".to_owned()),
        }),
        at,
    )
}

pub(super) fn transfer(at: i64) -> Input {
    webhook(WebhookKind::Transfer, at)
}

pub(super) fn update(state: ConversationState, agent_id: Option<&str>, fingerprint: u64, at: i64) -> Input {
    let update = ConversationUpdate {
        state: Some(state),
        agent: agent_id.map(agent),
        queue_id: None,
        handover: None,
        fingerprint,
        raw: RawJson::parse("{}").unwrap(),
    };
    webhook(WebhookKind::ConversationUpdate(update), at)
}

/// Where it waits already, another.
fn queue_assigned() -> Input {
    let update = ConversationUpdate {
        state: Some(ConversationState::Active),
        agent: None,
        queue_id: Some("102".to_owned()),
        handover: None,
        fingerprint: 7,
        raw: RawJson::parse("{}").unwrap(),
    };
    webhook(WebhookKind::ConversationUpdate(update), 50)
}

pub(super) fn message(sender_type: &str, is_echo: bool, at: i64) -> Input {
    let seen = MessageSeen {
        is_echo,
        sender_type: sender_type.to_owned(),
        sender: agent("ada"),
        text: "Hello".to_owned(),
        attachments: Vec::new(),
        cards: Vec::new(),
    };
    webhook(WebhookKind::Message(seen), at)
}

/// The same thing, read from 8x8's record.
pub(super) fn read(told: Input) -> Input {
    let Input::Webhook(event) = told else {
        panic!("only what 8x8 tells can be read");
    };
    let at = event.source.timestamp.unwrap();
    Input::Backfilled { event, at }
}

pub(super) fn end() -> Input {
    Input::End(EndHandover {
        reason: EndReason::BotEnded,
        message: None,
    })
}

fn send() -> Input {
    Input::Send(SendMessage {
        id: MessageId::generate(START),
        client_message_id: None,
        request_sha256: [0; 32],
        author: None,
        text: Some("Hi".to_owned()),
        parts: vec!["Hi".to_owned()],
        cards: Vec::new(),
        attachments: Vec::new(),
        deadline: Duration::from_mins(2),
    })
}

pub(super) fn notice(text: &str) -> Notice {
    Notice {
        id: MessageId::generate(START),
        text: text.to_owned(),
        parts: vec![text.to_owned()],
        deadline: Duration::from_mins(2),
    }
}

pub(super) fn reroute() -> Input {
    Input::Update(UpdateHandover {
        queue_id: Some("102".to_owned()),
        chain: Vec::new(),
        user: None,
    })
}

fn tell_user() -> Input {
    Input::Update(UpdateHandover {
        queue_id: None,
        chain: Vec::new(),
        user: Some(User {
            name: Some("Jim".to_owned()),
            ..User::default()
        }),
    })
}

pub(super) fn typing() -> Input {
    webhook(
        WebhookKind::Typing {
            users: RawJson::parse("[]").unwrap(),
            active: false,
        },
        50,
    )
}

fn action() -> Input {
    webhook(
        WebhookKind::Action {
            name: "quickReply/action".to_owned(),
            value: RawJson::parse("{}").unwrap(),
        },
        50,
    )
}

fn unrecognized() -> Input {
    webhook(
        WebhookKind::Unrecognized {
            raw: RawJson::parse("{}").unwrap(),
        },
        50,
    )
}

fn fate() -> Input {
    let message = MessageId::generate(START);
    Input::MessageFate {
        message,
        client_message_id: Some("m-1".to_owned()),
        status: MessageStatus::Failed,
    }
}

fn problem() -> Input {
    Input::UpdateFailed {
        call: CallId::generate(START),
        asked_by: AskedBy::Bot,
        problem: RawJson::parse("{}").unwrap(),
    }
}

pub(super) const NAMES: [&str; 46] = [
    "created",
    "not created",
    "passed on",
    "typing passed on",
    "read from 8x8",
    "queued",
    "joined",
    "left",
    "transfer",
    "agent says",
    "user says",
    "bot says",
    "system says",
    "agent's echo",
    "user's echo",
    "bot says anew",
    "system's echo",
    "stranger says",
    "typing",
    "own typing",
    "action",
    "unknown",
    "made",
    "idle",
    "agent assigned",
    "queue assigned",
    "goes on",
    "user left",
    "user joined",
    "send",
    "reroute",
    "tell user",
    "end",
    "hand back",
    "hand back scheduled",
    "hand back failed",
    "fate",
    "update failed",
    "types no more",
    "deadline",
    "asked",
    "taken",
    "looked",
    "held up",
    "caught up",
    "erase",
];

pub(super) fn input(name: &str) -> Input {
    match name {
        "created" => created(),
        "not created" => not_created(),
        "passed on" => passed(queued(50)),
        "read from 8x8" => read(message("agent", false, 50)),
        "typing passed on" => passed(typing()),
        "queued" => queued(50),
        "joined" => joined("bob", 50),
        "left" => left("ada", 50),
        "transfer" => transfer(50),
        "agent says" => message("agent", false, 50),
        "user says" => message("user", false, 50),
        "bot says" => message("bot", true, 50),
        "system says" => message("system", false, 50),
        "agent's echo" => message("agent", true, 50),
        "user's echo" => message("user", true, 50),
        "bot says anew" => message("bot", false, 50),
        "system's echo" => message("system", true, 50),
        "stranger says" => message("", false, 50),
        "typing" => typing(),
        "own typing" => webhook(WebhookKind::OwnTyping, 50),
        "action" => action(),
        "unknown" => unrecognized(),
        "made" => update(ConversationState::Created, None, 7, 50),
        "idle" => update(ConversationState::Idle, None, 7, 50),
        "agent assigned" => update(ConversationState::Active, Some("bob"), 7, 50),
        "queue assigned" => queue_assigned(),
        "goes on" => update(ConversationState::Active, None, 7, 50),
        "user left" => webhook(WebhookKind::UserLeft, 50),
        "user joined" => webhook(WebhookKind::UserJoined, 50),
        "send" => send(),
        "reroute" => reroute(),
        "tell user" => tell_user(),
        "end" => end(),
        "hand back" => Input::HandBack(ScheduleHandBack::default()),
        "hand back scheduled" => Input::HandBackScheduled,
        "hand back failed" => Input::HandBackFailed {
            problem: RawJson::parse("{}").unwrap(),
            may_be_there: false,
        },
        "fate" => fate(),
        "update failed" => problem(),
        "types no more" => Input::Typing {
            users: RawJson::parse("[]").unwrap(),
            active: false,
        },
        "deadline" => Input::Deadline,
        "asked" => Input::Asked(Answer::Over),
        "taken" => Input::Updated {
            call: CallId::generate(START),
            user: None,
        },
        "looked" => Input::Looked(Whereabouts::Over),
        "held up" => Input::HeldUp(notice("held up")),
        "caught up" => Input::CaughtUp(Some(notice("over"))),
        "erase" => Input::Erase,
        other => panic!("no such input: {other}"),
    }
}

#[expect(clippy::too_many_lines, reason = "one row an input: it is a table")]
/// What becomes of each state under one input: the state and the events it tells, `refused`, or `-` for nothing.
/// Columns as in `State::ALL`: creating, queued, active, transferring, bot, ended, failed.
fn table(name: &str) -> [&'static str; State::ALL.len()] {
    const ENDED: &str = "ended handover.ended";
    match name {
        "created" => ["queued handover.accepted", "-", "-", "-", "-", "-", "failed"],
        "not created" => ["failed handover.failed", "-", "-", "-", "-", "-", "-"],
        "read from 8x8" => table("agent says"),
        "passed on" => [
            "queued webhook.received handover.accepted handover.queued",
            "queued webhook.received handover.queued",
            "active webhook.received handover.queued",
            "transferring webhook.received handover.queued",
            "queued webhook.received handover.queued",
            "ended webhook.received handover.queued late",
            "failed webhook.received handover.queued late",
        ],
        "typing passed on" => ["queued handover.accepted", "-", "-", "-", "-", "-", "failed"],
        "queued" => [
            "queued handover.accepted handover.queued",
            "queued handover.queued",
            "active handover.queued",
            "transferring handover.queued",
            "queued handover.queued",
            "ended handover.queued late",
            "failed handover.queued late",
        ],
        "joined" => [
            "active handover.accepted agent.joined",
            "active agent.joined",
            "active agent.joined",
            "active agent.joined",
            "active agent.joined",
            "ended agent.joined late",
            "failed agent.joined late",
        ],
        "left" => [
            "queued handover.accepted agent.left",
            "queued agent.left",
            "transferring agent.left",
            "-",
            "bot agent.left",
            "ended agent.left late",
            "failed agent.left late",
        ],
        "transfer" => [
            "queued handover.accepted handover.transferred",
            "queued handover.transferred",
            "active handover.transferred",
            "transferring handover.transferred",
            "bot handover.transferred",
            "ended handover.transferred late",
            "failed handover.transferred late",
        ],
        // Nobody posts as these but 8x8, whatever its mark says.
        "agent says" | "agent's echo" | "system says" | "system's echo" | "stranger says" => [
            "queued handover.accepted message.created",
            "queued message.created",
            "active message.created",
            "transferring message.created",
            "bot message.created",
            "ended message.created late",
            "failed message.created late",
        ],
        "user says" => [
            "queued handover.accepted",
            "-",
            "-",
            "-",
            "bot message.created",
            "-",
            "failed",
        ],
        "bot says" | "bot says anew" | "user's echo" => ["queued handover.accepted", "-", "-", "-", "-", "-", "failed"],
        "own typing" => ["queued handover.accepted", "-", "-", "-", "-", "-", "failed"],
        "typing" => ["queued handover.accepted", "-", "-", "-", "-", "-", "failed"],
        "action" => [
            "queued handover.accepted action.submitted",
            "queued action.submitted",
            "active action.submitted",
            "transferring action.submitted",
            "bot action.submitted",
            "ended action.submitted late",
            "failed action.submitted late",
        ],
        "unknown" => [
            "queued handover.accepted event.unrecognized",
            "queued event.unrecognized",
            "active event.unrecognized",
            "transferring event.unrecognized",
            "bot event.unrecognized",
            "ended event.unrecognized late",
            "failed event.unrecognized late",
        ],
        "idle" => [
            "ended handover.accepted handover.ended",
            ENDED,
            ENDED,
            ENDED,
            ENDED,
            "-",
            "failed",
        ],
        "agent assigned" => [
            "active handover.accepted agent.joined",
            "active agent.joined",
            "active agent.joined",
            "active agent.joined",
            "active agent.joined",
            "-",
            "failed",
        ],
        // A queue is told by 8x8's own event of it; an assignment shows in the handover.
        "made" | "queue assigned" | "goes on" => ["queued handover.accepted", "-", "-", "-", "-", "-", "failed"],
        "user left" => [
            "ended handover.accepted handover.ended",
            ENDED,
            ENDED,
            ENDED,
            ENDED,
            "-",
            "failed",
        ],
        "user joined" => ["queued handover.accepted", "-", "-", "-", "-", "-", "failed"],
        "send" => ["refused", "queued", "active", "transferring", "bot", "over", "over"],
        "reroute" => ["refused", "queued", "refused", "refused", "bot", "over", "over"],
        "tell user" => ["creating", "queued", "active", "transferring", "bot", "over", "over"],
        "end" => ["creating", ENDED, ENDED, ENDED, ENDED, "over", "over"],
        "hand back" => ["refused", "queued", "active", "transferring", "refused", "over", "over"],
        "hand back scheduled" => ["-", "-", "-", "-", "-", "-", "-"],
        "hand back failed" => [
            "creating handover.update_failed",
            "queued handover.update_failed",
            "active handover.update_failed",
            "transferring handover.update_failed",
            "bot handover.update_failed",
            "-",
            "-",
        ],
        "fate" => [
            "creating message.status",
            "queued message.status",
            "active message.status",
            "transferring message.status",
            "bot message.status",
            "ended message.status late",
            "failed message.status late",
        ],
        "update failed" => [
            "creating handover.update_failed",
            "queued handover.update_failed",
            "active handover.update_failed",
            "transferring handover.update_failed",
            "bot handover.update_failed",
            "ended handover.update_failed late",
            "failed handover.update_failed late",
        ],
        "types no more" => ["-", "-", "-", "-", "-", "-", "-"],
        "deadline" => ["-", "-", "-", "-", "-", "-", "-"],
        "asked" => ["-", "-", "-", "-", "-", "-", "-"],
        // Nobody asked for another queue.
        "taken" => ["-", "-", "-", "-", "-", "-", "-"],
        "looked" => ["-", "-", "-", "-", "-", "-", "-"],
        // Told where an agent is, and to nobody else.
        "held up" => ["-", "-", "active", "transferring", "-", "-", "-"],
        "caught up" => ["-", "-", "-", "-", "-", "-", "-"],
        // It shows in the handover alone.
        "erase" => ["goes on", "goes on", "goes on", "goes on", "goes on", "-", "-"],
        other => panic!("no row for {other}"),
    }
}

/// The names of the rows in which an input of this kind stands. A new kind of input or event does not compile until it has
/// one here, and the test fails until it has its row.
fn rows_of(input: &Input) -> &'static [&'static str] {
    match input {
        Input::Passed(_) => &["passed on", "typing passed on"],
        Input::Webhook(event) => match &event.kind {
            WebhookKind::ConversationUpdate(_) => &["made", "idle", "agent assigned", "queue assigned", "goes on"],
            WebhookKind::Queued(_) => &["queued"],
            WebhookKind::AgentJoined(_) => &["joined"],
            WebhookKind::AgentLeft(_) => &["left"],
            WebhookKind::UserJoined => &["user joined"],
            WebhookKind::UserLeft => &["user left"],
            WebhookKind::Transfer => &["transfer"],
            WebhookKind::Message(_) => &[
                "agent says",
                "user says",
                "bot says",
                "system says",
                "agent's echo",
                "user's echo",
                "bot says anew",
                "system's echo",
                "stranger says",
            ],
            WebhookKind::Typing { .. } => &["typing"],
            WebhookKind::OwnTyping => &["own typing"],
            WebhookKind::Action { .. } => &["action"],
            WebhookKind::Unrecognized { .. } => &["unknown"],
        },
        Input::Backfilled { .. } => &["read from 8x8"],
        Input::Created(_) => &["created"],
        Input::NotCreated(_) => &["not created"],
        Input::Send(_) => &["send"],
        Input::Update(_) => &["reroute", "tell user"],
        Input::HandBack(_) => &["hand back"],
        Input::HandBackScheduled => &["hand back scheduled"],
        Input::HandBackFailed { .. } => &["hand back failed"],
        Input::Updated { .. } => &["taken"],
        Input::UpdateFailed { .. } => &["update failed"],
        Input::End(_) => &["end"],
        Input::MessageFate { .. } => &["fate"],
        Input::Typing { .. } => &["types no more"],
        Input::Deadline => &["deadline"],
        Input::Asked(_) => &["asked"],
        Input::Looked(_) => &["looked"],
        Input::HeldUp(_) => &["held up"],
        Input::CaughtUp(_) => &["caught up"],
        Input::Erase => &["erase"],
    }
}

/// `State::ALL` has each state once, in the order of the columns.
const fn column(state: State) -> usize {
    match state {
        State::Creating => 0,
        State::Queued => 1,
        State::Active => 2,
        State::Transferring => 3,
        State::Bot => 4,
        State::Ended => 5,
        State::Failed => 6,
    }
}

#[test]
fn every_state_and_every_kind_of_input_is_in_the_table() {
    for (place, state) in State::ALL.into_iter().enumerate() {
        assert_eq!(column(state), place);
    }
    for name in NAMES {
        let rows = rows_of(&input(name));
        assert!(rows.contains(&name), "{name} stands for another input");
        for row in rows {
            assert!(NAMES.contains(row), "{row} has no row");
        }
    }
}

fn outcome(state: State, name: &str) -> String {
    let mut walk = Walk::to(state);
    let (logged, called, asked_to_end) = (
        walk.events.len(),
        walk.calls.len(),
        walk.handover.progress.end_requested.clone(),
    );
    match walk.apply(input(name)) {
        Err(Refused::NotActive) => return "refused".to_owned(),
        Err(Refused::HandBackTaken | Refused::HandBackUnderWay) => return "taken".to_owned(),
        Err(Refused::Ended) => return "over".to_owned(),
        Err(Refused::NotOver) => return "goes on".to_owned(),
        Ok(()) => {}
    }
    let new = &walk.events[logged..];
    if new.is_empty() && walk.calls.len() == called && walk.handover.progress.end_requested == asked_to_end {
        return "-".to_owned();
    }
    let mut words = vec![walk.state().as_str()];
    words.extend(new.iter().map(|event| event.kind.as_str()));
    if new.iter().any(|event| event.late) {
        words.push("late");
    }
    words.join(" ")
}

#[test]
fn every_state_meets_every_input_as_the_table_says() {
    let mut wrong = Vec::new();
    for name in NAMES {
        for (state, expected) in State::ALL.into_iter().zip(table(name)) {
            let found = outcome(state, name);
            if found != expected {
                wrong.push(format!(
                    "{} x {name}: expected `{expected}`, found `{found}`",
                    state.as_str()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_happy_path_tells_each_step_once() {
    let walk = Walk::new()
        .and(update(ConversationState::Created, None, 1, 0))
        .and(created())
        .and(update(ConversationState::Active, None, 1, 1))
        .and(queued(2))
        .and(joined("ada", 3))
        .and(update(ConversationState::Active, Some("ada"), 1, 3))
        .and(message("agent", false, 4))
        .and(message("user", false, 5))
        .and(message("bot", true, 6))
        .and(left("ada", 7))
        .and(update(ConversationState::Idle, None, 1, 8));
    let expected = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "agent.left",
        "handover.ended",
    ];
    assert_eq!(walk.told(), expected);
    assert_eq!(walk.handover.progress.end_reason, Some(EndReason::AgentEnded));
    assert_eq!(walk.handover.progress.outcome, Some(Outcome::Completed));
    assert_eq!(walk.calls, []);
}

#[test]
fn a_transfer_is_not_an_end_until_8x8_says_so() {
    let walk = Walk::to(State::Active)
        .and(left("ada", 10))
        .and(transfer(11))
        .and(queued(12));
    assert_eq!(walk.state(), State::Transferring);
    let walk = walk.after(Duration::from_secs(20)).and(Input::Asked(Answer::GoesOn {
        agent: None,
        in_queue: true,
    }));
    assert_eq!(walk.state(), State::Transferring);
    let walk = walk.and(joined("bob", 13));
    assert_eq!(walk.state(), State::Active);
    assert_eq!(walk.handover.progress.ask_at, None);
}

#[test]
fn the_next_agent_may_join_before_the_last_has_left() {
    let walk = Walk::to(State::Active)
        .and(transfer(10))
        .and(joined("bob", 11))
        .and(left("ada", 12));
    assert_eq!(walk.state(), State::Active);
    let present: Vec<&str> = walk
        .handover
        .progress
        .agents
        .present()
        .map(|agent| agent.id.as_str())
        .collect();
    assert_eq!(present, ["bob"]);
}

#[test]
fn the_last_agent_leaving_ends_it_only_after_8x8_was_asked() {
    let walk = Walk::to(State::Transferring);
    assert_eq!(
        walk.handover.progress.ask_at,
        Some(walk.now.plus(Duration::from_secs(10)))
    );
    let early = Walk::to(State::Transferring).and(Input::Asked(Answer::Over));
    assert_eq!(
        early.state(),
        State::Transferring,
        "the time in which a transfer may follow has not passed"
    );
    let could_not_tell = walk
        .after(Duration::from_secs(10))
        .and(Input::Asked(Answer::CouldNotTell));
    assert_eq!(could_not_tell.state(), State::Transferring);
    let over = could_not_tell
        .after(Duration::from_secs(10))
        .and(Input::Asked(Answer::Over));
    assert_eq!(over.state(), State::Ended);
    assert_eq!(over.handover.progress.end_reason, Some(EndReason::AgentEnded));
}

#[test]
fn a_missed_join_shows_when_8x8_is_asked() {
    let agent = Some(agent("bob"));
    let walk = Walk::to(State::Transferring)
        .after(Duration::from_secs(10))
        .and(Input::Asked(Answer::GoesOn { agent, in_queue: false }));
    assert_eq!(walk.state(), State::Active);
    assert_eq!(walk.told().last(), Some(&"agent.joined"));
}

#[test]
fn nobody_there_and_8x8_undecided_ends_after_three_answers() {
    let mut walk = Walk::to(State::Transferring);
    for _ in 0..3 {
        assert_eq!(walk.state(), State::Transferring);
        let answer = Answer::GoesOn {
            agent: Some(agent("ada")),
            in_queue: false,
        };
        walk = walk.after(Duration::from_mins(1)).and(Input::Asked(answer));
    }
    assert_eq!(walk.state(), State::Ended);
    assert!(matches!(walk.calls.as_slice(), [Call::UserLeaves { .. }]));
}

#[test]
fn an_old_event_is_told_but_does_not_take_the_state_back() {
    let walk = Walk::to(State::Queued).and(left("ada", 20)).and(joined("ada", 10));
    assert_eq!(walk.state(), State::Queued);
    assert_eq!(walk.told(), ["handover.accepted", "agent.left", "agent.joined"]);

    let walk = Walk::to(State::Queued)
        .and(joined("ada", 20))
        .and(update(ConversationState::Idle, None, 1, 10));
    assert_eq!(
        walk.state(),
        State::Active,
        "the idle of an earlier interaction ends nothing"
    );
}

#[test]
fn an_end_before_8x8_answered_is_carried_out_when_it_does() {
    let walk = Walk::new().and(end());
    assert_eq!(walk.state(), State::Creating);
    let walk = walk.and(created());
    assert_eq!(walk.state(), State::Ended);
    assert_eq!(walk.told(), ["handover.accepted", "handover.ended"]);
    assert_eq!(walk.handover.progress.end_reason, Some(EndReason::Cancelled));
    assert!(matches!(walk.calls.as_slice(), [Call::UserLeaves { .. }]));
}

#[test]
fn a_conversation_that_turns_up_after_its_handover_was_given_up_is_left() {
    let walk = Walk::to(State::Failed).and(update(ConversationState::Created, None, 1, 10));
    assert_eq!(walk.state(), State::Failed);
    assert!(matches!(walk.calls.as_slice(), [Call::UserLeaves { .. }]));
    let walk = walk.and(queued(11));
    assert_eq!(walk.calls.len(), 1, "8x8 is told once");
}

#[test]
fn a_queue_that_8x8_assigned_shows_though_it_was_not_told() {
    let update = ConversationUpdate {
        state: Some(ConversationState::Active),
        agent: None,
        queue_id: Some("102".to_owned()),
        handover: None,
        fingerprint: 1,
        raw: RawJson::parse("{}").unwrap(),
    };
    let walk = Walk::to(State::Queued).and(webhook(WebhookKind::ConversationUpdate(update.clone()), 10));
    assert_eq!(
        walk.handover.progress.queue.as_ref().map(|queue| queue.id.as_str()),
        Some("102")
    );
    let named = walk
        .and(queued(11))
        .and(webhook(WebhookKind::ConversationUpdate(update), 12));
    let queue = named.handover.progress.queue.expect("it waits in one");
    assert_eq!(queue.name.as_deref(), Some("Billing"), "the name is kept");
}

#[test]
fn an_agent_who_writes_ends_the_wait_in_the_queue() {
    let walk = Walk::to(State::Queued)
        .and(message("agent", true, 10))
        .after(Duration::from_mins(11))
        .and(Input::Deadline);
    assert_eq!(walk.state(), State::Queued);
    assert_eq!(walk.told(), ["handover.accepted", "message.created"]);
}

#[test]
fn what_8x8_took_of_the_user_is_merged() {
    let changes = User {
        name: Some("Jim".to_owned()),
        ..User::default()
    };
    let walk = Walk::to(State::Active).and(tell_user());
    assert_eq!(walk.handover.progress.user.name, None, "8x8 has not taken it yet");
    let walk = walk.and(Input::Updated {
        call: CallId::generate(START),
        user: Some(Box::new(changes)),
    });
    assert_eq!(walk.handover.progress.user.name.as_deref(), Some("Jim"));
}

#[test]
fn the_end_reason_says_whether_an_agent_came() {
    let before = Walk::to(State::Queued).and(end());
    assert_eq!(before.handover.progress.end_reason, Some(EndReason::Cancelled));
    assert_eq!(before.handover.progress.outcome, Some(Outcome::Cancelled));
    let after = Walk::to(State::Active).and(end());
    assert_eq!(after.handover.progress.end_reason, Some(EndReason::BotEnded));
    assert_eq!(after.handover.progress.outcome, Some(Outcome::Completed));
}

#[test]
fn each_timer_ends_what_it_is_for_and_has_8x8_told() {
    for (state, wait, reason) in [
        (State::Queued, Duration::from_mins(10), EndReason::QueueTimeout),
        (State::Active, Duration::from_mins(30), EndReason::IdleTimeout),
        (State::Transferring, Duration::from_mins(30), EndReason::IdleTimeout),
        (State::Bot, Duration::from_mins(30), EndReason::IdleTimeout),
        (State::Active, Duration::from_hours(24), EndReason::Expired),
    ] {
        let walk = Walk::to(state);
        assert!(next_deadline(&walk.handover).is_some());
        let walk = walk.after(wait).and(Input::Deadline);
        assert_eq!(walk.handover.progress.end_reason, Some(reason), "{state:?}");
        assert!(matches!(walk.calls.as_slice(), [Call::UserLeaves { .. }]), "{state:?}");
        assert_eq!(next_deadline(&walk.handover), None);
    }
    let never_answered = Walk::new().after(Duration::from_hours(24)).and(Input::Deadline);
    assert_eq!(never_answered.state(), State::Failed);
}

#[test]
fn a_message_either_way_restarts_the_idle_timer() {
    let walk = Walk::to(State::Active)
        .after(Duration::from_mins(29))
        .and(send())
        .after(Duration::from_mins(29));
    let walk = walk
        .and(message("agent", false, 60))
        .after(Duration::from_mins(29))
        .and(Input::Deadline);
    assert_eq!(walk.state(), State::Active);
}

#[test]
fn typing_is_told_and_not_logged() {
    let walk = Walk::to(State::Active).and(typing());
    assert_eq!(walk.ephemeral.len(), 1);
    assert_eq!(walk.ephemeral[0].sequence, walk.handover.progress.last_sequence);
}

#[test]
fn only_a_change_of_user_or_channel_is_told_as_an_update() {
    for state in State::ALL {
        let walk = Walk::to(state)
            .and(update(ConversationState::Active, None, 1, 10))
            .and(update(ConversationState::Active, None, 1, 11));
        assert!(!walk.told().contains(&"conversation.updated"), "{state:?}");
        let stood = walk.state();
        let walk = walk.and(update(ConversationState::Active, None, 2, 12));
        // Of one that is over nobody is told what became of its user.
        let is_told = walk.told().last() == Some(&"conversation.updated");
        assert_eq!((is_told, walk.state()), (state.is_live(), stood), "{state:?}");
    }
}

#[test]
fn an_assignment_to_an_agent_who_left_is_not_a_join() {
    let walk = Walk::to(State::Active)
        .and(left("ada", 10))
        .and(update(ConversationState::Active, Some("ada"), 1, 11));
    assert_eq!(walk.state(), State::Transferring);
    let walk = walk.and(update(ConversationState::Idle, Some("bob"), 1, 12));
    assert_eq!(
        walk.told(),
        ["handover.accepted", "agent.joined", "agent.left", "handover.ended"]
    );

    let unseen = Walk::to(State::Queued)
        .and(update(ConversationState::Active, Some("ada"), 1, 10))
        .and(joined("ada", 9));
    assert_eq!(unseen.told(), ["handover.accepted", "agent.joined"]);
}

#[test]
fn a_message_in_state_bot_is_the_bots() {
    let author = |state| match Walk::to(state).and(send()).calls.as_slice() {
        [Call::PostMessage(part)] => part.author,
        other => panic!("one message expected: {other:?}"),
    };
    assert_eq!(author(State::Active), AuthorType::User);
    assert_eq!(author(State::Bot), AuthorType::Bot);
}

#[test]
fn what_comes_after_an_erase_is_told_late_and_without_words_and_brings_nobody_back() {
    let mut walk = Walk::to(State::Ended).and(Input::Erase);
    let erased_at = walk.handover.progress.erased_at;
    assert!(erased_at.is_some());
    walk.apply(message("agent", false, 30)).unwrap();
    let event = walk.events.last().unwrap();
    assert!(event.late && event.is_erased(), "{event:?}");
    assert!(!event.extra.as_str().contains("Hello"), "{event:?}");
    let named = AgentRef {
        id: "bob".to_owned(),
        name: Some("Bob Builder".to_owned()),
    };
    walk.apply(webhook(WebhookKind::AgentJoined(named), 31)).unwrap();
    assert!(!walk.events.last().unwrap().extra.as_str().contains("Builder"));
    assert_eq!(walk.handover.progress.agents.get("bob").unwrap().name, None);
    let version = walk.handover.version;
    walk.apply(Input::Erase).unwrap();
    assert_eq!(walk.handover.version, version, "a repeat changes nothing");
    assert_eq!(walk.handover.progress.erased_at, erased_at);
}
