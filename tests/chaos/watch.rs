//! I7: what the process uses, looked at five times a second.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

const EVERY: Duration = Duration::from_millis(200);

/// The highest of each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peaks {
    pub(crate) rss_kib: u64,
    pub(crate) descriptors: usize,
    pub(crate) wal: u64,
}

pub(crate) struct Watch {
    process: Arc<AtomicU32>,
    peaks: Arc<Mutex<Peaks>>,
    _task: JoinSet<()>,
}

impl Watch {
    pub(crate) fn start(wal: PathBuf) -> Self {
        let (process, peaks) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Peaks::default())));
        let mut task = JoinSet::new();
        let (of, into) = (Arc::clone(&process), Arc::clone(&peaks));
        task.spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let seen = look(of.load(Ordering::Relaxed), &wal);
                let mut peaks = into.lock().unwrap();
                peaks.rss_kib = peaks.rss_kib.max(seen.rss_kib);
                peaks.descriptors = peaks.descriptors.max(seen.descriptors);
                peaks.wal = peaks.wal.max(seen.wal);
            }
        });
        Self {
            process,
            peaks,
            _task: task,
        }
    }

    pub(crate) fn follow(&self, process: Option<u32>) {
        self.process.store(process.unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn peaks(&self) -> Peaks {
        *self.peaks.lock().unwrap()
    }
}

fn look(process: u32, wal: &PathBuf) -> Peaks {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Peaks {
        rss_kib: rss
            .and_then(|rss| rss.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0),
        descriptors: fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count),
        wal: fs::metadata(wal).map_or(0, |file| file.len()),
    }
}
