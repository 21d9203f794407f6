//! Files that go out with messages and with the history: by what 8x8 calls them, or fetched from the bot.

use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::Reply;
use crate::support::files::FileServer;
use crate::support::files::bytes;
use crate::support::wait::eventually;
use crate::support::world::World;

async fn active(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

async fn post(world: &World, id: &str, message: Value) -> Reply {
    world.api.post(&format!("/v1/handovers/{id}/messages"), &message).await
}

/// Author, text and names of files of each message 8x8 has from us.
async fn said(world: &World, conversation: &str) -> Vec<(String, String, Vec<String>)> {
    let shown = world.eight.conversation(conversation).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name_of = |id: &Value| {
        let mut files = shown["attachments"].as_array().unwrap().iter();
        text(&files.find(|file| file["id"] == *id).unwrap()["filename"])
    };
    let messages = shown["messages"].as_array().unwrap().iter();
    messages
        .filter(|message| message["author"] != "agent")
        .map(|message| {
            let files = message["attachments"].as_array().unwrap().iter();
            let files = files.map(|file| name_of(&file["id"])).collect();
            (text(&message["author"]), text(&message["text"]), files)
        })
        .collect()
}

fn one(author: &str, text: &str, files: &[&str]) -> (String, String, Vec<String>) {
    let files = files.iter().map(|file| (*file).to_owned()).collect();
    (author.to_owned(), text.to_owned(), files)
}

fn pointers(reply: &Reply) -> (u16, Vec<String>) {
    let body = reply.json();
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let pointer = |error: &Value| error["pointer"].as_str().unwrap().to_owned();
    (reply.status, errors.iter().map(pointer).collect())
}

#[tokio::test]
async fn a_message_shows_files_8x8_has_and_files_fetched_from_the_bot_in_order() {
    let world = World::start().await;
    let files = FileServer::start().await;
    let (id, conversation) = active(&world).await;
    let sent = world.api.upload_file(&id, "first.txt", b"1").send().await.ok(201);
    let attachments = json!([
        {"id": sent["id"]},
        {"url": files.url("/size/200000/second.png")},
        {"url": files.url("/size/10/x"), "filename": "../third.pdf", "contentType": "application/pdf"},
    ]);
    let message = json!({"text": "see these", "attachments": attachments});
    assert_eq!(post(&world, &id, message).await.ok(202)["status"], "accepted");
    // Of files alone.
    let alone = json!({"attachments": [{"url": files.url("/size/10/alone.txt")}], "authorType": "bot"});
    post(&world, &id, alone).await.ok(202);
    world.api.say(&id, "after").await;
    let expected = [
        one("user", "see these", &["first.txt", "second.png", "third.pdf"]),
        one("bot", "", &["alone.txt"]),
        one("user", "after", &[]),
    ];
    assert_eq!(said(&world, &conversation).await, expected);
    let shown = world.eight.conversation(&conversation).await;
    assert_eq!(shown["attachments"][1]["crc32"], crc32fast::hash(&bytes(200_000)));
    assert_eq!(shown["attachments"][1]["authorType"], "user");
    assert_eq!(shown["attachments"][3]["authorType"], "bot");
    world.finish().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_had_fails_the_message_and_nothing_of_it_is_posted() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.attachment_limit", "1 KiB");
        setup.config.set("tenants.acme.attachment_types", json!(["text/*"]));
        setup.config.set("tenants.acme.message_limit", 100);
    })
    .await;
    let files = FileServer::start().await;
    let (id, conversation) = active(&world).await;
    let long = "word ".repeat(60);
    for (path, why) in [
        ("/status/404", "answered with status 404"),
        ("/status/500", "answered with status 500"),
        ("/to/size/5/x.txt", "answered with status 302"),
        ("/size/2000/x.txt", "larger than 1024 bytes"),
        ("/size/5/x.png", "is image/png; taken are text/*"),
        ("/size/0/x.txt", "is empty"),
        ("/close", "could not be reached"),
    ] {
        let good = json!({"url": files.url("/size/5/good.txt")});
        let message = json!({"text": long, "attachments": [good, {"url": files.url(path)}]});
        let path_of_call = format!("/v1/handovers/{id}/messages");
        let call = || {
            world
                .api
                .call(http::Method::POST, &path_of_call)
                .json(&message)
                .once(path)
        };
        let reply = call().send().await;
        assert_eq!(
            pointers(&reply),
            (422, vec!["/attachments/1/url".to_owned()]),
            "{path}: {reply}"
        );
        let told = reply.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(told.contains(why), "{path}: {told}");
        // Nothing was done: the same key tries again.
        assert_eq!(call().send().await.status, 422);
    }
    assert_eq!(
        files.asked().iter().filter(|path| *path == "/size/5/x.txt").count(),
        0,
        "a redirect was followed"
    );
    assert!(said(&world, &conversation).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn whoever_waits_no_longer_is_told_of_a_lost_file_by_an_event() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.send_wait", "0s");
    })
    .await;
    let files = FileServer::start().await;
    let (id, conversation) = active(&world).await;
    // What stands before it in the lane takes longer than anyone waits.
    let slow = json!({"on": "api", "operation": "message", "delay": "1s"});
    world.eight.fault(slow).await;
    post(&world, &id, json!({"text": "before"})).await.ok(202);
    let message = json!({"attachments": [{"url": files.url("/status/404")}], "clientMessageId": "m-1"});
    let reply = post(&world, &id, message).await.ok(202);
    assert_eq!(reply["status"], "queued");
    let told = eventually("the bot is told of it", async || {
        let mut events = world.bots.events(&id).into_iter();
        events.find(|event| event.kind() == "message.status" && event.data()["clientMessageId"] == "m-1")
    })
    .await;
    assert_eq!(told.data()["status"], "failed");
    assert_eq!(said(&world, &conversation).await, [one("user", "before", &[])]);
    world.finish().await;
}

#[tokio::test]
async fn what_an_address_shows_is_refused_at_once() {
    let world = World::with(|setup| {
        setup.config.set("bots.support.allow_networks", json!(["127.0.0.0/8"]));
    })
    .await;
    let (id, conversation) = active(&world).await;
    let attachments = json!([
        {"url": "http://169.254.169.254/latest/meta-data"},
        {"url": "http://10.0.0.1/x"},
        {"url": "ftp://bot.example.com/x"},
        {"url": "https://me:pw@bot.example.com/x"},
        {"url": "not a url"},
        {"id": "1", "url": "https://bot.example.com/x"},
        {},
        {"id": " "},
        {"url": "https://bot.example.com/x", "filename": ".."},
    ]);
    let reply = post(&world, &id, json!({"text": "x", "attachments": attachments})).await;
    let at = |n: usize, field: &str| format!("/attachments/{n}{field}");
    let mut expected: Vec<_> = (0..5).map(|n| at(n, "/url")).collect();
    expected.extend([at(5, ""), at(6, ""), at(7, "/id"), at(8, "/filename")]);
    assert_eq!(pointers(&reply), (422, expected), "{reply}");
    let many = json!({"attachments": vec![json!({"id": "1"}); 11]});
    assert_eq!(
        pointers(&post(&world, &id, many).await),
        (422, vec!["/attachments".to_owned()])
    );
    // Where only 8x8 knows.
    let unknown = post(&world, &id, json!({"attachments": [{"id": "unknown"}]})).await;
    assert_eq!(
        (unknown.status, &unknown.json()["code"]),
        (422, &json!("upstream-rejected")),
        "{unknown}"
    );
    assert!(said(&world, &conversation).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_fetched() {
    let world = World::with(|setup| {
        setup.config.set("bots.support.allow_networks", json!(["10.9.8.0/24"]));
        setup.config.set("bots.support.callback_url", "http://10.9.8.7/hook");
    })
    .await;
    let files = FileServer::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    let url = files.url("/size/5/x.txt").replace("127.0.0.1", "localhost");
    let reply = post(&world, &id, json!({"attachments": [{"url": url}]})).await;
    assert_eq!(
        pointers(&reply),
        (422, vec!["/attachments/0/url".to_owned()]),
        "{reply}"
    );
    assert!(reply.text().contains("private, local or reserved"), "{reply}");
    assert!(files.asked().is_empty());
    assert!(said(&world, &conversation).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn an_upload_or_a_message_8x8_took_without_a_word_is_found_and_not_made_twice() {
    let world = World::start().await;
    let files = FileServer::start().await;
    let (id, conversation) = active(&world).await;
    for (n, operation) in ["attachment", "message"].into_iter().enumerate() {
        world
            .eight
            .fault(json!({"on": "api", "operation": operation, "status": 503, "taken": true}))
            .await;
        let message = json!({"attachments": [{"url": files.url(&format!("/size/10/{n}.txt"))}]});
        let status = post(&world, &id, message).await.ok(202)["status"].clone();
        assert_eq!(status, "accepted", "{operation}");
    }
    assert_eq!(
        said(&world, &conversation).await,
        [one("user", "", &["0.txt"]), one("user", "", &["1.txt"])]
    );
    assert_eq!(world.eight.calls("attachment").await.len(), 2);
    assert_eq!(world.eight.calls("message").await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn after_a_crash_a_file_is_looked_for_before_it_is_given_again() {
    let mut world = World::start().await;
    let files = FileServer::start().await;
    let (id, conversation) = active(&world).await;
    // 8x8 has the file and never says so; the process dies while it waits.
    world
        .eight
        .fault(json!({"on": "api", "operation": "attachment", "hang": "after"}))
        .await;
    let message = json!({"text": "see", "attachments": [{"url": files.url("/size/10/a.txt")}]});
    let path = format!("/v1/handovers/{id}/messages");
    let call = world.api.call(http::Method::POST, &path).json(&message).once("k");
    let mut waiting = JoinSet::new();
    waiting.spawn(call.try_send());
    eventually("8x8 has the file", async || {
        let shown = world.eight.conversation(&conversation).await;
        (!shown["attachments"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    world.kill_and_restart().await;
    assert!(waiting.join_next().await.unwrap().unwrap().is_err());
    eventually("the message is posted", async || {
        (!said(&world, &conversation).await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(said(&world, &conversation).await, [one("user", "see", &["a.txt"])]);
    assert_eq!(files.asked(), ["/size/10/a.txt"]);
    let shown = world.eight.conversation(&conversation).await;
    assert_eq!(shown["attachments"].as_array().unwrap().len(), 1);
    world.bots.event(&id, "message.status").await;
    let call = world.api.call(http::Method::POST, &path).json(&message).once("k");
    assert_eq!(call.send().await.ok(202)["status"], "accepted");
    world.finish().await;
}

#[tokio::test]
async fn files_of_the_history_are_named_where_they_belong_and_shown_after_the_create() {
    let world = World::start().await;
    let files = FileServer::start().await;
    let history = json!({"messages": [
        {"authorType": "user", "text": "my bill", "attachments": [{"url": files.url("/size/10/bill.pdf")}]},
        {"authorType": "bot", "attachments": [
            {"url": files.url("/status/404"), "filename": "lost.pdf"},
            {"url": files.url("/size/10/faq.pdf")},
        ]},
        {"authorType": "user", "text": "thanks"},
    ]});
    let (id, conversation) = world.api.open(json!({"history": history})).await;
    world.api.say(&id, "hello").await;
    let expected = [
        one("user", "", &["bill.pdf"]),
        one("bot", "The file lost.pdf could not be shown here.", &[]),
        one("bot", "", &["faq.pdf"]),
        one("user", "hello", &[]),
    ];
    assert_eq!(said(&world, &conversation).await, expected);
    let shown = world.eight.conversation(&conversation).await;
    let texts: Vec<_> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["text"].clone())
        .collect();
    assert_eq!(
        texts,
        [
            "my bill\n[File: bill.pdf]",
            "[File: lost.pdf]\n[File: faq.pdf]",
            "thanks"
        ]
    );
    // The bot is told of the message it posted, and of no other.
    assert!(!world.bots.kinds(&id).contains(&"message.status".to_owned()));
    let log = world.finish().await;
    let warned = log.with_message("a file of the history cannot be shown");
    assert_eq!(warned.len(), 1);
    assert!(
        !log.lines().iter().any(|line| line.contains("lost.pdf")),
        "a file's name is in the log"
    );
}

#[tokio::test]
async fn files_of_the_history_that_cannot_be_are_refused_with_their_place() {
    let world = World::start().await;
    let message = |attachments: Value| json!({"authorType": "user", "text": "x", "attachments": attachments});
    let create = |messages: Value| {
        let body = json!({"user": {"name": "J"}, "history": {"messages": messages}});
        let api = world.api.clone();
        async move { pointers(&api.post("/v1/handovers", &body).await) }
    };
    let reply = create(json!([message(json!([{"id": "1"}, {}, {"url": "http://10.0.0.1/"}]))])).await;
    let at = |place: &str| format!("/history/messages/0/attachments/{place}");
    assert_eq!(reply, (422, vec![at("0/id"), at("1"), at("2/url")]));
    let file = json!({"url": "http://127.0.0.1:9/x"});
    let six = message(json!(vec![file; 6]));
    assert_eq!(
        create(json!([six, six])).await,
        (422, vec!["/history/messages".to_owned()])
    );
    assert!(world.eight.conversations().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn files_of_the_history_survive_a_create_that_was_not_answered_and_a_crash() {
    let mut world = World::start().await;
    world.tolerate("upstream-timeout");
    let files = FileServer::start().await;
    let fault = json!({"on": "api", "operation": "create", "status": 503, "taken": true});
    world.eight.fault(fault).await;
    let history = json!({"messages": [{"authorType": "user", "attachments": [{"url": files.url("/size/10/a.txt")}]}]});
    let body = json!({"user": {"name": "J"}, "history": history});
    let reply = world.api.post("/v1/handovers", &body).await;
    assert_eq!(reply.status, 504, "{reply}");
    world.kill_and_restart().await;
    let conversation = world.eight.conversations().await[0]["id"].as_str().unwrap().to_owned();
    eventually("the file is shown", async || {
        (!said(&world, &conversation).await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(said(&world, &conversation).await, [one("user", "", &["a.txt"])]);
    world.finish().await;
}
