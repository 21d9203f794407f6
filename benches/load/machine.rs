//! The machine a run is on, and how much of it others used meanwhile: a figure measured beside a compiler says little.

use std::fs;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

/// Processor time in hundredths of a second, of everything and of this program with the processes it has waited for.
pub(crate) struct Meter {
    at: Instant,
    everything: u64,
    own: u64,
}

impl Meter {
    pub(crate) fn start() -> Self {
        let stat = fs::read_to_string("/proc/stat").expect("Linux tells it");
        let all = stat.lines().next().unwrap_or_default();
        let own = fs::read_to_string("/proc/self/stat").expect("Linux tells it");
        let own = own.rsplit_once(')').map_or("", |(_, rest)| rest);
        Self {
            at: Instant::now(),
            // Without the two that are idle; the last two are in the first two already.
            everything: sum(all, &[1, 2, 3, 6, 7, 8]),
            own: sum(own, &[11, 12, 13, 14]),
        }
    }

    /// The share of all processors that others took since, in percent: a tick is one of a hundred in a second.
    pub(crate) fn taken_by_others(&self) -> f64 {
        let now = Self::start();
        let own = now.own.saturating_sub(self.own);
        let others = now.everything.saturating_sub(self.everything).saturating_sub(own);
        #[expect(clippy::cast_precision_loss, reason = "the time of a run is far below 2^52 ticks")]
        let others = others as f64;
        #[expect(clippy::cast_precision_loss, reason = "a machine has few processors")]
        let processors = processors() as f64;
        others / (self.at.elapsed().as_secs_f64() * processors)
    }
}

pub(crate) fn describe() -> Value {
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    json!({
        "processors": processors(),
        "processor": line("/proc/cpuinfo", "model name"),
        "memory": line("/proc/meminfo", "MemTotal"),
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn sum(line: &str, fields: &[usize]) -> u64 {
    let all: Vec<&str> = line.split_whitespace().collect();
    let field = |place: &usize| all.get(*place)?.parse::<u64>().ok();
    fields.iter().filter_map(field).sum()
}
