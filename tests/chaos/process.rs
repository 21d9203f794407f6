//! The built program as a process of its own: armed, started, stopped, held and killed by its id.

use std::fs;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const STOPS_WITHIN: Duration = Duration::from_secs(20);

pub(crate) struct Gateway {
    folder: PathBuf,
    child: Option<Child>,
    /// How much of the log was written by earlier runs.
    log_before: usize,
}

/// Where a process listens, and how long it took to.
#[derive(Clone, Debug)]
pub(crate) struct Listening {
    pub(crate) public: String,
    pub(crate) admin: String,
    pub(crate) took: Duration,
}

/// Why there is no process.
#[derive(Debug)]
pub(crate) enum Gone {
    /// By SIGKILL, its own at a failpoint.
    Killed,
    /// It ended otherwise, with this at the end of its log.
    Ended(String),
}

impl Gateway {
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder,
            child: None,
            log_before: 0,
        }
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn start(&mut self, failpoints: &str) -> Result<Listening, Gone> {
        assert!(self.child.is_none(), "it runs already");
        self.log_before = self.log().len();
        let started = Instant::now();
        self.child = Some(self.serve(failpoints));
        loop {
            if let Some(line) = self.listening() {
                return Ok(Listening {
                    public: text(&line, "public"),
                    admin: text(&line, "admin"),
                    took: started.elapsed(),
                });
            }
            if let Some(gone) = self.gone() {
                return Err(gone);
            }
            assert!(started.elapsed() < STARTS_WITHIN, "it does not listen: {}", self.tail());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A second process on the same files, which is to end by itself. Its exit code.
    pub(crate) async fn second(&self) -> Option<i32> {
        let mut child = self.serve("");
        let until = Instant::now() + STARTS_WITHIN;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            if Instant::now() > until {
                drop(child.kill());
                drop(child.wait());
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn serve(&self, failpoints: &str) -> Child {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        Command::new(env!("CARGO_BIN_EXE_handover-gateway"))
            .arg("serve")
            .arg("--config")
            .arg(self.folder.join("gateway.toml"))
            .env_remove("RUST_LOG")
            .env("HANDOVER_FAILPOINTS", failpoints)
            .env("HANDOVER_FAILPOINTS_FIRED", self.folder.join("fired"))
            .env("HANDOVER_CLOCK_SHIFT", self.shift_file())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Whether it is gone, and how; once.
    pub(crate) fn gone(&mut self) -> Option<Gone> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        self.child = None;
        if status.signal() == Some(Signal::SIGKILL as i32) {
            return Some(Gone::Killed);
        }
        Some(Gone::Ended(format!("{status}: {}", self.tail())))
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(id) = self.id() {
            // It may have gone by itself.
            let id = Pid::from_raw(i32::try_from(id).unwrap());
            nix::sys::signal::kill(id, signal).unwrap_or_default();
        }
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            child.wait().unwrap();
        }
    }

    /// SIGTERM, and waits. Whether it ended well and in time.
    pub(crate) async fn stop(&mut self) -> bool {
        self.signal(Signal::SIGTERM);
        let until = Instant::now() + STOPS_WITHIN;
        while let Some(child) = &mut self.child {
            if let Some(status) = child.try_wait().unwrap() {
                self.child = None;
                return status.success();
            }
            if Instant::now() > until {
                self.kill();
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// Moves its clock, also while it runs.
    pub(crate) fn shift_clock(&self, millis: i64) {
        let file = self.shift_file();
        let new = file.with_extension("new");
        fs::write(&new, millis.to_string()).unwrap();
        fs::rename(new, file).unwrap();
    }

    /// The failpoints at which it was killed so far.
    pub(crate) fn fired(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("fired")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    fn shift_file(&self) -> PathBuf {
        self.folder.join("clock-shift")
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.log_file()).unwrap_or_default()
    }

    fn listening(&self) -> Option<Value> {
        let log = self.log();
        let new = String::from_utf8_lossy(log.get(self.log_before..)?).into_owned();
        let lines = new.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["message"] == "listening")
    }

    pub(crate) fn tail(&self) -> String {
        let log = String::from_utf8_lossy(&self.log()).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text(line: &Value, field: &str) -> String {
    line[field].as_str().unwrap().to_owned()
}
