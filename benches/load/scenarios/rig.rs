//! What the parts share: sizes, a folder each, and a gateway between a vendor and bots.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::bots::Bots;
use crate::events::Batch;
use crate::events::Vendor;
use crate::gateway::Gateway;
use crate::gateway::Setup;
use crate::report::Report;
use crate::report::Row;
use crate::seed;
use crate::seed::Seed;

pub(crate) const CONNECTIONS: usize = 64;

pub(crate) struct Bench {
    pub(crate) quick: bool,
    /// How long a bot is away in the part `outage`.
    pub(crate) outage: Duration,
    pub(crate) folder: PathBuf,
    pub(crate) report: Report,
    /// Known when they were measured in this run.
    pub(crate) bare: Option<Bare>,
}

/// Rates a second of what the gateway is made of.
#[derive(Clone, Copy)]
pub(crate) struct Bare {
    pub(crate) answers: f64,
    pub(crate) verifications: f64,
    pub(crate) commits: f64,
}

/// A gateway over a store with live handovers.
pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) vendor: Vendor,
    pub(crate) conversations: Vec<String>,
    _bots: Option<Bots>,
    _folder: TempDir,
}

impl Bench {
    /// So many, or a quarter in a quick run.
    pub(crate) fn events(&self, full: usize) -> usize {
        if self.quick { full / 4 } else { full }
    }

    pub(crate) fn new_folder(&self) -> TempDir {
        tempfile::Builder::new()
            .prefix("load-")
            .tempdir_in(&self.folder)
            .expect("a folder for the store")
    }

    pub(crate) async fn rig(&self, handovers: usize, bots: Option<Bots>) -> Rig {
        let folder = self.new_folder();
        let vendor = Vendor::start().await;
        let mut setup = Setup::new(folder.path(), &vendor.url);
        setup.callbacks = bots.as_ref().map(Bots::urls).unwrap_or_default();
        let conversations = seed::plant(&setup, &Seed { handovers, events: 0 }).await;
        let gateway = Gateway::start(&setup).await;
        Rig {
            gateway,
            vendor,
            conversations,
            _bots: bots,
            _folder: folder,
        }
    }
}

impl Rig {
    /// Signs so many events. The requests, and the time it took.
    pub(crate) fn sign(&self, first: usize, count: usize) -> (Arc<Vec<Vec<u8>>>, Duration) {
        let Batch { requests, signing } = self.vendor.batch(&self.conversations, first, count);
        (Arc::new(requests), signing)
    }
}

pub(crate) fn cpu_row(before: Duration, after: Duration, events: usize) -> Row {
    let spent = after.saturating_sub(before);
    Row::new("processor time of the gateway", micros_each(spent, events), "us/event")
}

pub(crate) fn signing_row(signing: Duration, count: usize) -> Row {
    Row::new(
        format!("signing {count} events beforehand, not in the figures"),
        signing.as_secs_f64(),
        "s",
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(crate) fn micros_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
