//! The log as bots read it: lists, long polls and streams.

use std::time::Duration;
use std::time::Instant;

use http::Method;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::Client;
use crate::support::config::SALES;
use crate::support::wait::PATIENCE;
use crate::support::wait::eventually;
use crate::support::world::World;

/// A message of a stream of server-sent events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sent {
    pub(crate) kind: String,
    id: Option<String>,
    pub(crate) data: Value,
}

pub(crate) struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    pub(crate) async fn open(client: &Client, path: &str, last_event_id: Option<&str>) -> Self {
        let mut call = client.call(Method::GET, path).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            call = call.header("last-event-id", id);
        }
        let response = call.stream().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            read: String::new(),
        }
    }

    /// The next message; `None` when the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        tokio::time::timeout(PATIENCE, self.read_next()).await.unwrap()
    }

    async fn read_next(&mut self) -> Option<Sent> {
        loop {
            if let Some((message, rest)) = self.read.split_once("\n\n") {
                let sent = parse(message);
                let rest = rest.to_owned();
                self.read = rest;
                if let Some(sent) = sent {
                    return Some(sent);
                }
            } else {
                let chunk = self.response.chunk().await.unwrap()?;
                self.read.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Sent> {
        let mut all = Vec::new();
        while all.len() < count {
            all.push(self.next().await.unwrap());
        }
        all
    }
}

/// `None` for a comment, which keeps the connection alive.
fn parse(message: &str) -> Option<Sent> {
    let mut sent = Sent::default();
    for line in message.lines() {
        match line.split_once(": ")? {
            ("event", kind) => kind.clone_into(&mut sent.kind),
            ("id", id) => sent.id = Some(id.to_owned()),
            ("data", data) => sent.data = serde_json::from_str(data).unwrap(),
            ("", _comment) => return None,
            other => panic!("{other:?}"),
        }
    }
    Some(sent)
}

fn kinds(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(|sent| sent.kind.as_str()).collect()
}

fn numbers(list: &Value) -> Vec<u64> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"]["sequence"].as_u64().unwrap())
        .collect()
}

/// Two handovers of the bot, of which one has an agent.
async fn served(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

#[tokio::test]
async fn the_log_is_what_the_bot_was_told_to_the_byte() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    world.eight.say(&conversation, "hello").await;
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.ended").await;
    let list = world.api.get(&format!("/v1/handovers/{id}/events")).await;
    assert_eq!(numbers(&list.ok(200)), [1, 2, 3, 4, 5, 6]);
    let told: Vec<_> = world
        .bots
        .events(&id)
        .iter()
        .map(|told| String::from_utf8(told.raw.to_vec()).unwrap())
        .collect();
    assert_eq!(list.text(), format!("{{\"data\":[{}]}}", told.join(",")));
    let page = |query: &'static str| {
        let path = format!("/v1/handovers/{id}/events?{query}");
        let api = world.api.clone();
        async move { numbers(&api.get(&path).await.ok(200)) }
    };
    assert_eq!(page("after=4").await, [5, 6]);
    assert_eq!(page("limit=2").await, [1, 2]);
    assert_eq!(page("after=2&limit=2").await, [3, 4]);
    assert!(page("after=6").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_long_poll_is_answered_when_something_happens_or_the_time_is_up() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let path = format!("/v1/handovers/{id}/events?after=3&wait=20");
    let mut polling = JoinSet::new();
    let api = world.api.clone();
    polling.spawn(async move {
        let begun = Instant::now();
        (api.get(&path).await.ok(200), begun.elapsed())
    });
    // The poll is under way once the gateway has its connection; an event before that would do as well.
    world.eight.say(&conversation, "hello").await;
    let (list, took) = polling.join_next().await.unwrap().unwrap();
    assert_eq!(numbers(&list), [4]);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let begun = Instant::now();
    let nothing = world
        .api
        .get(&format!("/v1/handovers/{id}/events?after=4&wait=1"))
        .await
        .ok(200);
    assert!(numbers(&nothing).is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(
        numbers(
            &world
                .api
                .get(&format!("/v1/handovers/{id}/events?after=3&wait=20"))
                .await
                .ok(200)
        ),
        [4]
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    world.finish().await;
}

#[tokio::test]
async fn a_stream_tells_the_log_then_what_happens_and_ends_with_the_handover() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let path = format!("/v1/handovers/{id}/events");
    let mut stream = Stream::open(&world.api, &path, None).await;
    let past = stream.take(3).await;
    assert_eq!(kinds(&past), ["handover.accepted", "handover.queued", "agent.joined"]);
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    let typing = stream.next().await.unwrap();
    assert_eq!((typing.kind.as_str(), &typing.id), ("agent.typing", &None));
    assert_eq!(
        (&typing.data["data"]["ephemeral"], &typing.data["data"]["sequence"]),
        (&json!(true), &json!(3))
    );
    world.eight.say(&conversation, "hello").await;
    let said = stream.next().await.unwrap();
    assert_eq!((said.kind.as_str(), said.id.as_deref()), ("message.created", Some("4")));
    let stopped = stream.next().await.unwrap();
    assert_eq!((stopped.kind.as_str(), &stopped.id), ("agent.typing", &None));
    world.eight.end(&conversation).await;
    assert_eq!(kinds(&stream.take(2).await), ["agent.left", "handover.ended"]);
    assert_eq!(stream.next().await, None);
    let log = world.api.events(&id).await;
    assert_eq!((&past[2].data, &said.data), (&log[2], &log[3]));
    // Of one that is over there is the log, and the end.
    let mut again = Stream::open(&world.api, &path, None).await;
    assert_eq!(again.take(6).await[5].kind, "handover.ended");
    assert_eq!(again.next().await, None);
    world.finish().await;
}

#[tokio::test]
async fn a_stream_goes_on_after_the_event_its_reader_saw_last() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let path = |query: &str| format!("/v1/handovers/{id}/events{query}");
    let mut after = Stream::open(&world.api, &path("?after=2"), None).await;
    assert_eq!(after.next().await.unwrap().id.as_deref(), Some("3"));
    let mut resumed = Stream::open(&world.api, &path("?after=0"), Some("2")).await;
    assert_eq!(resumed.next().await.unwrap().id.as_deref(), Some("3"));
    drop((after, resumed));
    world.eight.say(&conversation, "while nobody listened").await;
    world.bots.event(&id, "message.created").await;
    let mut resumed = Stream::open(&world.api, &path(""), Some("3")).await;
    assert_eq!(
        resumed.next().await.unwrap().data["data"]["message"]["text"],
        "while nobody listened"
    );
    let wrong = world
        .api
        .call(Method::GET, &path(""))
        .header("accept", "text/event-stream")
        .header("last-event-id", "x");
    assert_eq!(wrong.send().await.status, 422);
    world.finish().await;
}

#[tokio::test]
async fn one_cursor_leads_over_all_of_a_bots_handovers() {
    let mut world = World::start().await;
    let (first, first_conversation) = served(&world).await;
    let (second, second_conversation) = served(&world).await;
    world.api.of_bot(SALES).open(json!({})).await;
    let mut cursor = String::new();
    let mut seen = Vec::new();
    let read = async |world: &World, cursor: &mut String, seen: &mut Vec<Value>| {
        let query = if cursor.is_empty() {
            String::new()
        } else {
            format!("&after={cursor}")
        };
        let list = world.api.get(&format!("/v1/events?limit=2{query}")).await.ok(200);
        let events = list["data"].as_array().unwrap().clone();
        list["nextCursor"].as_str().unwrap().clone_into(cursor);
        seen.extend(events.clone());
        events.len()
    };
    while read(&world, &mut cursor, &mut seen).await > 0 {}
    assert_eq!(seen.len(), 6);
    world.eight.say(&first_conversation, "one").await;
    world.eight.say(&second_conversation, "two").await;
    world.bots.event(&first, "message.created").await;
    world.bots.event(&second, "message.created").await;
    world.kill_and_restart().await;
    while read(&world, &mut cursor, &mut seen).await > 0 {}
    assert_eq!(seen.len(), 8);
    for id in [&first, &second] {
        let own: Vec<_> = seen
            .iter()
            .filter(|event| event["data"]["handoverId"] == **id)
            .collect();
        let numbers: Vec<_> = own
            .iter()
            .map(|event| event["data"]["sequence"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_stream_of_all_handovers_goes_on_where_it_broke_off() {
    let world = World::start().await;
    let (first, first_conversation) = served(&world).await;
    let mut stream = Stream::open(&world.api, "/v1/events", None).await;
    let past = stream.take(3).await;
    assert!(past.iter().all(|sent| sent.data["data"]["handoverId"] == *first));
    let last = past[2].id.clone().unwrap();
    let (second, second_conversation) = served(&world).await;
    let news = stream.take(3).await;
    assert!(
        news.iter()
            .all(|sent| sent.data["data"]["handoverId"] == *second && sent.id.is_some())
    );
    drop(stream);
    world.eight.end(&first_conversation).await;
    world.bots.event(&first, "handover.ended").await;
    world.eight.say(&second_conversation, "still there").await;
    world.bots.event(&second, "message.created").await;
    let mut resumed = Stream::open(&world.api, "/v1/events", Some(&last)).await;
    let all = resumed.take(6).await;
    let expected = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "agent.left",
        "handover.ended",
        "message.created",
    ];
    assert_eq!(kinds(&all), expected);
    world.finish().await;
}

#[tokio::test]
async fn a_bot_without_an_address_pulls_everything() {
    let world = World::with(|setup| {
        setup.config.unset("bots.support.callback_url");
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "hello").await;
    world.eight.end(&conversation).await;
    let events = eventually("the end is in the log", async || {
        let events = world.api.events(&id).await;
        (events.last()?["type"] == "handover.ended").then_some(events)
    })
    .await;
    assert_eq!(events.len(), 6);
    assert!(world.bots.callbacks().is_empty());
    world.finish().await;
}

#[tokio::test]
async fn lists_of_handovers_are_filtered_and_come_in_pages() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(world.api.open(json!({"botSessionId": format!("s-{number}")})).await.0);
    }
    world.api.end(&ids[0]).await;
    ids.reverse();
    let list = async |query: &str| {
        let list = world.api.get(&format!("/v1/handovers{query}")).await.ok(200);
        let ids = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|handover| handover["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), list["nextCursor"].as_str().map(str::to_owned))
    };
    assert_eq!(list("").await, (ids.clone(), None));
    assert_eq!(list("?state=live").await.0, ids[..4]);
    assert_eq!(list("?state=ended").await.0, ids[4..]);
    assert_eq!(list("?botSessionId=s-3").await.0, ids[1..2]);
    let (page, cursor) = list("?limit=2").await;
    assert_eq!(page, ids[..2]);
    let (page, cursor) = list(&format!("?limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!(page, ids[2..4]);
    assert_eq!(
        list(&format!("?limit=2&cursor={}", cursor.unwrap())).await,
        (ids[4..].to_vec(), None)
    );
    world.finish().await;
}
