//! The store as a command sees it that may run beside a gateway: open, held by that, or not made yet.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::clock::Clock;
use crate::commands::serve::with_causes;
use crate::domain::TenantName;
use crate::settings::Settings;
use crate::store::Store as _;
use crate::store::TenantState;
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

/// What a look at the store showed; it is let go of again at once, so that a gateway can start.
pub(super) enum Seen {
    /// Whether it took a write, and what it holds.
    Free(Result<(), String>, BTreeMap<TenantName, TenantState>),
    Held,
    Missing,
    Unusable(String),
}

pub(super) async fn look(settings: &Settings, clock: &Clock, is_running: bool) -> Seen {
    let store = match open(settings, clock, false, is_running).await {
        Ok(Kept::Open(store)) => store,
        Ok(Kept::Held) => return Seen::Held,
        Ok(Kept::Missing) => return Seen::Missing,
        Err(error) => return Seen::Unusable(with_causes(&error)),
    };
    let mut states = BTreeMap::new();
    for name in settings.tenants.keys() {
        states.insert(name.clone(), store.tenant_state(name).await.unwrap_or_default());
    }
    Seen::Free(store.ping().await.map_err(|error| with_causes(&error)), states)
}

/// A file that goes with its process has nothing to read.
fn is_missing(url: &str) -> bool {
    match url.strip_prefix("sqlite://") {
        Some(path) => !Path::new(path).exists(),
        None => url == "sqlite::memory:",
    }
}
