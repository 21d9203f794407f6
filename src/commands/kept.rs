//! The store as a command sees it that may run beside a gateway: open, held by that, or not made yet.

use std::path::Path;
use std::time::Duration;

use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::sqlite::OpenError;
use crate::store::sqlite::SqliteStore;

/// Another command may hold the store for a moment.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

pub(super) enum Kept {
    Open(Box<SqliteStore>),
    /// A process has it.
    Held,
    /// There is no file yet, and none was to be made.
    Missing,
}

/// Opens the store; with `make` it is created when it is not there. While nobody who answers holds it, it is waited for.
pub(super) async fn open(settings: &Settings, clock: &Clock, make: bool, is_running: bool) -> Result<Kept, OpenError> {
    if !make && is_missing(&settings.store.url) {
        return Ok(Kept::Missing);
    }
    let mut tries = 1;
    loop {
        match SqliteStore::open(&settings.store, clock.clone()) {
            Ok(store) => return Ok(Kept::Open(Box::new(store))),
            Err(OpenError::InUse(_)) if is_running || tries >= TRIES => return Ok(Kept::Held),
            Err(OpenError::InUse(_)) => clock.sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
        tries += 1;
    }
}

/// A file that goes with its process has nothing to read.
fn is_missing(url: &str) -> bool {
    match url.strip_prefix("sqlite://") {
        Some(path) => !Path::new(path).exists(),
        None => url == "sqlite::memory:",
    }
}
