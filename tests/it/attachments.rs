//! Files both ways: what a bot gives 8x8, what an agent sends, and links that open without a key.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::client::Reply;
use crate::support::config::SALES;
use crate::support::forwarder::Forwarder;
use crate::support::upload::Part;
use crate::support::upload::file;
use crate::support::upload::multipart;
use crate::support::wait::eventually;
use crate::support::world::World;

const PNG: &str = "name=\"attachment\"; filename=\"card.png\"";

async fn active(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

/// The files 8x8 has of a conversation.
async fn there(world: &World, conversation: &str) -> Vec<Value> {
    let shown = world.eight.conversation(conversation).await;
    shown["attachments"].as_array().unwrap().clone()
}

fn pointer(reply: &Reply) -> (u16, String) {
    let pointer = reply.json()["errors"][0]["pointer"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (reply.status, pointer)
}

#[tokio::test]
async fn a_file_goes_to_8x8_and_comes_back_and_a_message_shows_it() {
    let world = World::start().await;
    let (id, conversation) = active(&world).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let sent = world
        .api
        .upload_file(&id, "../Rechnung März.pdf", &bytes)
        .send()
        .await
        .ok(201);
    assert_eq!(
        (&sent["filename"], &sent["sizeInBytes"]),
        (&json!("Rechnung März.pdf"), &json!(300_000))
    );
    let files = there(&world, &conversation).await;
    assert_eq!(files.len(), 1);
    assert_eq!(files[0]["id"], sent["id"]);
    assert_eq!(files[0]["crc32"], crc32fast::hash(&bytes));
    assert_eq!(files[0]["authorType"], "user");
    let path = format!("/v1/handovers/{id}/attachments/{}", sent["id"].as_str().unwrap());
    let back = world.api.get(&path).await;
    assert_eq!(back.status, 200);
    assert_eq!(back.body, bytes);
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-length", "300000"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        (
            "content-disposition",
            "attachment; filename=\"Rechnung M_rz.pdf\"; filename*=UTF-8''Rechnung%20M%C3%A4rz.pdf",
        ),
    ] {
        assert_eq!(back.header(name), Some(value), "{name}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_author_is_named_before_the_file_or_follows_from_the_state() {
    let world = World::start().await;
    let (id, conversation) = active(&world).await;
    let body = multipart(&[file("name=\"authorType\"", b"bot"), file(PNG, b"x")]);
    world.api.upload(&id, body).send().await.ok(201);
    let files = there(&world, &conversation).await;
    assert_eq!(files[0]["authorType"], "bot");
    world.finish().await;
}

#[tokio::test]
async fn what_is_no_upload_is_refused_with_its_place_and_nothing_reaches_8x8() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.attachment_types", json!(["image/*"]));
    })
    .await;
    let (id, conversation) = active(&world).await;
    let image = |disposition| Part {
        content_type: Some("image/png"),
        ..file(disposition, b"x")
    };
    let author = |text| file("name=\"authorType\"", text);
    let cases = [
        (vec![], 422, "/attachment"),
        (vec![author(b"user")], 422, "/attachment"),
        (vec![author(b"agent"), image(PNG)], 422, "/authorType"),
        (vec![image(PNG), author(b"user")], 422, "/authorType"),
        (vec![image(PNG), image(PNG)], 422, "/attachment"),
        (vec![image("name=\"attachment\"")], 422, "/attachment"),
        (vec![image("name=\"attachment\"; filename=\"..\"")], 422, "/attachment"),
        (vec![image("name=\"file\"; filename=\"a.png\"")], 422, "/file"),
        (vec![file(PNG, b"no type")], 415, "/attachment"),
        (
            vec![Part {
                bytes: b"",
                ..image(PNG)
            }],
            422,
            "/attachment",
        ),
    ];
    for (parts, status, place) in cases {
        let reply = world.api.upload(&id, multipart(&parts)).send().await;
        assert_eq!(pointer(&reply), (status, place.to_owned()), "{reply}");
    }
    let broken = world.api.upload(&id, "------test-boundary\r\nnonsense").send().await;
    assert_eq!(broken.status, 400, "{broken}");
    let json = world
        .api
        .post(&format!("/v1/handovers/{id}/attachments"), &json!({}))
        .await;
    assert_eq!(
        (json.status, &json.json()["code"]),
        (415, &json!("unsupported-media-type"))
    );
    let title = json.json()["title"].as_str().unwrap().to_owned();
    assert!(!title.contains("JSON"), "JSON is not what is wanted: {title}");
    assert!(there(&world, &conversation).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_however_it_comes() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.attachment_limit", "100 KiB");
    })
    .await;
    let (id, conversation) = active(&world).await;
    let fits = vec![b'x'; 100 * 1024];
    world.api.upload_file(&id, "fits.bin", &fits).send().await.ok(201);
    // A little more, much more, and more than is said beforehand.
    let slightly = vec![b'x'; 100 * 1024 + 1];
    let much = vec![b'x'; 5 * 1024 * 1024];
    let body = multipart(&[file(PNG, &slightly)]);
    let unsaid = reqwest::Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(body)]));
    let replies = [
        world.api.upload_file(&id, "a.bin", &slightly).send().await,
        world.api.upload_file(&id, "a.bin", &much).send().await,
        world.api.upload(&id, unsaid).send().await,
    ];
    for reply in replies {
        assert_eq!(pointer(&reply), (413, "/attachment".to_owned()), "{reply}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains("100.0 KiB, the limit in tenants.acme.attachment_limit"),
            "{detail}"
        );
    }
    assert_eq!(there(&world, &conversation).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn what_stands_around_a_file_is_bounded_too() {
    let world = World::start().await;
    let (id, conversation) = active(&world).await;
    let endless = vec![b'x'; 8 * 1024 * 1024];
    let header = format!("{PNG}\r\nx-much: {}", String::from_utf8(endless.clone()).unwrap());
    let mut preamble = endless.clone();
    preamble.extend(b"\r\n");
    preamble.extend(multipart(&[file(PNG, b"x")]));
    for body in [multipart(&[file(&header, b"x")]), preamble] {
        let reply = world.api.upload(&id, body).send().await;
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (413, &json!("payload-too-large")),
            "{reply}"
        );
    }
    assert!(there(&world, &conversation).await.is_empty());
    // Of the file itself as much may come.
    let body = multipart(&[file("name=\"authorType\"", b"user"), file(PNG, &endless)]);
    world.api.upload(&id, body).send().await.ok(201);
    world.finish().await;
}

#[tokio::test]
async fn a_handover_takes_files_while_it_takes_messages() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    world.api.upload_file(&id, "queued.txt", b"x").send().await.ok(201);
    world.api.end(&id).await;
    let late = world.api.upload_file(&id, "late.txt", b"x").send().await;
    assert_eq!((late.status, &late.json()["code"]), (409, &json!("handover-ended")));
    assert_eq!(late.json()["handoverId"], id);
    world.finish().await;
}

#[tokio::test]
async fn files_of_others_do_not_exist() {
    let world = World::start().await;
    let (id, _) = active(&world).await;
    let (other, _) = world.api.open(json!({})).await;
    let sent = world.api.upload_file(&id, "mine.txt", b"mine").send().await.ok(201);
    let file = sent["id"].as_str().unwrap();
    let sales = world.api.of_bot(SALES);
    for reply in [
        sales.get(&format!("/v1/handovers/{id}/attachments/{file}")).await,
        sales.upload_file(&id, "theirs.txt", b"x").send().await,
        world
            .api
            .get(&format!("/v1/handovers/{other}/attachments/{file}"))
            .await,
        world.api.get(&format!("/v1/handovers/{id}/attachments/unknown")).await,
        world.api.get(&format!("/v1/handovers/{id}/attachments/")).await,
        world
            .api
            .get(&format!("/v1/handovers/{id}/attachments/%2E%2E%2F{file}"))
            .await,
        world
            .api
            .get(&format!("/v1/handovers/{id}/attachments/..%2F..%2F{file}"))
            .await,
        world.api.get(&format!("/v1/handovers/{id}/attachments/%2e%2e")).await,
        world.api.get(&format!("/v1/handovers/{id}/attachments/%20")).await,
        world.api.get(&format!("/v1/handovers/{id}/attachments/a%5Cb")).await,
    ] {
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (404, &json!("not-found")),
            "{reply}"
        );
    }
    let nobody = world
        .api
        .with_key(None)
        .get(&format!("/v1/handovers/{id}/attachments/{file}"))
        .await;
    assert_eq!(nobody.status, 401);
    world.finish().await;
}

#[tokio::test]
async fn an_agents_file_comes_with_a_link_that_opens_without_a_key_and_outlives_a_restart() {
    let mut world = World::start().await;
    let (id, conversation) = active(&world).await;
    let say = json!({"do": "say", "text": "see", "attachments": [{"fileName": "scan.html", "text": "<script>"}]});
    world.eight.agent(&conversation, say).await;
    let event = world.bots.event(&id, "message.created").await;
    let shown = event.data()["message"]["attachments"][0].clone();
    let file = there(&world, &conversation).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!((&shown["id"], &shown["filename"]), (&json!(file), &json!("scan.html")));
    assert_eq!(shown["contentType"], "file");
    assert!(!event.raw.windows(12).any(|part| part == b"preSignedUrl"));
    assert!(!String::from_utf8_lossy(&event.raw).contains("X-Amz"));
    let url = shown["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("/attachments/{id}/{file}?expires=")), "{url}");
    let anyone = world.api.with_key(None);
    for _run in 0..2 {
        let opened = anyone.get(&url).await;
        assert_eq!((opened.status, &opened.body[..]), (200, &b"<script>"[..]), "{opened}");
        assert_eq!(opened.header("content-type"), Some("application/octet-stream"));
        assert!(
            opened
                .header("content-disposition")
                .unwrap()
                .starts_with("attachment; filename=\"scan.html\"")
        );
        world.restart().await;
    }
    let log = world.api.events(&id).await;
    let logged = log.iter().find(|event| event["type"] == "message.created").unwrap();
    assert_eq!(logged["data"]["message"]["attachments"][0], shown);
    world.finish().await;
}

#[tokio::test]
async fn a_link_that_was_changed_opens_nothing() {
    let world = World::with(|setup| {
        setup
            .config
            .set("server.public_url", "https://gateway.example.com/base");
    })
    .await;
    let (id, conversation) = active(&world).await;
    let (other, _) = world.api.open(json!({})).await;
    let say =
        json!({"do": "say", "attachments": [{"fileName": "a.txt", "text": "a"}, {"fileName": "b.txt", "text": "b"}]});
    world.eight.agent(&conversation, say).await;
    let event = world.bots.event(&id, "message.created").await;
    let files = &event.data()["message"]["attachments"];
    let url = files[0]["url"].as_str().unwrap();
    let path = url.strip_prefix("https://gateway.example.com/base").unwrap();
    let anyone = world.api.with_key(None);
    anyone.get(path).await;
    let expires = path.split_once("expires=").unwrap().1.split('&').next().unwrap();
    let signature = path.split_once("signature=").unwrap().1;
    let (a, b) = (files[0]["id"].as_str().unwrap(), files[1]["id"].as_str().unwrap());
    for changed in [
        path.replace(a, b),
        path.replace(&id, &other),
        path.replace(expires, "99999999999"),
        path.replace(expires, "1"),
        path.replace(signature, ""),
        path.replace(signature, &"A".repeat(signature.len())),
        path.split('?').next().unwrap().to_owned(),
    ] {
        let reply = anyone.get(&changed).await;
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (404, &json!("not-found")),
            "{changed}: {reply}"
        );
    }
    assert_eq!(anyone.get(path).await.body, "a");
    let log = world.finish().await;
    assert!(
        !log.lines().iter().any(|line| line.contains(signature)),
        "the log has the signature"
    );
}

#[tokio::test]
async fn a_repeat_with_the_same_file_is_told_the_first_answer() {
    let mut world = World::start().await;
    let (id, conversation) = active(&world).await;
    let first = world.api.upload_file(&id, "a.txt", b"abc").once("k-1").send().await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let file = first.ok(201);
    world.kill_and_restart().await;
    let again = world.api.upload_file(&id, "a.txt", b"abc").once("k-1").send().await;
    assert_eq!(
        (again.ok(201), again.header("idempotent-replayed")),
        (file, Some("true"))
    );
    for other in [
        world.api.upload_file(&id, "a.txt", b"abd").once("k-1").send().await,
        world.api.upload_file(&id, "b.txt", b"abc").once("k-1").send().await,
    ] {
        assert_eq!(
            (other.status, &other.json()["code"]),
            (422, &json!("idempotency-mismatch")),
            "{other}"
        );
    }
    assert_eq!(there(&world, &conversation).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_upload_8x8_took_without_a_word_is_found_and_not_made_twice() {
    let mut world = World::start().await;
    world.tolerate("upstream-timeout");
    let (id, conversation) = active(&world).await;
    let faults = [
        json!({"status": 503, "taken": true}),
        json!({"status": 200, "taken": true, "body": "not JSON"}),
        json!({"drop": "after"}),
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        let mut rule = json!({"on": "api", "operation": "attachment"});
        rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        world.eight.fault(rule).await;
        let (key, name) = (format!("k-{n}"), format!("{n}.txt"));
        let unknown = world.api.upload_file(&id, &name, b"abc").once(&key).send().await;
        assert_eq!(
            (unknown.status, &unknown.json()["code"]),
            (504, &json!("upstream-timeout")),
            "{unknown}"
        );
        let told = world.api.upload_file(&id, &name, b"abc").once(&key).send().await;
        assert_eq!(told.header("idempotent-replayed"), Some("true"));
        let files = there(&world, &conversation).await;
        assert_eq!((files.len(), &files[n]["id"]), (n + 1, &told.ok(201)["id"]));
        let other = world.api.upload_file(&id, &name, b"abX").once(&key).send().await;
        assert_eq!(other.status, 422, "{other}");
    }
    assert_eq!(world.eight.calls("attachment").await.len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn an_upload_8x8_did_not_take_is_made_again_once_that_is_sure() {
    let mut world = World::start().await;
    world.tolerate("upstream-timeout");
    let (id, conversation) = active(&world).await;
    let refused = json!({"on": "api", "operation": "attachment", "drop": "before"});
    world.eight.fault(refused).await;
    let unknown = world.api.upload_file(&id, "a.txt", b"abc").once("k").send().await;
    assert_eq!(unknown.status, 504, "{unknown}");
    let told = eventually("8x8 is sure not to have it", async || {
        let reply = world.api.upload_file(&id, "a.txt", b"abc").once("k").send().await;
        (reply.status != 504).then_some(reply)
    })
    .await;
    assert_eq!(told.ok(201)["id"], there(&world, &conversation).await[0]["id"]);
    assert_eq!(there(&world, &conversation).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn what_8x8_says_of_an_upload_is_told() {
    let mut world = World::start().await;
    world.tolerate("upstream-");
    let (id, conversation) = active(&world).await;
    let answers = [
        (json!({"status": 429, "retryAfter": "1"}), 503, "upstream-unavailable"),
        (json!({"status": 403}), 502, "upstream-unauthorized"),
        (json!({"status": 400}), 422, "upstream-rejected"),
        (json!({"status": 413}), 422, "upstream-rejected"),
    ];
    for (fault, status, code) in answers {
        let mut rule = json!({"on": "api", "operation": "attachment"});
        rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        world.eight.fault(rule).await;
        let key = format!("k-{code}-{fault}").replace([' ', '"'], "");
        let reply = world.api.upload_file(&id, "a.txt", b"abc").once(&key).send().await;
        assert_eq!((reply.status, &reply.json()["code"]), (status, &json!(code)), "{reply}");
        // A definite refusal is kept; what 8x8 had no time for is tried again.
        let again = world.api.upload_file(&id, "a.txt", b"abc").once(&key).send().await;
        let kept = again.header("idempotent-replayed") == Some("true");
        assert_eq!(
            (again.status, kept),
            if status == 503 { (201, false) } else { (status, true) },
            "{again}"
        );
    }
    assert_eq!(there(&world, &conversation).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_or_stalls_leaves_nothing_at_8x8() {
    let world = World::with(|setup| {
        setup
            .config
            .set("server.request_timeout", "1s")
            .set("tenants.acme.send_wait", "500ms");
    })
    .await;
    let (id, conversation) = active(&world).await;
    let whole = multipart(&[file(PNG, &vec![b'x'; 200_000])]);
    let half = Bytes::from(whole).slice(..100_000);
    let broken = stream::iter([Ok(half.clone()), Err(std::io::Error::other("as the test says"))]);
    let error = world
        .api
        .upload(&id, reqwest::Body::wrap_stream(broken))
        .try_send()
        .await;
    assert!(error.is_err());
    let stalls = stream::unfold(Some(half), async |half| match half {
        Some(half) => Some((Ok::<_, std::io::Error>(half), None)),
        None => std::future::pending().await,
    });
    let stalled = world.api.upload(&id, reqwest::Body::wrap_stream(stalls)).send().await;
    assert_eq!(stalled.status, 408, "{stalled}");
    assert!(there(&world, &conversation).await.is_empty());
    // An upload that goes on, if slowly, may take longer than any other call.
    let body = multipart(&[file(PNG, b"0123456789")]);
    let drips = stream::unfold(body.into_iter(), async |mut bytes| {
        let chunk: Vec<u8> = bytes.by_ref().take(20).collect();
        tokio::time::sleep(Duration::from_millis(250)).await;
        (!chunk.is_empty()).then_some((Ok::<_, std::io::Error>(chunk), bytes))
    });
    world
        .api
        .upload(&id, reqwest::Body::wrap_stream(drips))
        .send()
        .await
        .ok(201);
    world.finish().await;
}

#[tokio::test]
async fn a_file_that_8x8_stops_sending_is_not_taken_for_whole() {
    let world = World::start().await;
    let (id, conversation) = active(&world).await;
    let say = json!({"do": "say", "attachments": [{"fileName": "big.bin", "bytes": 3_000_000}]});
    world.eight.agent(&conversation, say).await;
    let event = world.bots.event(&id, "message.created").await;
    let file = event.data()["message"]["attachments"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/handovers/{id}/attachments/{file}");
    assert_eq!(world.api.get(&path).await.body.len(), 3_000_000);
    world
        .eight
        .fault(json!({"on": "api", "operation": "attachment-content", "status": 404}))
        .await;
    assert_eq!(world.api.get(&path).await.status, 404);
    world.api.end(&id).await;
    assert_eq!(
        world.api.call(Method::GET, &path).send().await.status,
        200,
        "also when it is over"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_file_goes_to_8x8_while_it_comes_in() {
    let forwarder = Forwarder::start().await;
    let base = forwarder.url();
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.base_url", base);
    })
    .await;
    forwarder.lead_to(&world.eight.url());
    let (id, conversation) = active(&world).await;
    let whole = Bytes::from(multipart(&[file(PNG, &vec![b'x'; 4_000_000])]));
    let before = forwarder.passed();
    let (half, rest) = (whole.slice(..2_000_000), whole.slice(2_000_000..));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let body = reqwest::Body::wrap_stream(stream::unfold(receiver, async |mut receiver| {
        let piece: Result<Bytes, std::io::Error> = receiver.recv().await?;
        Some((piece, receiver))
    }));
    let feed = async {
        sender.send(Ok(half)).await.unwrap();
        eventually("most of the first half is at 8x8", async || {
            (forwarder.passed() - before > 1_500_000).then_some(())
        })
        .await;
        sender.send(Ok(rest)).await.unwrap();
        drop(sender);
    };
    let (reply, ()) = tokio::join!(world.api.upload(&id, body).send(), feed);
    assert_eq!(reply.ok(201)["sizeInBytes"], 4_000_000);
    assert_eq!(there(&world, &conversation).await.len(), 1);
    world.finish().await;
}
