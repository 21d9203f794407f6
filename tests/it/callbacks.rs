//! How bots are called back, and what a bot that misbehaves does to itself and to others.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use http::HeaderMap;
use serde_json::json;
use standardwebhooks::Webhook;

use crate::support::bot::CAPTURE;
use crate::support::bot::Callback;
use crate::support::bot::PROMPT;
use crate::support::config::SALES;
use crate::support::config::SECRET;
use crate::support::config::SUPPORT;
use crate::support::reply::Reply;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

const OTHER_SECRET: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";
const ACCEPTED_QUEUED: [&str; 2] = ["handover.accepted", "handover.queued"];

/// Attempts are given up after a second.
fn impatient(setup: &mut Setup) {
    setup.config.set("delivery.timeout", "1s");
}

fn is_of(handover: &str) -> impl Fn(&Callback) -> bool + Send + use<> {
    let handover = handover.to_owned();
    move |callback| callback.handover() == handover
}

/// A handover with an agent in it, of which the bot was told.
async fn served(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

async fn told(world: &World, id: &str, text: &str) -> Callback {
    eventually(&format!("the bot is told `{text}`"), async || {
        let events = world.bots.attempts(id).into_iter();
        events
            .rev()
            .find(|callback| callback.text() == text && callback.answered == Some(204))
    })
    .await
}

#[tokio::test]
async fn a_callback_carries_its_headers_and_nothing_secret() {
    let world = World::with(|setup| {
        setup
            .config
            .set("bots.support.auth.kind", "bearer")
            .set("bots.support.auth.token", "what-the-bot-expects");
    })
    .await;
    let (id, _) = world.api.open(json!({})).await;
    let events = world.bots.told(&id, &ACCEPTED_QUEUED).await;
    let told = &events[1];
    assert_eq!(told.header("content-type"), "application/json");
    assert_eq!(
        told.header("user-agent"),
        concat!("handover-gateway/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(told.header("authorization"), "Bearer what-the-bot-expects");
    assert_eq!(told.header("handover-id"), id);
    assert_eq!(told.header("handover-sequence"), "2");
    assert_eq!(told.header("handover-attempt"), "1");
    assert_eq!(told.header("traceparent").len(), 55);
    assert_eq!(told.header("handover-replay"), "");
    let sent_at: u64 = told.header("webhook-timestamp").parse().unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(now.abs_diff(sent_at) <= 5, "{sent_at} is not now, {now}");
    assert!(told.id().starts_with("evt_") && told.id().len() == 36, "{}", told.id());
    assert_eq!(told.event, world.api.events(&id).await[1]);
    world.finish().await;
}

#[tokio::test]
async fn a_callback_is_signed_with_every_secret_in_force() {
    let world = World::with(|setup| {
        setup
            .config
            .set("bots.support.callback_secrets", json!([SECRET, OTHER_SECRET]));
    })
    .await;
    let (id, _) = world.api.open(json!({})).await;
    let told = world.bots.event(&id, "handover.accepted").await;
    let signatures: Vec<_> = told.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2, "{signatures:?}");
    for (secret, signature) in [SECRET, OTHER_SECRET].into_iter().zip(signatures) {
        let mut headers: HeaderMap = told.headers.clone();
        headers.insert("webhook-signature", signature.parse().unwrap());
        let webhook = Webhook::new(secret).unwrap();
        webhook.verify(&told.raw, &headers).unwrap();
        assert!(webhook.verify(b"{}", &headers).is_err());
    }
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_answers_500_is_called_again_in_order() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    world
        .bots
        .answer(2, Reply::status(500), |callback| callback.text() == "first");
    world.eight.say(&conversation, "first").await;
    world.eight.say(&conversation, "second").await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "message.created",
    ];
    world.bots.told(&id, &kinds).await;
    let tries: Vec<_> = world
        .bots
        .attempts(&id)
        .into_iter()
        .filter(|callback| callback.text() == "first")
        .collect();
    assert_eq!(tries.len(), 3);
    assert!(
        tries
            .iter()
            .all(|attempt| attempt.id() == tries[0].id() && attempt.raw == tries[0].raw)
    );
    let numbers: Vec<_> = tries
        .iter()
        .map(|attempt| attempt.header("handover-attempt").to_owned())
        .collect();
    assert_eq!(numbers, ["1", "2", "3"]);
    let waits: Vec<_> = tries.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(
        waits[0] >= Duration::from_millis(370) && waits[1] >= Duration::from_millis(740),
        "{waits:?}"
    );
    let second = told(&world, &id, "second").await;
    assert!(second.at > tries[2].at);
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_asks_for_time_gets_it() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let busy = Reply::status(429).header("retry-after", "2");
    world
        .bots
        .answer(1, busy, |callback| callback.kind() == "message.created");
    world.eight.say(&conversation, "hello").await;
    let second = told(&world, &id, "hello").await;
    let tries: Vec<_> = world
        .bots
        .attempts(&id)
        .into_iter()
        .filter(|callback| callback.text() == "hello")
        .collect();
    assert_eq!(tries.len(), 2);
    let wait = second.at - tries[0].at;
    assert!(
        wait >= Duration::from_millis(1950) && wait < Duration::from_secs(4),
        "{wait:?}"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let elsewhere = format!("{}/{CAPTURE}", world.bots.url());
    for status in [301, 302, 303, 307, 308] {
        let reply = Reply::status(status).header("location", elsewhere.clone());
        world
            .bots
            .answer(1, reply, |callback| callback.kind() == "message.created");
        if status == 302 {
            break;
        }
    }
    world.eight.say(&conversation, "hello").await;
    told(&world, &id, "hello").await;
    assert_eq!(
        world
            .bots
            .attempts(&id)
            .iter()
            .filter(|callback| callback.text() == "hello")
            .count(),
        3
    );
    assert!(world.bots.captured().is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_says_gone_is_told_no_more_of_this_handover() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let (other, other_conversation) = served(&world).await;
    let of_first = is_of(&id);
    world.bots.answer(1, Reply::status(410), move |callback| {
        of_first(callback) && callback.text() == "stop"
    });
    world.eight.say(&conversation, "stop").await;
    world.eight.say(&conversation, "not told").await;
    eventually("it is logged all the same", async || {
        world
            .api
            .events(&id)
            .await
            .iter()
            .any(|event| event["data"]["message"]["text"] == "not told")
            .then_some(())
    })
    .await;
    world.eight.say(&other_conversation, "told").await;
    told(&world, &other, "told").await;
    always("the bot is told no more", Duration::from_millis(1500), async || {
        world
            .bots
            .attempts(&id)
            .iter()
            .all(|callback| callback.text() != "not told")
    })
    .await;
    assert_eq!(
        world
            .bots
            .attempts(&id)
            .iter()
            .filter(|callback| callback.text() == "stop")
            .count(),
        1
    );
    world.finish().await;
}

/// One handover's callbacks fail in some way. Its own events wait for their turn; others' do not.
async fn holds_up_only_itself(reply: Reply) {
    let world = World::with(impatient).await;
    let (bad, bad_conversation) = served(&world).await;
    let (good, good_conversation) = served(&world).await;
    let sales = world.api.of_bot(SALES);
    let (other, other_conversation) = sales.open(json!({})).await;
    let of_bad = is_of(&bad);
    world
        .bots
        .answer(2, reply, move |callback| of_bad(callback) && callback.text() == "held");
    world.eight.say(&bad_conversation, "held").await;
    world.eight.say(&bad_conversation, "behind").await;
    world
        .bots
        .callback("the first attempt", |callback| callback.text() == "held")
        .await;
    let begun = Instant::now();
    world.eight.say(&good_conversation, "same bot").await;
    world.eight.say(&other_conversation, "other bot").await;
    told(&world, &good, "same bot").await;
    told(&world, &other, "other bot").await;
    assert!(begun.elapsed() < PROMPT, "others waited {:?}", begun.elapsed());
    let behind = told(&world, &bad, "behind").await;
    let held = told(&world, &bad, "held").await;
    assert!(behind.at > held.at);
    assert_eq!(held.header("handover-attempt"), "3");
    world.finish().await;
}

#[tokio::test]
async fn a_callback_that_is_never_answered_holds_up_only_its_handover() {
    holds_up_only_itself(Reply::hang()).await;
}

#[tokio::test]
async fn a_callback_that_is_answered_a_byte_a_second_holds_up_only_its_handover() {
    holds_up_only_itself(Reply::drip()).await;
}

#[tokio::test]
async fn a_callback_whose_connection_breaks_holds_up_only_its_handover() {
    holds_up_only_itself(Reply::close()).await;
}

#[tokio::test]
async fn a_bot_that_hangs_takes_no_places_of_another() {
    let world = World::with(|setup| {
        setup
            .config
            .set("delivery.timeout", "3s")
            .set("delivery.max_in_flight", 6)
            .set("delivery.max_in_flight_per_bot", 4);
    })
    .await;
    world
        .bots
        .answer(1000, Reply::hang(), |callback| callback.bot == SUPPORT);
    for _ in 0..12 {
        world.api.create(json!({})).await;
    }
    eventually("the bot hangs", async || {
        (world.bots.callbacks().len() >= 4).then_some(())
    })
    .await;
    let begun = Instant::now();
    let sales = world.api.of_bot(SALES);
    for _ in 0..3 {
        let (id, _) = sales.open(json!({})).await;
        world.bots.told(&id, &ACCEPTED_QUEUED).await;
    }
    assert!(begun.elapsed() < PROMPT, "the other bot waited {:?}", begun.elapsed());
    world.bots.forget_rules();
    world.finish().await;
}

#[tokio::test]
async fn of_a_huge_answer_only_the_beginning_is_read() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    world
        .bots
        .answer(1, Reply::huge(), |callback| callback.text() == "first");
    let begun = Instant::now();
    world.eight.say(&conversation, "first").await;
    world.eight.say(&conversation, "second").await;
    told(&world, &id, "second").await;
    assert!(begun.elapsed() < PROMPT);
    let tries = world
        .bots
        .attempts(&id)
        .into_iter()
        .filter(|callback| callback.text() == "first");
    assert_eq!(tries.count(), 1, "a success is a success whatever follows it");
    world.finish().await;
}

#[tokio::test]
async fn a_bot_is_told_only_what_it_wants() {
    let world = World::with(|setup| {
        setup
            .config
            .set("bots.support.events", json!(["message.created", "handover.ended"]));
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    world.eight.say(&conversation, "hello").await;
    world.eight.end(&conversation).await;
    let ended = world.bots.event(&id, "handover.ended").await;
    assert_eq!(world.bots.kinds(&id), ["message.created", "handover.ended"]);
    assert_eq!(world.bots.callbacks().len(), 2);
    let log = world.api.events(&id).await;
    assert_eq!(log.len(), 6);
    assert_eq!(ended.sequence(), 6);
    world.finish().await;
}

#[tokio::test]
async fn a_handover_may_have_its_own_address_on_the_bots_host() {
    let world = World::start().await;
    let address = format!("{}/support/of/its/own", world.bots.url());
    let (id, _) = world.api.open(json!({"callbackUrl": address})).await;
    let events = world.bots.told(&id, &ACCEPTED_QUEUED).await;
    assert!(events.iter().all(|callback| callback.bot == "support/of/its/own"));
    for wrong in [
        "http://127.0.0.2:1/x",
        "https://elsewhere.example.com/",
        "ftp://127.0.0.1/",
        "nonsense",
        "",
    ] {
        let body = json!({"user": {}, "callbackUrl": wrong});
        let refused = world.api.post("/v1/handovers", &body).await.ok(422);
        assert_eq!(refused["errors"][0]["pointer"], "/callbackUrl", "{wrong}");
    }
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn typing_is_tried_once_and_never_while_something_waits() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let is_typing = |callback: &Callback| callback.kind() == "agent.typing";
    world.bots.answer(1, Reply::status(500), is_typing);
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    world.bots.callback("typing", is_typing).await;
    // A backlog: what the agent types now is old when it is worked off.
    world
        .bots
        .answer(2, Reply::status(500), |callback| callback.text() == "held");
    world.eight.say(&conversation, "held").await;
    world
        .bots
        .callback("the failing one", |callback| callback.text() == "held")
        .await;
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    world.eight.agent(&conversation, json!({"do": "stop-typing"})).await;
    told(&world, &id, "held").await;
    world.eight.say(&conversation, "after").await;
    told(&world, &id, "after").await;
    assert_eq!(
        world
            .bots
            .attempts(&id)
            .into_iter()
            .filter(|callback| is_typing(callback))
            .count(),
        1
    );
    world.finish().await;
}

/// Events fail for good and leave the head of their lane in time.
fn short_deadlines(setup: &mut Setup) {
    setup
        .config
        .set("delivery.timeout", "1s")
        .set("delivery.head_deadline", "2s");
}

#[tokio::test]
async fn a_message_that_is_never_accepted_makes_room_for_the_next() {
    let world = World::with(short_deadlines).await;
    let (id, conversation) = served(&world).await;
    world
        .bots
        .answer(1000, Reply::status(400), |callback| callback.text() == "poison");
    world.eight.say(&conversation, "poison").await;
    world.eight.say(&conversation, "next").await;
    let next = told(&world, &id, "next").await;
    let tries: Vec<_> = world
        .bots
        .attempts(&id)
        .into_iter()
        .filter(|callback| callback.text() == "poison")
        .collect();
    assert!(tries.len() >= 3, "{}", tries.len());
    assert!(next.at - tries[0].at >= Duration::from_millis(1900));
    assert!(tries.iter().all(|attempt| attempt.at < next.at));
    let given_up = world
        .finish()
        .await
        .with_message("was given up and is a failed delivery");
    assert_eq!(given_up.len(), 1);
}

#[tokio::test]
async fn a_lifecycle_event_that_is_not_accepted_is_told_late_beside_the_others() {
    let world = World::with(short_deadlines).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    world
        .bots
        .answer(4, Reply::status(400), |callback| callback.kind() == "agent.joined");
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "next").await;
    let next = told(&world, &id, "next").await;
    let joined = eventually("the join is told in the end", async || {
        let attempts = world.bots.attempts(&id).into_iter();
        attempts
            .rev()
            .find(|callback| callback.kind() == "agent.joined" && callback.answered == Some(204))
    })
    .await;
    assert!(joined.at > next.at);
    assert_eq!((&joined.data()["late"], joined.sequence()), (&json!(true), 3));
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_was_away_is_told_everything_in_order_when_it_is_back() {
    let world = World::start().await;
    let mut handovers = Vec::new();
    for _ in 0..5 {
        handovers.push(served(&world).await);
    }
    world.bots.answer(1_000_000, Reply::status(503), |_| true);
    for number in 0..10 {
        for (_, conversation) in &handovers {
            world.eight.say(conversation, &format!("message {number}")).await;
        }
    }
    world.eight.all_acknowledged().await;
    eventually("the bot was tried", async || {
        world
            .bots
            .callbacks()
            .iter()
            .any(|callback| callback.answered == Some(503))
            .then_some(())
    })
    .await;
    world.bots.forget_rules();
    for (id, _) in &handovers {
        let kinds = [
            &["handover.accepted", "handover.queued", "agent.joined"][..],
            &["message.created"; 10][..],
        ]
        .concat();
        let events = world.bots.told(id, &kinds).await;
        let texts: Vec<_> = events[3..].iter().map(|event| event.text().to_owned()).collect();
        assert_eq!(
            texts,
            (0..10).map(|number| format!("message {number}")).collect::<Vec<_>>()
        );
    }
    world.finish().await;
}
