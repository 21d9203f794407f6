//! What a process writes to standard error, line by line, while it runs.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;

use serde_json::Value;

#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Reads until the other end closes.
    pub(crate) fn follow(&self, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines() {
                let Ok(line) = line else { return };
                log.0.lock().unwrap().push(line);
            }
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The entries that are JSON, as the gateway's are.
    pub(crate) fn entries(&self) -> Vec<Value> {
        let lines = self.lines();
        lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Entries of a level: `ERROR`, `WARN`, `INFO` …
    pub(crate) fn of_level(&self, level: &str) -> Vec<Value> {
        let mut entries = self.entries();
        entries.retain(|entry| entry["level"] == level);
        entries
    }

    pub(crate) fn with_message(&self, part: &str) -> Vec<Value> {
        let mut entries = self.entries();
        entries.retain(|entry| entry["message"].as_str().is_some_and(|message| message.contains(part)));
        entries
    }

    pub(crate) fn tail(&self, count: usize) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
}
