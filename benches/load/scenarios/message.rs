//! A bot's message to 8x8 through the gateway, in turn with the same call made directly.

use std::net::SocketAddr;
use std::time::Instant;

use aws_lc_rs::digest;
use handover_gateway::sandbox::Options;
use handover_gateway::sandbox::Sandbox;
use serde_json::Value;
use serde_json::json;

use crate::drive;
use crate::events::ACCOUNT;
use crate::gateway::Gateway;
use crate::gateway::Setup;
use crate::report::Limit;
use crate::report::Row;
use crate::scenarios::rig::Bench;
use crate::wire;
use crate::wire::Connection;

const API_KEY: &str = "hgw_bench_0123456789abcdef0123456789abcdef";
const HANDOVERS: usize = 20;
const WARM_UP: usize = 200;

pub(crate) async fn run(bench: &mut Bench) {
    let sandbox = Sandbox::start(Options {
        api_key: "eght_bench".to_owned(),
        tenant_id: ACCOUNT.to_owned(),
        channel_id: "bench-channel".to_owned(),
        ..Options::default()
    });
    let sandbox = sandbox.await.expect("the sandbox starts");
    let folder = bench.new_folder();
    let mut setup = Setup::new(folder.path(), &sandbox.url());
    setup.api_key_hash = Some(sha256(API_KEY));
    let gateway = Gateway::start(&setup).await;
    let mut through = Client::open(gateway.addr, ("authorization", format!("Bearer {API_KEY}"))).await;
    let mut direct = Client::open(sandbox.addr(), ("x-api-key", "eght_bench".to_owned())).await;

    let mut pairs = Vec::new();
    for _ in 0..HANDOVERS {
        let handover = through
            .post("/v1/handovers", &json!({"user": {"name": "James Jones"}}), 201)
            .await;
        let handover = text(&handover, "id");
        let create = json!({"user": {"name": "James Jones"}, "channelId": "bench-channel"});
        let conversation = direct.post("/chat-gateway/v1/conversations", &create, 202).await;
        let conversation = text(&conversation, "conversationId");
        pairs.push((
            format!("/v1/handovers/{handover}/messages"),
            format!("/chat-gateway/v1/conversations/{conversation}/messages"),
        ));
    }

    let count = bench.events(6000);
    let (mut both, mut alone, mut added) = (drive::histogram(), drive::histogram(), drive::histogram());
    for (number, (own, other)) in pairs.iter().cycle().take(WARM_UP + count).enumerate() {
        let said = format!("I would like my balance please ({number})");
        let begun = Instant::now();
        let answer = through.post(own, &json!({"text": said}), 202).await;
        let with_gateway = begun.elapsed();
        assert_eq!(text(&answer, "status"), "accepted");
        let begun = Instant::now();
        direct
            .post(other, &json!({"authorType": "user", "text": said}), 202)
            .await;
        let without = begun.elapsed();
        if number >= WARM_UP {
            both.saturating_record(drive::micros(with_gateway));
            alone.saturating_record(drive::micros(without));
            added.saturating_record(drive::micros(with_gateway.saturating_sub(without)));
        }
    }
    let rows = vec![
        Row::new("through the gateway, p50", drive::millis(&both, 50.0), "ms"),
        Row::new("directly, p50", drive::millis(&alone, 50.0), "ms"),
        Row::new("overhead of a pair, p50", drive::millis(&added, 50.0), "ms")
            .must(Limit::AtMost(3.0))
            .goal(Limit::AtMost(1.0)),
        Row::new("overhead of a pair, p99", drive::millis(&added, 99.0), "ms"),
    ];
    bench.report.section("a bot's message to 8x8, one at a time", rows);
    gateway.stop().await;
    sandbox.stop().await;
}

struct Client {
    connection: Connection,
    credential: (&'static str, String),
}

impl Client {
    async fn open(addr: SocketAddr, credential: (&'static str, String)) -> Self {
        Self {
            connection: Connection::open(addr).await.expect("connects"),
            credential,
        }
    }

    async fn post(&mut self, path: &str, body: &Value, expected: u16) -> Value {
        let (name, value) = &self.credential;
        let request = wire::request("POST", path, &[(name, value)], body.to_string().as_bytes());
        let status = self.connection.exchange(&request).await.expect("answers");
        let body = self.connection.body();
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(body));
        serde_json::from_slice(body).unwrap_or_default()
    }
}

fn text(answer: &Value, field: &str) -> String {
    let text = answer.get(field).and_then(Value::as_str);
    text.expect("an answer has this field").to_owned()
}

fn sha256(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let hex: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}
