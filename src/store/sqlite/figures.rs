//! What the store shows of itself as figures.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use prometheus_client::registry::Unit;

/// Cheap to clone; all clones show the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) disk_free: Gauge,
    pub(super) disk_size: Gauge,
    pub(super) file: Gauge,
    pub(super) wal: Gauge,
    /// 0 while all is taken, 1 warned, 2 nothing in bulk, 3 nothing new.
    pub(super) level: Gauge,
    /// Writes that found no room, each with all that shared its transaction.
    pub(super) full: Counter,
    /// Reads that were ended because they took too long.
    pub(super) cut_short: Counter,
}

impl Figures {
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            (
                "store_disk_free",
                "Room left for the store on its file system",
                &self.disk_free,
            ),
            (
                "store_disk_size",
                "Size of the file system the store is on",
                &self.disk_size,
            ),
            ("store_file", "Size of the store's file", &self.file),
            ("store_wal", "Size of the store's write-ahead log", &self.wal),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        registry.register(
            "store_disk_level",
            "How full the store's disk is: 0 room, 1 warned, 2 nothing in bulk, 3 nothing new",
            self.level.clone(),
        );
        registry.register("store_disk_full", "Transactions that found no room", self.full.clone());
        registry.register(
            "store_reads_cut_short",
            "Reads that took too long",
            self.cut_short.clone(),
        );
    }
}
