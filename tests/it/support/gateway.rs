//! The built program, run as a process of its own: started, watched, stopped or killed by its id.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::config::Config;
use super::log::Log;
use super::wait::PATIENCE;
use super::wait::eventually;
use super::wait::within;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_handover-gateway");
/// The store inside the gateway's folder.
const STORE: &str = "handover.db";

pub(crate) struct Gateway {
    folder: TempDir,
    pub(crate) config: Config,
    /// What its process has in its environment besides the tester's.
    pub(crate) environment: Vec<(String, String)>,
    /// Of all its runs.
    pub(crate) log: Log,
    store: PathBuf,
    run: Option<Run>,
}

struct Run {
    child: Child,
    reader: JoinHandle<()>,
    public: String,
    admin: String,
}

impl Gateway {
    pub(crate) async fn start(config: Config, environment: Vec<(String, String)>) -> Self {
        let mut gateway = Self::prepared(config);
        gateway.environment = environment;
        gateway.run_again().await;
        gateway
    }

    /// Everything is there but the process.
    pub(crate) fn prepared(mut config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = config.store().unwrap_or_else(|| folder.path().join(STORE));
        config.set("store.url", format!("sqlite://{}", store.display()));
        Self {
            environment: Vec::new(),
            store,
            folder,
            config,
            log: Log::default(),
            run: None,
        }
    }

    /// Starts the program on the store of the last run, with the configuration as it is now.
    pub(crate) async fn run_again(&mut self) {
        assert!(self.run.is_none(), "it runs already");
        let before = self.log.with_message("listening").len();
        let mut child = serve(&self.write_config(), &self.environment);
        let reader = self.log.follow(child.stderr.take().unwrap());
        let listening = within(PATIENCE * 2, async || {
            let exited = child.try_wait().unwrap().is_some();
            let lines = self.log.with_message("listening");
            lines.get(before).cloned().map(Some).or_else(|| exited.then_some(None))
        });
        let Some(Some(line)) = listening.await else {
            drop(child.kill());
            panic!("the gateway did not start:\n{}", self.log.tail(50));
        };
        let address = |port: &str| format!("http://{}", line[port].as_str().unwrap());
        self.run = Some(Run {
            child,
            reader,
            public: address("public"),
            admin: address("admin"),
        });
    }

    pub(crate) fn write_config(&self) -> PathBuf {
        let file = self.folder.path().join("gateway.toml");
        // Never half of it: it may be read at any time.
        let new = self.folder.path().join("gateway.toml.new");
        std::fs::write(&new, self.config.text()).unwrap();
        std::fs::rename(&new, &file).unwrap();
        file
    }

    /// The SQLite file.
    pub(crate) fn store(&self) -> PathBuf {
        self.store.clone()
    }

    /// Where bots and 8x8 call it.
    pub(crate) fn public(&self) -> String {
        self.run.as_ref().unwrap().public.clone()
    }

    pub(crate) fn admin(&self) -> String {
        self.run.as_ref().unwrap().admin.clone()
    }

    /// What of it is in memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let process = self.run.as_ref().unwrap().child.id();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// What it has in memory, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.run.as_ref().unwrap().child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.run
            .as_mut()
            .is_some_and(|run| run.child.try_wait().unwrap().is_none())
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub(crate) fn kill(&mut self) {
        let mut run = self.run.take().unwrap();
        signal(&run.child, Signal::SIGKILL);
        run.child.wait().unwrap();
        run.reader.join().unwrap();
    }

    /// SIGHUP, without waiting.
    pub(crate) fn hang_up(&self) {
        signal(&self.run.as_ref().unwrap().child, Signal::SIGHUP);
    }

    /// Has the configuration as it is now taken up; the entry of the log that says so.
    pub(crate) async fn reload(&self) -> Value {
        self.reload_to("settings reloaded").await
    }

    /// Has the configuration as it is now read, which is refused.
    pub(crate) async fn reload_in_vain(&self) -> Value {
        self.reload_to("the new settings cannot be used").await
    }

    async fn reload_to(&self, message: &str) -> Value {
        let before = self.log.with_message(message).len();
        self.write_config();
        self.hang_up();
        eventually(message, async || self.log.with_message(message).get(before).cloned()).await
    }

    /// SIGTERM, without waiting.
    pub(crate) fn ask_to_stop(&self) {
        signal(&self.run.as_ref().unwrap().child, Signal::SIGTERM);
    }

    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let mut run = self.run.take().unwrap();
        let status = within(PATIENCE * 2, async || run.child.try_wait().unwrap()).await;
        let Some(status) = status else {
            drop(run.child.kill());
            panic!("the gateway did not stop:\n{}", self.log.tail(50));
        };
        run.reader.join().unwrap();
        status
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.exited().await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut run) = self.run.take() {
            drop(run.child.kill());
            drop(run.child.wait());
        }
    }
}

fn serve(config: &Path, environment: &[(String, String)]) -> Child {
    program()
        .envs(environment.iter().cloned())
        .arg("serve")
        .arg("--config")
        .arg(config)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The program with nothing of the tester's environment that it would read as configuration.
pub(crate) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) async fn output(arguments: &[&str]) -> Output {
    let mut command = program();
    command.args(arguments).stdout(Stdio::piped());
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    tokio::time::timeout(Duration::from_secs(30), running)
        .await
        .unwrap()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).unwrap();
    nix::sys::signal::kill(Pid::from_raw(id), signal).unwrap();
}
