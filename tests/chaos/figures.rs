//! What a scenario measured, as a row of the table in the report.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::checker::Counts;
use crate::watch::Peaks;

#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) scenario: &'static str,
    /// Of the test plan.
    pub(crate) rows: &'static str,
    pub(crate) seed: u64,
    /// Faults that were done.
    pub(crate) rounds: u64,
    pub(crate) counts: Counts,
    /// From start to listening.
    pub(crate) restarts: Vec<Duration>,
    /// From start to the first webhook that was acknowledged.
    pub(crate) first_acks: Vec<Duration>,
    pub(crate) peaks: Peaks,
    pub(crate) handovers: usize,
    pub(crate) took: Duration,
    /// What only this scenario counts.
    pub(crate) extra: String,
}

const HEAD: &str = "\
| scenario | rows | seed | rounds | handovers | acked | refused | lost | delivered | repeats | disorder | POSTs | doubled | unknown | stuck | restart ms p50/max | first 204 ms p50/max | RSS MiB | fds | WAL MiB | s | also |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

impl Figures {
    pub(crate) fn row(&self) -> String {
        let counts = &self.counts;
        let mut row = format!(
            "| {} | {} | {} | {} | {} |",
            self.scenario, self.rows, self.seed, self.rounds, self.handovers
        );
        let numbers = [
            counts.acked,
            counts.refused,
            counts.lost,
            counts.delivered,
            counts.repeats,
            counts.disorder,
            counts.posts,
            counts.doubled,
            counts.unknown,
            counts.stuck,
        ];
        for number in numbers {
            write!(row, " {number} |").unwrap();
        }
        write!(
            row,
            " {} | {} | {} | {} | {} | {} | {} |",
            spread(&self.restarts),
            spread(&self.first_acks),
            self.peaks.rss_kib / 1024,
            self.peaks.descriptors,
            self.peaks.wal >> 20,
            self.took.as_secs(),
            self.extra,
        )
        .unwrap();
        row
    }

    /// As `name value`, one a line, for people who look at a terminal.
    pub(crate) fn table(&self) -> String {
        let names = HEAD.lines().next().unwrap().split('|');
        let row = self.row();
        let pairs = names.zip(row.split('|')).filter(|(name, _)| !name.trim().is_empty());
        pairs.fold(String::new(), |mut text, (name, value)| {
            writeln!(text, "  {:<22}{}", name.trim(), value.trim()).unwrap();
            text
        })
    }

    pub(crate) fn append_to(&self, file: &Path) {
        let is_new = !file.exists();
        let mut file = File::options().create(true).append(true).open(file).unwrap();
        // One write a row: scenarios may run beside each other.
        let text = if is_new {
            format!("{HEAD}{}\n", self.row())
        } else {
            format!("{}\n", self.row())
        };
        file.write_all(text.as_bytes()).unwrap();
    }
}

fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    match (sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(middle), Some(longest)) => format!("{}/{}", middle.as_millis(), longest.as_millis()),
        _ => "-".to_owned(),
    }
}
