//! What every setting is set to, as hashes: two readings of the configuration are compared by them, so that a secret that
//! changed shows, and the secret does not.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::digest::Context;
use aws_lc_rs::digest::SHA256;
use config::Value;
use config::ValueKind;

/// By dotted key. A list is one setting.
#[derive(Clone, Default)]
pub struct Marks(BTreeMap<String, Vec<u8>>);

impl Marks {
    /// Of the merged tree, with the secrets that stand in files put in their places.
    pub(super) fn of(tree: &Value) -> Self {
        let mut marks = Self::default();
        marks.enter(tree, String::new());
        marks
    }

    /// The keys that are set otherwise here and there.
    pub(super) fn changed(&self, other: &Self) -> BTreeSet<String> {
        let keys = self.0.keys().chain(other.0.keys());
        keys.filter(|key| self.0.get(*key) != other.0.get(*key))
            .cloned()
            .collect()
    }

    /// As in `other`, for these keys.
    pub(super) fn take_up(&mut self, other: &Self, keys: &BTreeSet<String>) {
        for key in keys {
            match other.0.get(key) {
                Some(mark) => drop(self.0.insert(key.clone(), mark.clone())),
                None => drop(self.0.remove(key)),
            }
        }
    }

    fn enter(&mut self, value: &Value, at: String) {
        match &value.kind {
            ValueKind::Table(table) => {
                for (name, value) in table {
                    let key = if at.is_empty() {
                        name.clone()
                    } else {
                        format!("{at}.{name}")
                    };
                    self.enter(value, key);
                }
            }
            ValueKind::Nil => {}
            _ => {
                let mut context = Context::new(&SHA256);
                feed(&mut context, value);
                self.0.insert(at, context.finish().as_ref().to_vec());
            }
        }
    }
}

/// With kinds and lengths, so that no two values read alike.
fn feed(context: &mut Context, value: &Value) {
    match &value.kind {
        ValueKind::Array(items) => {
            context.update(format!("list {};", items.len()).as_bytes());
            for item in items {
                feed(context, item);
            }
        }
        ValueKind::Table(table) => {
            let sorted: BTreeMap<_, _> = table.iter().collect();
            context.update(format!("table {};", sorted.len()).as_bytes());
            for (name, value) in sorted {
                context.update(format!("{}:{name}", name.len()).as_bytes());
                feed(context, value);
            }
        }
        _ => {
            let text = value.to_string();
            context.update(format!("{}:{text}", text.len()).as_bytes());
        }
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} settings", self.0.len())
    }
}
