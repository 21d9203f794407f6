//! Section `[store]`.

use std::time::Duration;

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// `sqlite://relative/path.db`, `sqlite:///absolute/path.db` or `sqlite::memory:` (a private temporary file).
    pub url: String,
    /// How long records of handovers that are over are kept.
    #[serde(deserialize_with = "crate::setting::duration")]
    pub retention: Duration,
    /// How long what people said and who they are is kept in them.
    #[serde(deserialize_with = "crate::setting::duration")]
    pub content_retention: Duration,
}
