//! The process under test: the release binary with a configuration file of its own, measured through `/proc`.

use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::events::ACCOUNT;
use crate::events::free_address;
use crate::seed::bot_name;
use crate::wire;
use crate::wire::Connection;

/// Linux counts a process's time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);
const STARTS_WITHIN: Duration = Duration::from_mins(1);
const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// What a gateway is started with.
pub(crate) struct Setup {
    folder: PathBuf,
    /// Where 8x8 is, or its keys at least.
    pub(crate) vendor: String,
    pub(crate) api_key_hash: Option<String>,
    /// One each bot; without any, one bot that pulls.
    pub(crate) callbacks: Vec<String>,
}

/// Killed when it is dropped.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) addr: SocketAddr,
    admin: SocketAddr,
    log: PathBuf,
}

impl Setup {
    pub(crate) fn new(folder: &Path, vendor: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            vendor: vendor.to_owned(),
            api_key_hash: None,
            callbacks: Vec::new(),
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("handover.db")
    }

    pub(crate) fn store_url(&self) -> String {
        format!("sqlite://{}", self.database().display())
    }

    /// Bots have keys and no limit to speak of. Webhooks are signed long before they are sent.
    fn configuration(&self, addr: SocketAddr, admin: SocketAddr) -> String {
        let (store, vendor) = (self.store_url(), &self.vendor);
        let mut text = format!(
            r#"
[server]
bot_rate_limit = 1000000
listen = "{addr}"
drain_delay = "0s"
[admin]
listen = "{admin}"
[store]
url = "{store}"
[delivery]
allow_http = true
allow_networks = ["127.0.0.0/8"]
[tenants.bench]
base_url = "{vendor}"
tenant_id = "{ACCOUNT}"
api_key = "eght_bench"
channel_id = "bench-channel"
queue_id = "101"
[tenants.bench.webhook]
max_age = "1h"
"#
        );
        for bot in 0..self.callbacks.len().max(1) {
            let name = bot_name(bot);
            write!(text, "[bots.{name}]\ntenant = \"bench\"\n").expect("a string takes it");
            if let Some(url) = self.callbacks.get(bot) {
                let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
                write!(text, "callback_url = \"{url}\"\ncallback_secrets = [\"{secret}\"]\n").expect("likewise");
            }
            if let Some(hash) = &self.api_key_hash {
                writeln!(text, "api_key_hashes = [\"{hash}\"]").expect("likewise");
            }
        }
        text
    }
}

impl Gateway {
    /// Starts it and waits until it says that it is ready.
    pub(crate) async fn start(setup: &Setup) -> Self {
        let mut gateway = Self::spawn(setup).await;
        let until = Instant::now() + STARTS_WITHIN;
        while !gateway.is_ready().await {
            gateway.still_runs();
            assert!(Instant::now() < until, "the gateway is not ready: {}", gateway.told());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        gateway
    }

    pub(crate) async fn spawn(setup: &Setup) -> Self {
        let (addr, admin) = (free_address().await, free_address().await);
        let file = setup.folder.join("bench.toml");
        let log = setup.folder.join("gateway.log");
        fs::write(&file, setup.configuration(addr, admin)).expect("writes the configuration");
        let child = Command::new(env!("CARGO_BIN_EXE_handover-gateway"))
            .arg("--config")
            .arg(&file)
            .env_remove("RUST_LOG")
            .stdout(File::create(setup.folder.join("gateway.out")).expect("a log"))
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("the gateway starts");
        Self {
            child,
            addr,
            admin,
            log,
        }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let request = wire::request("GET", "/readyz", &[], b"");
        match Connection::open(self.admin).await {
            Ok(mut connection) => connection.exchange(&request).await.is_ok_and(|status| status == 200),
            Err(_not_yet) => false,
        }
    }

    pub(crate) fn still_runs(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("the gateway ended, {status}: {}", self.told());
        }
    }

    /// Processor time so far, of all threads, in and out of the kernel.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(self.proc("stat")).expect("it runs");
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = after_name.split_whitespace().skip(11).take(2);
        TICK * ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum::<u32>()
    }

    /// Resident memory in bytes.
    pub(crate) fn rss(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kib.expect("Linux tells it") * 1024
    }

    /// Files, connections among them.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("it runs").count()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, and waits.
    pub(crate) async fn stop(mut self) {
        kill(self.pid(), Signal::SIGTERM).expect("it can be signalled");
        let until = Instant::now() + STOPS_WITHIN;
        while self.child.try_wait().expect("it is our child").is_none() {
            if Instant::now() > until {
                return self.kill();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The end of what it logged.
    pub(crate) fn told(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines
            .get(lines.len().saturating_sub(10)..)
            .unwrap_or_default()
            .join("\n")
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are small"))
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
