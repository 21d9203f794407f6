//! What of a new reading of the configuration a running process takes up, and what has to wait for a restart.

use std::collections::BTreeSet;

use crate::settings::Settings;

/// Everything below these is taken up; all else is bound to something that is made once, such as a listener or the store.
const TAKEN_UP: [&str; 9] = [
    "tenants.",
    "bots.",
    "admin.tokens",
    "server.tls.",
    "server.trusted_proxies",
    "server.request_timeout",
    "server.body_limit",
    "delivery.allow_http",
    "delivery.allow_networks",
];

/// Dotted keys, secrets among them; never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that hold from now on.
    pub taken_up: BTreeSet<String>,
    /// Those that hold from the next start on.
    pub need_restart: BTreeSet<String>,
}

impl Changes {
    /// Whether a setting changed that holds from now on: `key` itself, or one in the section of that name.
    pub fn touch(&self, key: &str) -> bool {
        let is_below = |changed: &String| changed.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        self.taken_up.iter().any(|changed| changed == key || is_below(changed))
    }
}

impl Settings {
    /// The settings to go on with, when `new` was read while these are in force.
    #[must_use]
    pub fn taking_up(&self, new: Self) -> (Self, Changes) {
        let is_switched = self.server.tls.is_some() != new.server.tls.is_some();
        let is_taken_up = |key: &String| {
            let waits = is_switched && key.starts_with("server.tls.");
            !waits && TAKEN_UP.iter().any(|known| key.starts_with(known))
        };
        let differing = self.marks.changed(&new.marks);
        let (taken_up, need_restart) = differing.into_iter().partition(is_taken_up);
        let mut next = self.clone();
        next.marks.take_up(&new.marks, &taken_up);
        if !is_switched {
            next.server.tls = new.server.tls;
        }
        next.server.trusted_proxies = new.server.trusted_proxies;
        next.server.request_timeout = new.server.request_timeout;
        next.server.body_limit = new.server.body_limit;
        next.admin.tokens = new.admin.tokens;
        next.delivery.allow_http = new.delivery.allow_http;
        next.delivery.allow_networks = new.delivery.allow_networks;
        next.tenants = new.tenants;
        next.bots = new.bots;
        next.warnings = new.warnings;
        let changes = Changes { taken_up, need_restart };
        (next, changes)
    }
}
