//! The program under test between 8x8 and bots, with a network that can fail between all of them; and the judgement.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use handover_gateway::sandbox::Sandbox;
use http::Method;
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::bots::Bots;
use crate::checker::check;
use crate::control::Control;
use crate::control::http_client;
use crate::disk::Disk;
use crate::figures::Figures;
use crate::ledger::Ledgers;
use crate::options;
use crate::plays::WHATSAPP;
use crate::process::Gateway;
use crate::process::Gone;
use crate::process::Listening;
use crate::proxy::Mode;
use crate::proxy::Proxy;
use crate::secrets::leaks;
use crate::setup::config;
use crate::setup::eight;
use crate::stored;
use crate::traffic::BOTS;
use crate::traffic::Shared;
use crate::watch::Watch;

/// I7, of a build without optimisation under these loads.
const RSS_KIB: u64 = 512 * 1024;
const DESCRIPTORS: usize = 1500;
const WAL: u64 = 256 * 1024 * 1024;

pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) bots: Bots,
    pub(crate) control: Control,
    pub(crate) shared: Arc<Shared>,
    /// From bots to the gateway, from 8x8 to it, and from it to both.
    pub(crate) calls: Proxy,
    pub(crate) webhooks: Proxy,
    pub(crate) to_eight: Proxy,
    pub(crate) to_bots: Proxy,
    pub(crate) figures: Figures,
    admin: String,
    watch: Watch,
    began: Instant,
    starting: Option<Instant>,
    /// What a scenario itself found wrong.
    wrong: Vec<String>,
    sandbox: Sandbox,
    folder: Option<TempDir>,
    store: PathBuf,
}

impl Rig {
    pub(crate) async fn new(scenario: &'static str, rows: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("handover-chaos-").tempdir().unwrap();
        let store = folder.path().join("handover.db");
        Self::with_store(scenario, rows, folder, store).await
    }

    pub(crate) async fn with_store(
        scenario: &'static str,
        rows: &'static str,
        folder: TempDir,
        store: PathBuf,
    ) -> Self {
        let seed = options::seed();
        show(&format!("{scenario}: seed {seed}"));
        let sandbox = Sandbox::start(eight()).await.unwrap();
        let control = Control::new(&sandbox.url());
        let bots = Bots::start().await;
        let (calls, webhooks) = (Proxy::start().await, Proxy::start().await);
        let (to_eight, to_bots) = (Proxy::start().await, Proxy::start().await);
        to_eight.point_at(Some(&sandbox.url()));
        to_bots.point_at(Some(bots.url()));
        let webhook = json!({"url": format!("{}/webhooks/8x8/acme", webhooks.url())});
        control.post("/webhook", &webhook).await.unwrap();
        let channel = json!({"id": WHATSAPP, "type": "WhatsApp"});
        control.post("/channels", &channel).await.unwrap();
        let text = config(&store, &to_eight.url(), &to_bots.url());
        fs::write(folder.path().join("gateway.toml"), text).unwrap();
        Self {
            gateway: Gateway::in_folder(folder.path().to_owned()),
            shared: Shared::new(calls.url(), control.clone()),
            watch: Watch::start(store.with_extension("db-wal")),
            figures: Figures {
                scenario,
                rows,
                seed,
                ..Figures::default()
            },
            bots,
            control,
            calls,
            webhooks,
            to_eight,
            to_bots,
            admin: String::new(),
            began: Instant::now(),
            starting: None,
            wrong: Vec::new(),
            sandbox,
            folder: Some(folder),
            store,
        }
    }

    /// Starts the program, armed, on what the last run left.
    pub(crate) async fn start(&mut self, failpoints: &str) -> Result<(), Gone> {
        self.note_first_ack();
        self.webhooks.watch_for_an_answer();
        self.starting = Some(Instant::now());
        let Listening { public, admin, took } = self.gateway.start(failpoints).await?;
        self.figures.restarts.push(took);
        self.calls.point_at(Some(&public));
        self.webhooks.point_at(Some(&public));
        self.admin = admin;
        self.watch.follow(self.gateway.id());
        Ok(())
    }

    pub(crate) async fn start_well(&mut self) {
        if let Err(gone) = self.start("").await {
            panic!("the gateway did not start: {gone:?}");
        }
    }

    pub(crate) async fn kill_and_restart(&mut self) {
        self.gateway.kill();
        self.figures.rounds += 1;
        self.start_well().await;
    }

    /// SIGSTOP, and after a while SIGCONT.
    pub(crate) async fn hold(&mut self, how_long: Duration) {
        self.gateway.signal(Signal::SIGSTOP);
        tokio::time::sleep(how_long).await;
        self.gateway.signal(Signal::SIGCONT);
        self.figures.rounds += 1;
    }

    pub(crate) fn wrong(&mut self, finding: String) {
        self.wrong.push(finding);
    }

    /// For what a scenario does on a network of its own.
    pub(crate) fn everything_passes(&self) {
        for proxy in [&self.calls, &self.webhooks, &self.to_eight, &self.to_bots] {
            proxy.set(Mode::Pass);
        }
    }

    fn note_first_ack(&mut self) {
        if let (Some(started), Some(answered)) = (self.starting.take(), self.webhooks.first_answer()) {
            self.figures
                .first_acks
                .push(answered.saturating_duration_since(started));
        }
    }

    /// Faults off, everything brought to its end, everything held against everything.
    pub(crate) async fn finish(self) {
        self.finish_on(None).await;
    }

    /// As `finish`, with the disk the store is on.
    pub(crate) async fn finish_on(mut self, disk: Option<Disk>) {
        self.everything_passes();
        self.bots.all_behave();
        self.control.clear_faults().await;
        self.gateway.shift_clock(0);
        if let Some(Gone::Ended(why)) = self.gateway.gone() {
            self.wrong(format!("the process ended: {why}"));
        }
        if self.gateway.id().is_none() {
            self.start_well().await;
        }
        if let Some(left) = self.quiet().await {
            self.wrong(format!("stuck: not quiet within {:?}: {left}", options::quiet_within()));
        }
        self.note_first_ack();
        let metrics = self.metrics().await;
        if !self.gateway.stop().await {
            self.wrong("it did not stop well".to_owned());
        }
        let ledgers = self.ledgers().await;
        drop(disk);
        self.judge(&ledgers, &metrics);
    }

    /// Waits until 8x8 has delivered all its events.
    pub(crate) async fn everything_acked(&self) {
        self.within(async || self.control.webhooks().await.iter().all(|one| one.acked))
            .await;
    }

    /// Waits until the bots have all that was recorded.
    pub(crate) async fn drained(&self) {
        self.within(async || stored::is_drained(&self.store)).await;
    }

    async fn within(&self, mut holds: impl AsyncFnMut() -> bool) {
        let until = Instant::now() + options::quiet_within();
        while !holds().await {
            assert!(
                Instant::now() < until,
                "not within {:?}: {}",
                options::quiet_within(),
                self.gateway.tail()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends what is live, and waits until nothing is left to be done. What is left, if something is.
    async fn quiet(&mut self) -> Option<String> {
        let until = Instant::now() + options::quiet_within();
        loop {
            for bot in BOTS {
                self.end_all_of(bot).await;
            }
            let left = self.left().await?;
            if Instant::now() > until {
                return Some(left);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn end_all_of(&self, bot: &str) {
        let live = self
            .shared
            .call(bot, Method::GET, "/v1/handovers?state=live&limit=200")
            .await;
        let live = live.and_then(|mut live| Some(live["data"].as_array_mut()?.split_off(0)));
        for handover in live.unwrap_or_default() {
            let path = format!("/v1/handovers/{}/end", handover["id"].as_str().unwrap_or_default());
            self.shared.call(bot, Method::POST, &path).await;
        }
    }

    async fn left(&self) -> Option<String> {
        if let Some(left) = stored::unfinished(&self.store) {
            return Some(left);
        }
        let webhooks = self.control.webhooks().await;
        let unacked = webhooks.iter().filter(|one| !one.acked).count();
        if unacked > 0 {
            return Some(format!("{unacked} webhooks that 8x8 could not deliver"));
        }
        let held = self.control.held().await;
        (!held.is_empty()).then(|| format!("conversations held at 8x8: {held:?}"))
    }

    async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.admin);
        let response = http_client(Duration::from_secs(10)).get(url).send().await.unwrap();
        response.text().await.unwrap()
    }

    async fn ledgers(&self) -> Ledgers {
        Ledgers {
            webhooks: self.control.webhooks().await,
            calls: self.control.calls().await,
            callbacks: self.bots.callbacks(),
            intents: self.shared.intents(),
            store: stored::read(&self.store),
            held: self.control.held().await,
        }
    }

    fn judge(mut self, ledgers: &Ledgers, metrics: &str) {
        let verdict = check(ledgers);
        let mut findings = std::mem::take(&mut self.wrong);
        findings.extend(verdict.findings);
        let log = fs::read_to_string(self.gateway.log_file()).unwrap();
        findings.extend(leaks("the log", &log));
        findings.extend(leaks("/metrics", metrics));
        findings.extend(leaks("a refusal", &self.shared.refusals()));
        findings.extend(
            self.bots
                .forged()
                .iter()
                .map(|one| format!("I3 a signature was wrong: {one}")),
        );
        findings.extend(
            log.lines()
                .filter(|line| line.contains("panicked at"))
                .map(str::to_owned),
        );
        let peaks = self.watch.peaks();
        if peaks.rss_kib > RSS_KIB || peaks.descriptors > DESCRIPTORS || peaks.wal > WAL {
            findings.push(format!("I7 beyond bounds: {peaks:?}"));
        }
        let figures = &mut self.figures;
        figures.peaks = peaks;
        figures.counts = verdict.counts;
        figures.handovers = ledgers.store.handovers.len();
        figures.took = self.began.elapsed();
        show(&format!("{}\n{}", figures.scenario, figures.table()));
        if let Some(file) = options::report() {
            figures.append_to(&file);
        }
        if !findings.is_empty() {
            self.fail(ledgers, &findings);
        }
        if options::keeps() {
            let kept = self.keep(ledgers, &[]);
            show(&format!("ledgers, log and store: {}", kept.display()));
        }
        drop(self.sandbox);
    }

    fn keep(&mut self, ledgers: &Ledgers, findings: &[String]) -> PathBuf {
        let kept = self.folder.take().unwrap().keep();
        fs::write(kept.join("ledgers.json"), serde_json::to_vec(ledgers).unwrap()).unwrap();
        fs::write(kept.join("findings.txt"), findings.join("\n")).unwrap();
        kept
    }

    fn fail(&mut self, ledgers: &Ledgers, findings: &[String]) -> ! {
        let kept = self.keep(ledgers, findings);
        let Figures { scenario, seed, .. } = self.figures;
        panic!(
            "{} findings, the first of them:\n{}\nagain: ./scripts/chaos --seed {seed} --scenario {scenario}\nledgers, log and store: {}",
            findings.len(),
            findings[..findings.len().min(12)].join("\n"),
            kept.display()
        );
    }
}

#[expect(clippy::print_stderr, reason = "a run shows its seed and its figures")]
pub(crate) fn show(text: &str) {
    eprintln!("{text}");
}
