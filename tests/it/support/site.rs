//! A gateway that is installed at an account of the stand-in 8x8 by its commands: on fixed ports, so that its address is
//! known before it runs.

use std::net::TcpListener;
use std::process::Output;
use std::process::Stdio;

use http::Method;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use serde_json::json;

use handover_gateway::sandbox::Options;

use super::client::Client;
use super::client::http_client;
use super::config::Config;
use super::config::SUPPORT;
use super::eightx8::EightX8;
use super::gateway::Gateway;
use super::gateway::output;
use super::gateway::program;
use super::wait::PATIENCE;

pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    /// Where 8x8 reaches it, once it runs.
    pub(crate) public_url: String,
    /// The bot `support`.
    pub(crate) api: Client,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) async fn account(change: impl FnOnce(&mut Options)) -> EightX8 {
    let mut options = Options::default();
    change(&mut options);
    EightX8::start(options).await
}

impl Site {
    /// Has no channel configured, and does not run yet.
    pub(crate) fn new(eight: &EightX8, bots: &str, change: impl FnOnce(&mut Config)) -> Self {
        let (public, admin) = (free_address(), free_address());
        let public_url = format!("http://{public}");
        let mut config = Config::new(&eight.url(), bots);
        config
            .set("server.listen", public)
            .set("server.public_url", public_url.as_str())
            .set("admin.listen", admin)
            .unset("tenants.acme.channel_id")
            .unset("bots.sales");
        change(&mut config);
        let gateway = Gateway::prepared(config);
        let api = Client::new(&public_url, SUPPORT);
        Self {
            gateway,
            public_url,
            api,
        }
    }

    /// A command of the program, with this site's configuration.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let config = self.gateway.write_config();
        let mut all = arguments.to_vec();
        all.extend(["--config", config.to_str().unwrap()]);
        Ran::of(output(&all).await)
    }

    /// As [`Site::run`] with `--json`: the exit code, and what was printed.
    pub(crate) async fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let mut all = arguments.to_vec();
        all.push("--json");
        let ran = self.run(&all).await;
        let value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
        (ran.code, value)
    }

    /// As [`Site::run`], with a SIGINT once `ready` says so.
    pub(crate) async fn interrupted(&self, arguments: &[&str], ready: impl AsyncFnOnce()) -> Ran {
        let mut command = program();
        command.args(arguments).arg("--config").arg(self.gateway.write_config());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
        ready().await;
        nix::sys::signal::kill(id, Signal::SIGINT).unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        Ran::of(tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap())
    }

    /// `provision --apply`, which must work.
    pub(crate) async fn provisioned(&self) -> Value {
        let (code, mut report) = self.json(&["provision", "--apply"]).await;
        assert_eq!(code, 0, "{report:#}");
        report["tenants"][0].take()
    }

    /// One of the two sorts of things at 8x8 with this site's name.
    pub(crate) async fn named(&self, eight: &EightX8, sort: &str) -> Vec<Value> {
        let host = self.public_url.trim_start_matches("http://");
        let name = format!("handover-gateway acme ({host})");
        let mut all = listed(eight, sort).await;
        all.retain(|one| one["name"] == name.as_str());
        all
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// All webhooks or channels of the account.
pub(crate) async fn listed(eight: &EightX8, sort: &str) -> Vec<Value> {
    let mut page = call(eight, Method::GET, &format!("{sort}?size=1000"), None).await;
    match page["_embedded"][sort].take() {
        Value::Array(all) => all,
        _ => Vec::new(),
    }
}

/// A call to 8x8 as an administrator's own tools would make it.
pub(crate) async fn call(eight: &EightX8, method: Method, path: &str, body: Option<Value>) -> Value {
    let url = format!("{}/chat-gateway/v1/{path}", eight.url());
    let mut request = http_client().request(method, url).header("x-api-key", "eght_sandbox");
    if let Some(body) = body {
        request = request.json(&body);
    }
    let reply = request.send().await.unwrap();
    assert!(reply.status().is_success(), "{path}: {}", reply.status());
    reply.json().await.unwrap_or(Value::Null)
}

/// Changes one field of a webhook or channel by hand.
pub(crate) async fn change(eight: &EightX8, sort: &str, resource: &Value, field: &str, value: Value) {
    let mut write = resource.clone();
    let id = write["id"].take();
    write.as_object_mut().unwrap().remove("id");
    write[field] = value;
    call(
        eight,
        Method::PUT,
        &format!("{sort}/{}", id.as_str().unwrap()),
        Some(write),
    )
    .await;
}

pub(crate) fn queue(id: &str) -> Value {
    json!({"type": "queue", "id": id})
}

/// Somebody else may take it before it is used; nobody does on a machine that runs tests.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
