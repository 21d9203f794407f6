//! What is wrong with the settings, each with its full key. Values are shown only where they cannot be secret.

use std::fmt;

/// One fault or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Such as `tenants.acme.api_key`; empty where a whole file is meant.
    pub key: String,
    pub why: String,
    /// The file, or the environment, that set it.
    pub origin: Option<String>,
    /// Another setting that would do instead: where that one is wrong, this one says nothing new.
    pub(super) instead: Option<String>,
}

impl Finding {
    pub(super) fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            why: why.into(),
            origin: None,
            instead: None,
        }
    }

    pub(super) fn from(mut self, origin: Option<&str>) -> Self {
        self.origin = origin.map(str::to_owned);
        self
    }

    pub(super) fn follows(&self, known: &Self) -> bool {
        known.covers(&self.key) || self.instead.as_ref().is_some_and(|instead| known.covers(instead))
    }

    /// `key` is the same setting, the secret that a file should have given, or one inside it.
    fn covers(&self, key: &str) -> bool {
        let own = self.key.strip_suffix("_file").unwrap_or(&self.key);
        key.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.why)?;
        } else {
            write!(f, "{}: {}", self.key, self.why)?;
        }
        self.origin.iter().try_for_each(|origin| write!(f, " ({origin})"))
    }
}

/// Everything that keeps the gateway from starting, in order of the keys; never empty.
#[derive(Debug, thiserror::Error)]
pub struct SettingsFaults(Vec<Finding>);

impl SettingsFaults {
    pub(super) fn new(mut faults: Vec<Finding>) -> Self {
        faults.sort_by(|a, b| a.key.cmp(&b.key));
        faults.dedup();
        Self(faults)
    }

    pub fn list(&self) -> &[Finding] {
        &self.0
    }
}

impl fmt::Display for SettingsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "the configuration has {} fault{plural}:", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}
