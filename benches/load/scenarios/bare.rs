//! What the machine gives: an empty handler, verification alone, group commit alone.

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use handover_gateway::chat_gateway::KeySource;
use handover_gateway::chat_gateway::KeySourceSettings;
use handover_gateway::clock::Clock;
use handover_gateway::domain::AccountId;
use handover_gateway::domain::Handover;
use handover_gateway::domain::WebhookHeaders;
use handover_gateway::domain::WebhookReceipt;
use handover_gateway::outbound;
use handover_gateway::outbound::OutboundSettings;
use handover_gateway::store::Commit;
use handover_gateway::store::Committed;
use handover_gateway::store::Opened;
use handover_gateway::store::Store;
use handover_gateway::webhook;
use handover_gateway::webhook::Decoded;
use handover_gateway::webhook::Verifier;
use hdrhistogram::Histogram;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::drive;
use crate::events;
use crate::events::ACCOUNT;
use crate::events::Vendor;
use crate::gateway::Setup;
use crate::report::Row;
use crate::scenarios::rig::Bare;
use crate::scenarios::rig::Bench;
use crate::scenarios::rig::CONNECTIONS;
use crate::seed;
use crate::wire;

const CALLERS: usize = 64;
const HANDOVERS_EACH: usize = 8;

pub(crate) async fn run(bench: &mut Bench) {
    let answers = empty_handler(bench.events(200_000)).await;
    let verifications = verification(bench.events(60_000)).await;
    let (commits, latencies) = group_commit(bench, bench.events(100_000)).await;
    let rows = vec![
        Row::new("empty axum handler, 64 connections", answers, "/s"),
        Row::new("verification of 1 KB alone, one core", verifications, "/s"),
        Row::new("SQLite group commit alone, 64 callers", commits, "/s"),
        Row::new("  p50 of a commit", drive::millis(&latencies, 50.0), "ms"),
        Row::new("  p99 of a commit", drive::millis(&latencies, 99.0), "ms"),
    ];
    bench.report.section("bare limits of this machine", rows);
    bench.bare = Some(Bare {
        answers,
        verifications,
        commits,
    });
}

struct EmptyServer(Child);

impl Drop for EmptyServer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// In a process of its own, as the gateway is.
async fn empty_handler(count: usize) -> f64 {
    let own = std::env::current_exe().expect("this program has a file");
    let child = Command::new(own).arg("--empty-server").stdout(Stdio::piped()).spawn();
    let mut server = EmptyServer(child.expect("it starts again"));
    let mut line = String::new();
    let output = server.0.stdout.take().expect("is piped");
    BufReader::new(output).read_line(&mut line).expect("tells its address");
    let addr: SocketAddr = line.trim().parse().expect("is an address");
    let body = events::message("empty", 0, Clock::system().now().as_millis());
    let request = wire::request("POST", events::WEBHOOK_PATH, &[], &body);
    let requests = Arc::new(vec![request; count]);
    drive::closed(addr, requests, CONNECTIONS, None).await.rate()
}

pub(crate) async fn serve_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("its address"));
    let take = async |body: Bytes| {
        std::hint::black_box(body);
        http::StatusCode::NO_CONTENT
    };
    let app = Router::new().route(events::WEBHOOK_PATH, post(take));
    axum::serve(listener, app).await.expect("serves");
}

/// From headers and body to an event that is proven and read.
async fn verification(count: usize) -> f64 {
    let vendor = Vendor::start().await;
    let clock = Clock::system();
    let settings = KeySourceSettings {
        base_url: vendor.url.parse().expect("is a URL"),
        tenant_id: None,
        jwk_fallback_url: None,
    };
    let client = outbound::for_chat_gateway(&OutboundSettings::default()).expect("a client");
    let keys = KeySource::new(client, &settings, clock.clone()).expect("a key source");
    let verifier = Verifier::new(Arc::new(keys), vec![AccountId::new(ACCOUNT)], Duration::from_mins(5));
    let signed: Vec<(HeaderMap, Bytes)> = (0..1000)
        .map(|number| {
            let event = vendor.event("conversation", number);
            let pair = |(name, value): &(&'static str, String)| {
                (http::HeaderName::from_static(name), value.parse().expect("is a header"))
            };
            (event.headers.iter().map(pair).collect(), Bytes::from(event.body))
        })
        .collect();
    let mut begun = Instant::now();
    for (number, (headers, body)) in signed.iter().cycle().take(count + 1).enumerate() {
        let proven = verifier
            .verify(headers, body.clone(), clock.now())
            .await
            .expect("is signed");
        assert!(matches!(
            std::hint::black_box(webhook::decode(&proven)),
            Decoded::Event(_)
        ));
        if number == 0 {
            // The key is known from here on.
            begun = Instant::now();
        }
    }
    drive::per_second(count, begun.elapsed())
}

/// A webhook event's commit: receipt, event and progress.
async fn group_commit(bench: &Bench, count: usize) -> (f64, Histogram<u64>) {
    let folder = bench.new_folder();
    let store = Arc::new(seed::open(&Setup::new(folder.path(), "")));
    let mut callers = JoinSet::new();
    let now = Clock::system().now();
    let mut open = Vec::new();
    for number in 0..CALLERS * HANDOVERS_EACH {
        let handover = seed::live(number, 0, now);
        assert_eq!(store.open(handover.clone(), None).await.expect("opens"), Opened::Done);
        open.push(handover);
    }
    let begun = Instant::now();
    for own in open.chunks(HANDOVERS_EACH) {
        let (mut own, store) = (own.to_vec(), Arc::clone(&store));
        callers.spawn(async move {
            let mut latencies = drive::histogram();
            for turn in 0..count / CALLERS {
                let handover = own.get_mut(turn % HANDOVERS_EACH).expect("there are so many");
                let commit = next(handover);
                let sent = Instant::now();
                assert_eq!(store.commit(commit).await.expect("commits"), Committed::Done);
                latencies.saturating_record(drive::micros(sent.elapsed()));
            }
            latencies
        });
    }
    let mut latencies = drive::histogram();
    while let Some(own) = callers.join_next().await {
        latencies
            .add(own.expect("a caller fails"))
            .expect("the bounds are the same");
    }
    let rate = drive::per_second(count / CALLERS * CALLERS, begun.elapsed());
    store.close();
    (rate, latencies)
}

fn next(handover: &mut Handover) -> Commit {
    let now = Clock::system().now();
    handover.version += 1;
    handover.progress.last_sequence += 1;
    handover.progress.last_message_at = now;
    let sequence = handover.progress.last_sequence;
    let body = events::message("conversation", usize::try_from(sequence).unwrap_or(0), now.as_millis());
    let receipt = WebhookReceipt {
        account: handover.facts.account.clone(),
        event_id: format!("{}-{sequence}", handover.id()),
        conversation: handover.progress.conversation.clone(),
        sha256: [7; 32],
        body: Bytes::from(body),
        received_at: now,
        headers: WebhookHeaders::default(),
    };
    Commit {
        handover: handover.clone(),
        changed: true,
        events: vec![seed::said(handover, sequence, now)],
        deliver: false,
        calls: Vec::new(),
        settled: Vec::new(),
        message: None,
        receipt: Some(receipt),
        claim: None,
        agent_knows: None,
    }
}
