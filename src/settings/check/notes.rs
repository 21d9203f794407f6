//! Collects what the rules find, and holds the rules that many sections share.

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use url::Url;

use crate::settings::Finding;

#[derive(Default)]
pub(in crate::settings) struct Notes {
    pub(in crate::settings) faults: Vec<Finding>,
    pub(in crate::settings) warnings: Vec<Finding>,
}

impl Notes {
    pub(super) fn fault(&mut self, key: impl Into<String>, why: impl Into<String>) {
        self.faults.push(Finding::new(key, why));
    }

    /// As [`Notes::fault`], unless there is a fault in `instead`, which would have done as well.
    pub(super) fn fault_unless(&mut self, key: String, instead: String, why: &str) {
        let instead = Some(instead);
        self.faults.push(Finding {
            instead,
            ..Finding::new(key, why)
        });
    }

    pub(super) fn warn(&mut self, key: impl Into<String>, why: impl Into<String>) {
        self.warnings.push(Finding::new(key, why));
    }

    pub(super) fn positive(&mut self, key: impl Into<String>, time: Duration) {
        if time.is_zero() {
            self.fault(key, "must be longer than zero");
        }
    }

    pub(super) fn at_least(&mut self, key: impl Into<String>, number: usize, least: usize) {
        if number < least {
            self.fault(key, format!("must be at least {least}"));
        }
    }

    pub(super) fn optional_text(&mut self, key: impl Into<String>, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// Ids are taken as they are, so white space around one is a mistake that 8x8 would only answer with "unknown".
    pub(super) fn text(&mut self, key: impl Into<String>, text: &str) {
        if text.trim().is_empty() {
            self.fault(key, "must not be blank");
        } else if text.trim() != text || text.chars().any(char::is_control) {
            self.fault(key, "has white space around it or a control character in it");
        }
    }

    /// A secret that travels in a header.
    pub(super) fn header_secret(&mut self, key: impl Into<String>, secret: &SecretString) {
        let secret = secret.expose_secret();
        if secret.is_empty() {
            self.fault(key, "must not be empty");
        } else if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.fault(key, "must be visible ASCII characters without spaces");
        }
    }

    /// Tokens that others present to us, so that guessing them must be hopeless.
    pub(super) fn tokens(&mut self, key: &str, tokens: &[SecretString]) {
        for (place, token) in tokens.iter().enumerate() {
            let key = format!("{key}[{place}]");
            if token.expose_secret().len() < 16 {
                self.warn(key.clone(), "is short; `handover-gateway keys new` makes a better one");
            }
            self.header_secret(key, token);
        }
    }

    pub(super) fn networks(&mut self, key: &str, networks: &[IpNet]) {
        if networks.iter().any(|network| network.prefix_len() == 0) {
            self.warn(key, "opens every address, private ones included, to callbacks");
        }
    }

    pub(super) fn base(&mut self, key: &str, url: &Url) {
        if url.query().is_some() || url.fragment().is_some() {
            self.fault(key, "must have no query and no fragment");
        }
    }

    pub(super) fn file(&mut self, key: &str, path: &Path) {
        if !path.is_file() {
            self.fault(key, format!("there is no file {}", path.display()));
        }
    }
}
