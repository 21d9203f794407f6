//! Walks the merged tree against the known keys: what is unknown or not a table is reported and taken out, what is
//! missing is reported and stood in for, so that the rest can still be judged.

use config::Map;
use config::Value;
use config::ValueKind;

use crate::settings::Finding;
use crate::settings::secrets;
use crate::settings::shape::Naming;
use crate::settings::shape::Shape;

pub(super) fn conform(table: &mut Map<String, Value>, shape: &Shape, at: &str, faults: &mut Vec<Finding>) {
    for secret in shape.secrets {
        secrets::take_text(table, secret, at, faults);
    }
    for list in shape.secret_lists {
        secrets::take_lines(table, list, at, faults);
    }
    refuse_unknown(table, shape, at, faults);
    for name in shape.required {
        if !table.contains_key(*name) {
            faults.push(Finding::new(join(at, name), "missing"));
            stand_in(table, name);
        }
    }
    for (name, inner) in shape.tables {
        enter(table, name, at, faults, |entry, key, faults| {
            conform(entry, inner, key, faults);
        });
    }
    for (name, inner) in shape.lists {
        each_listed(table.get_mut(*name), inner, &join(at, name), faults);
    }
    for (name, naming, inner) in shape.named {
        enter(table, name, at, faults, |entries, key, faults| {
            each_named(entries, (*naming, inner), key, faults);
        });
    }
}

pub(super) fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

/// An empty text, which no rule reports again because its key already has a fault.
pub(super) fn stand_in(table: &mut Map<String, Value>, name: &str) {
    table.insert(name.to_owned(), Value::new(None, ValueKind::String(String::new())));
}

fn refuse_unknown(table: &mut Map<String, Value>, shape: &Shape, at: &str, faults: &mut Vec<Finding>) {
    let known = (shape.fields)();
    table.retain(|name, value| {
        let is_known = known.contains(&name.as_str());
        if !is_known {
            let why = match nearest(name, known) {
                Some(meant) => format!("unknown key, perhaps `{meant}` is meant"),
                None => "unknown key".to_owned(),
            };
            faults.push(Finding::new(join(at, name), why).from(origin(value)));
        }
        is_known
    });
}

fn each_named(entries: &mut Map<String, Value>, inner: (Naming, &Shape), at: &str, faults: &mut Vec<Finding>) {
    let (naming, shape) = inner;
    let names: Vec<String> = entries.keys().cloned().collect();
    for name in names {
        if naming == Naming::Ours && !is_ours(&name) {
            let why = "a name is lower case letters, digits and single `_`, and starts with a letter";
            faults.push(Finding::new(join(at, &name), why));
        }
        enter(entries, &name, at, faults, |entry, key, faults| {
            conform(entry, shape, key, faults);
        });
    }
}

fn each_listed(list: Option<&mut Value>, shape: &Shape, at: &str, faults: &mut Vec<Finding>) {
    let Some(ValueKind::Array(entries)) = list.map(|list| &mut list.kind) else {
        return;
    };
    for (place, entry) in entries.iter_mut().enumerate() {
        if let ValueKind::Table(entry) = &mut entry.kind {
            conform(entry, shape, &format!("{at}[{place}]"), faults);
        }
    }
}

fn enter(
    table: &mut Map<String, Value>,
    name: &str,
    at: &str,
    faults: &mut Vec<Finding>,
    visit: impl FnOnce(&mut Map<String, Value>, &str, &mut Vec<Finding>),
) {
    let key = join(at, name);
    match table
        .get_mut(name)
        .map(|value| (origin(value).map(str::to_owned), &mut value.kind))
    {
        None => {}
        Some((_, ValueKind::Table(entry))) => visit(entry, &key, faults),
        Some((origin, _)) => {
            let why = format!("is a section: set its keys, `{key}.…`");
            faults.push(Finding::new(key, why).from(origin.as_deref()));
            table.remove(name);
        }
    }
}

/// Where a value was set; a table gathers many, so it asks its first entry.
fn origin(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::Table(entries) => entries.values().find_map(origin),
        _ => value.origin(),
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__")
}

fn nearest(name: &str, known: &'static [&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be changed, added or taken away.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, from) in a.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(b.chars()) {
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("api_kye", "api_key"), 2);
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("lisen", "listen"), 1);
    }
}
