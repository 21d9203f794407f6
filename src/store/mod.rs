//! Where everything that was acknowledged is kept. One trait, one back end a folder.

mod error;
mod lane;
mod port;
mod records;
mod rows;
mod settings;
pub mod sqlite;

pub use error::StoreError;
pub use lane::Aside;
pub use lane::Attempt;
pub use lane::Claimed;
pub use lane::DueLane;
pub use lane::Settlement;
pub use lane::Target;
pub use lane::Verdict;
pub use port::Store;
pub use records::BotEvent;
pub use records::BotEvents;
pub use records::CallSettled;
pub use records::Commit;
pub use records::Committed;
pub use records::EventPage;
pub use records::HandoverFilter;
pub use records::HandoverPage;
pub use records::IdempotencyClaim;
pub use records::IdempotencyRecord;
pub use records::Kept;
pub use records::KeptAnswer;
pub use records::Loaded;
pub use records::Opened;
pub use records::PAGE_BYTES;
pub use records::Reference;
pub use settings::StoreSettings;
