//! One store under test, and the end of its process.

use std::sync::Arc;
use std::time::Duration;

use handover_gateway::clock::Clock;
use handover_gateway::store::Store;
use handover_gateway::store::StoreSettings;
use handover_gateway::store::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::store_contract::fixtures::at;
use crate::support::model_store::ModelStore;

pub(crate) enum Stand {
    Sqlite {
        store: Option<Arc<SqliteStore>>,
        folder: TempDir,
    },
    Model(Arc<ModelStore>),
}

impl Stand {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Some(open(&folder));
        Self::Sqlite { store, folder }
    }

    pub(crate) fn model() -> Self {
        Self::Model(Arc::default())
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite { store, .. } => Arc::clone(store.as_ref().unwrap()) as Arc<dyn Store>,
            Self::Model(model) => Arc::clone(model) as Arc<dyn Store>,
        }
    }

    /// Ends the process that holds the store and starts the next. Nobody else may hold the store then.
    pub(crate) fn restart(&mut self) {
        match self {
            Self::Sqlite { store, folder } => {
                assert_eq!(Arc::strong_count(store.as_ref().unwrap()), 1);
                *store = None;
                *store = Some(open(folder));
            }
            Self::Model(model) => model.restart(),
        }
    }
}

pub(crate) fn settings(url: String) -> StoreSettings {
    StoreSettings {
        url,
        retention: Duration::from_hours(24),
        content_retention: Duration::from_hours(24),
    }
}

fn open(folder: &TempDir) -> Arc<SqliteStore> {
    let url = format!("sqlite://{}/handover.db", folder.path().display());
    Arc::new(SqliteStore::open(&settings(url), Clock::manual(at(0))).unwrap())
}
