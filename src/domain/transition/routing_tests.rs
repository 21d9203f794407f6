//! Changes of queue: every way in which one is seen, not seen, or fails, and fallbacks from queue to queue.

use std::time::Duration;

use proptest::prelude::*;

use crate::domain::transition::tests::*;
use crate::domain::transition::*;
use crate::domain::*;

/// `settling`: the tests' transfer grace.
const SETTLING: Duration = Duration::from_secs(10);

fn queue(id: &str) -> Queue {
    Queue {
        id: id.to_owned(),
        name: None,
    }
}

fn reroute_to(id: &str, chain: Vec<Stop>) -> Input {
    Input::Update(UpdateHandover {
        queue_id: Some(id.to_owned()),
        chain,
        user: None,
    })
}

fn in_queue(id: &str, at: i64) -> Input {
    webhook(WebhookKind::Queued(queue(id)), at)
}

fn assigned_to(id: &str, at: i64) -> Input {
    let update = ConversationUpdate {
        state: Some(ConversationState::Active),
        agent: None,
        queue_id: Some(id.to_owned()),
        handover: None,
        fingerprint: 1,
        raw: RawJson::parse("{}").unwrap(),
    };
    webhook(WebhookKind::ConversationUpdate(update), at)
}

fn stop(id: &str, minutes: Option<u64>) -> Stop {
    Stop::new(id, minutes.map(Duration::from_mins))
}

impl Walk {
    fn wanted(&self) -> Option<&Wanted> {
        self.handover.progress.routing.wanted.as_deref()
    }

    fn call(&self) -> CallId {
        self.wanted().expect("a queue is asked for").call.clone()
    }

    /// 8x8 takes the newest change of queue.
    fn taken(self) -> Self {
        let call = self.call();
        self.and(Input::Updated { call, user: None })
    }

    /// 8x8 refuses it.
    fn refused(self, asked_by: AskedBy) -> Self {
        let (call, problem) = (self.call(), RawJson::parse("{}").unwrap());
        self.and(Input::UpdateFailed {
            call,
            asked_by,
            problem,
        })
    }

    fn waits_in(&self) -> &str {
        &self.handover.progress.queue.as_ref().expect("a queue").id
    }

    fn asked_for(&self) -> Vec<&str> {
        let of = |call: &'_ Call| match call {
            Call::Update { queue_id, .. } => queue_id.clone(),
            Call::PostMessage(_) | Call::UserLeaves { .. } | Call::HandBack { .. } => None,
        };
        self.calls.iter().filter_map(of).map(|id| &*id.leak()).collect()
    }

    /// The time-out of the present moment.
    fn due(self) -> Self {
        self.and(Input::Deadline)
    }

    fn looked(self, found: Whereabouts) -> Self {
        self.after(SETTLING).and(Input::Looked(found))
    }

    /// Waiting along a plan.
    fn along(stops: Vec<Stop>) -> Self {
        let mut walk = Self::new();
        let first = stops.first().map(|stop| queue(&stop.id));
        walk.handover.progress.queue = first;
        walk.handover.progress.routing = Routing::starting(stops, Vec::new());
        walk.and(created())
    }
}

/// What comes of a change that 8x8 took, by what is heard or seen after it, from `queued` and from `bot`: the state, what
/// the bot is told, and whether the change is still waited for.
fn after_it_was_taken() -> Vec<(&'static str, Input, [&'static str; 2])> {
    let here = |id: &str| Whereabouts::Queue(queue(id));
    vec![
        (
            "QUEUED",
            in_queue("102", 50),
            ["queued handover.queued", "queued handover.queued"],
        ),
        (
            "QUEUED elsewhere",
            in_queue("103", 50),
            ["queued handover.queued waits", "queued handover.queued waits"],
        ),
        ("update", assigned_to("102", 50), ["queued", "queued"]),
        (
            "update elsewhere",
            assigned_to("103", 50),
            ["queued waits", "bot waits"],
        ),
        (
            "joined",
            joined("ada", 50),
            ["active agent.joined", "active agent.joined"],
        ),
        (
            "seen",
            Input::Looked(here("102")),
            ["queued handover.queued", "queued handover.queued"],
        ),
        (
            "seen elsewhere",
            Input::Looked(here("101")),
            ["queued handover.update_failed", "bot handover.update_failed"],
        ),
        (
            "with an agent",
            Input::Looked(Whereabouts::Agent(agent("ada"))),
            ["active agent.joined", "active agent.joined"],
        ),
        (
            "over",
            Input::Looked(Whereabouts::Over),
            ["ended handover.ended", "ended handover.ended"],
        ),
        (
            "not seen",
            Input::Looked(Whereabouts::CouldNotTell),
            ["queued waits", "bot waits"],
        ),
    ]
}

#[test]
fn a_change_8x8_took_counts_when_it_is_seen_as_the_table_says() {
    for (name, input, expected) in after_it_was_taken() {
        for (state, expected) in [State::Queued, State::Bot].into_iter().zip(expected) {
            let mut walk = Walk::to(state).and(reroute_to("102", Vec::new())).taken();
            let told = walk.events.len();
            walk = walk.after(SETTLING).and(input.clone());
            let mut found = vec![walk.state().as_str()];
            found.extend(walk.events[told..].iter().map(|event| event.kind.as_str()));
            found.extend(walk.wanted().map(|_| "waits"));
            assert_eq!(found.join(" "), expected, "{name} in {state:?}");
        }
    }
}

#[test]
fn an_acceptance_alone_changes_nothing() {
    let walk = Walk::to(State::Bot).and(reroute_to("102", Vec::new())).taken();
    assert_eq!(walk.state(), State::Bot);
    assert_eq!(walk.handover.progress.queue, Some(queue("101")));
    assert_eq!(next_deadline(&walk.handover), Some(walk.now.plus(SETTLING)));
    let early = walk.and(Input::Looked(Whereabouts::Queue(queue("102"))));
    assert_eq!(early.state(), State::Bot, "events have not had their time");
}

#[test]
fn a_change_that_cannot_be_seen_is_looked_for_three_times() {
    let mut walk = Walk::to(State::Queued).and(reroute_to("102", Vec::new())).taken();
    for _ in 0..2 {
        walk = walk.looked(Whereabouts::CouldNotTell);
        assert!(walk.wanted().is_some());
    }
    walk = walk.looked(Whereabouts::CouldNotTell);
    assert_eq!(walk.wanted(), None);
    let told = walk.events.last().expect("the bot is told");
    assert_eq!(told.kind, EventType::UpdateFailed);
    assert!(told.extra.as_str().contains("could not be seen"), "{:?}", told.extra);
    assert_eq!((walk.state(), walk.waits_in()), (State::Queued, "101"));
}

#[test]
fn a_change_that_was_seen_is_told_once_whenever_queued_comes() {
    let seen = Walk::to(State::Queued)
        .and(reroute_to("102", Vec::new()))
        .taken()
        .looked(Whereabouts::Queue(queue("102")));
    assert_eq!(seen.told(), ["handover.accepted", "handover.queued"]);
    let named = seen.and(queued(60));
    assert_eq!(named.told().len(), 2, "8x8's own word comes late and is no news");
    let name = named.handover.progress.queue.as_ref().unwrap().name.as_deref();
    assert_eq!(name, Some("Billing"));
    let again = named.and(queued(61));
    assert_eq!(again.told().len(), 3, "a second one is");
}

#[test]
fn a_change_that_only_an_update_showed_is_told_after_a_while() {
    let walk = Walk::to(State::Queued)
        .and(reroute_to("102", Vec::new()))
        .taken()
        .and(assigned_to("102", 50));
    assert_eq!((walk.waits_in(), walk.told().len()), ("102", 1));
    let by_event = walk.clone_walk().and(queued(51)).after(SETTLING).due();
    assert_eq!(by_event.told(), ["handover.accepted", "handover.queued"]);
    let by_time = walk.after(SETTLING).due().and(queued(51));
    assert_eq!(by_time.told(), ["handover.accepted", "handover.queued"]);
}

impl Walk {
    fn clone_walk(&self) -> Self {
        let mut walk = Self::new();
        walk.handover = self.handover.clone();
        walk.now = self.now;
        walk.events.clone_from(&self.events);
        walk.calls.clone_from(&self.calls);
        walk
    }
}

#[test]
fn a_newer_change_takes_the_place_of_an_older_one() {
    let older = Walk::to(State::Queued).and(reroute_to("102", Vec::new()));
    let first = older.call();
    let walk = older.and(reroute_to("103", Vec::new()));
    let walk = walk.and(Input::Updated {
        call: first,
        user: None,
    });
    assert_eq!(walk.wanted().unwrap().look_at, None, "the older one says nothing of it");
    let walk = walk.taken().and(in_queue("102", 50)).and(in_queue("103", 51));
    assert_eq!((walk.wanted(), walk.waits_in()), (None, "103"));
}

#[test]
fn a_queued_overtaken_by_a_newer_one_does_not_take_the_queue_back() {
    let walk = Walk::to(State::Queued)
        .and(in_queue("103", 60))
        .and(in_queue("101", 50));
    assert_eq!(walk.waits_in(), "103");
    assert_eq!(walk.told().len(), 3, "it is told all the same");
}

#[test]
fn users_go_from_queue_to_queue_and_then_the_wait_is_over() {
    let stops = vec![stop("101", Some(1)), stop("102", Some(2)), stop("103", Some(3))];
    let walk = Walk::along(stops).after(Duration::from_secs(58)).due();
    assert_eq!(walk.asked_for(), [""; 0], "not yet");
    let walk = walk.after(Duration::from_secs(1)).due();
    assert_eq!(walk.asked_for(), ["102"]);
    let walk = walk.taken().and(in_queue("102", 50));
    let walk = walk
        .after(Duration::from_mins(2))
        .due()
        .taken()
        .and(in_queue("103", 51));
    assert_eq!(walk.asked_for(), ["102", "103"]);
    let walk = walk.after(Duration::from_mins(3)).due();
    assert_eq!(walk.handover.progress.end_reason, Some(EndReason::QueueTimeout));
    assert!(matches!(walk.calls.last(), Some(Call::UserLeaves { .. })));
}

#[test]
fn a_fallback_that_cannot_be_had_is_passed_over_and_nobody_is_lost() {
    let stops = vec![
        stop("101", Some(1)),
        stop("102", Some(1)),
        stop("103", Some(1)),
        stop("104", Some(1)),
    ];
    let walk = Walk::along(stops).after(Duration::from_mins(1)).due();
    let walk = walk.refused(AskedBy::Plan);
    assert_eq!(walk.asked_for(), ["102", "103"], "the next is asked for at once");
    let walk = walk.taken().looked(Whereabouts::Queue(queue("101")));
    assert_eq!(walk.asked_for(), ["102", "103", "104"]);
    let mut walk = walk.taken();
    for _ in 0..3 {
        walk = walk.looked(Whereabouts::CouldNotTell);
    }
    let failures = |walk: &Walk| {
        walk.told()
            .iter()
            .filter(|kind| **kind == "handover.update_failed")
            .count()
    };
    assert_eq!(failures(&walk), 3);
    let walk = walk.after(Duration::from_mins(5)).due();
    assert_eq!((walk.state(), walk.waits_in()), (State::Queued, "101"));
    let walk = walk.after(Duration::from_mins(10)).due();
    assert_eq!(walk.handover.progress.end_reason, Some(EndReason::QueueTimeout));
}

#[test]
fn the_limit_over_all_queues_holds_beside_the_fallbacks() {
    let stops = vec![stop("101", Some(6)), stop("102", Some(60))];
    let walk = Walk::along(stops).after(Duration::from_mins(6)).due();
    let walk = walk
        .taken()
        .and(in_queue("102", 50))
        .after(Duration::from_mins(4))
        .due();
    assert_eq!(walk.handover.progress.end_reason, Some(EndReason::QueueTimeout));
}

#[test]
fn a_bots_own_change_starts_the_plan_of_the_queue_it_names() {
    let stops = vec![stop("101", Some(1)), stop("102", Some(2)), stop("103", Some(3))];
    let listed = Walk::along(stops.clone()).and(reroute_to("102", vec![stop("102", None)]));
    let listed = listed.taken().and(in_queue("102", 50));
    assert_eq!(listed.handover.progress.routing.plan, stops[1..]);
    let chain = vec![stop("201", Some(4)), stop("202", None)];
    let other = listed
        .and(reroute_to("201", chain.clone()))
        .taken()
        .and(in_queue("201", 51));
    assert_eq!(other.handover.progress.routing.plan, chain);
    let failed = Walk::along(stops.clone())
        .and(reroute_to("103", Vec::new()))
        .refused(AskedBy::Bot);
    assert_eq!(failed.handover.progress.routing.plan, stops, "the old plan goes on");
    assert_eq!(failed.after(Duration::from_mins(1)).due().asked_for(), ["103", "102"]);
}

#[test]
fn a_move_of_8x8s_own_goes_along_the_plan() {
    let stops = vec![stop("101", Some(1)), stop("102", Some(2)), stop("103", Some(3))];
    let walk = Walk::along(stops)
        .and(in_queue("102", 50))
        .after(Duration::from_secs(90))
        .due();
    assert_eq!(walk.asked_for(), [""; 0], "the wait began anew there");
    assert_eq!(walk.after(Duration::from_secs(30)).due().asked_for(), ["103"]);
}

#[test]
fn an_agent_ends_the_plan_and_a_transfer_does_not_start_it_again() {
    let stops = vec![stop("101", Some(1)), stop("102", Some(2))];
    let walk = Walk::along(stops)
        .after(Duration::from_mins(1))
        .due()
        .and(joined("ada", 50));
    assert_eq!(walk.wanted(), None);
    let call = CallId::generate(START);
    let walk = walk.and(Input::UpdateFailed {
        call,
        asked_by: AskedBy::Plan,
        problem: RawJson::parse("{}").unwrap(),
    });
    assert_eq!(walk.told().last(), Some(&"agent.joined"), "the bot asked for nothing");
    let walk = walk.and(left("ada", 60)).and(transfer(61)).and(in_queue("102", 62));
    let walk = walk.after(Duration::from_mins(9)).due();
    assert_eq!(walk.asked_for(), ["102"]);
    assert_eq!(walk.state(), State::Transferring);
}

fn step() -> impl Strategy<Value = (u8, u8, u16)> {
    (0u8..14, 0u8..4, 0u16..400)
}

/// One of the things that can happen; what is not allowed in a state is refused and changes nothing.
fn happen(walk: &mut Walk, what: u8, which: u8, at: i64) {
    let id = ["101", "102", "103", "104"][usize::from(which)];
    let call = walk
        .wanted()
        .map_or_else(|| CallId::generate(START), |wanted| wanted.call.clone());
    let input = match what {
        0 => reroute_to(id, vec![stop(id, Some(1)), stop("104", Some(2))]),
        1 => Input::Updated { call, user: None },
        2 => Input::UpdateFailed {
            call,
            asked_by: walk.wanted().map_or(AskedBy::Bot, |wanted| wanted.asked_by),
            problem: RawJson::parse("{}").unwrap(),
        },
        3 => in_queue(id, at),
        4 => assigned_to(id, at),
        5 => joined("ada", at),
        6 => left("ada", at),
        7 => transfer(at),
        8 => Input::Deadline,
        9 => Input::Looked(Whereabouts::Queue(queue(id))),
        10 => Input::Looked(Whereabouts::CouldNotTell),
        11 => Input::Looked(Whereabouts::Agent(agent("ada"))),
        12 => message("agent", false, at),
        _ => Input::Asked(Answer::GoesOn {
            agent: None,
            in_queue: true,
        }),
    };
    let before = walk.handover.clone();
    if walk.apply(input).is_err() {
        assert_eq!(walk.handover, before);
    }
}

proptest! {
    /// However events, answers and timers come: a wish is either being carried out, or has a time at which it is looked
    /// at; nothing but being seen makes a bot's conversation wait; and in the end each wish is settled.
    #[test]
    fn no_change_of_queue_is_forgotten(bot in any::<bool>(), steps in prop::collection::vec(step(), 1..40)) {
        let mut walk = Walk::along(vec![stop("101", Some(1)), stop("102", Some(1)), stop("103", None)]);
        if bot {
            walk.handover.progress.state = State::Bot;
            walk.handover.progress.queued_since = None;
            walk.handover.progress.routing.since = None;
        }
        for (what, which, wait) in steps {
            let before = (walk.state(), walk.events.len());
            walk = walk.after(Duration::from_secs(u64::from(wait)));
            let at = walk.now.as_millis() - START.as_millis();
            happen(&mut walk, what, which, at);
            if before.0 == State::Bot && walk.state() == State::Queued {
                prop_assert!(matches!(what, 3 | 4 | 9), "{what}");
            }
            let routing = &walk.handover.progress.routing;
            if !matches!(walk.state(), State::Queued | State::Bot) {
                prop_assert!(routing.wanted.is_none() && routing.plan.is_empty() && routing.untold.is_none());
            }
            if let Some(at) = routing.look_at() {
                prop_assert!(next_deadline(&walk.handover).is_some_and(|next| next <= at));
            }
        }
        for _ in 0..40 {
            let Some(wanted) = walk.wanted().cloned() else { break };
            if wanted.look_at.is_none() {
                walk = walk.taken();
            }
            walk = walk.looked(Whereabouts::CouldNotTell);
        }
        prop_assert_eq!(walk.wanted(), None);
    }
}
