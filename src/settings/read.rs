//! Turns the merged tree into [`Settings`]. Serde stops at the first wrong value; here that value is noted, replaced by
//! the default, and the tree is read again, until every wrong value is noted.

use config::ConfigError;
use config::Map;
use config::Value;
use config::ValueKind;
use serde_path_to_error::Path;
use serde_path_to_error::Segment;

use crate::settings::Finding;
use crate::settings::Settings;
use crate::settings::known::stand_in;
use crate::settings::shape;
use crate::settings::shape::Shape;

/// `None` where even the defaults cannot stand in.
pub(super) fn read(mut tree: Value, defaults: &Value, faults: &mut Vec<Finding>) -> Option<Settings> {
    let mut noted: Vec<Vec<String>> = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Settings>(tree.clone()) {
            Ok(settings) => return Some(settings),
            Err(error) => error,
        };
        let path = keys(error.path());
        let origin = find(&tree, &path).and_then(Value::origin).map(str::to_owned);
        let why = why(error.inner());
        let is_type = why.starts_with("invalid type");
        let why = if is_type && is_secret(&path) {
            "must be text, or a list of texts where several may be given".to_owned()
        } else {
            why
        };
        faults.push(Finding::new(path.join("."), why).from(origin.as_deref()));
        if noted.contains(&path) || !replace(&mut tree, &path, find(defaults, &path)) {
            return None;
        }
        noted.push(path);
    }
}

pub(super) fn find<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, key| match &value.kind {
        ValueKind::Table(table) => table.get(key),
        _ => None,
    })
}

/// Up to the setting itself: a list is one setting.
fn keys(path: &Path) -> Vec<String> {
    path.iter()
        .map_while(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn why(error: &ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => why(error),
        ConfigError::Message(why) => why.clone(),
        ConfigError::NotFound(name) => format!("`{name}` is missing"),
        ConfigError::Type {
            unexpected, expected, ..
        } => format!("invalid type: {unexpected}, expected {expected}"),
        other => other.to_string(),
    }
}

fn replace(tree: &mut Value, path: &[String], default: Option<&Value>) -> bool {
    let Some((name, tables)) = path.split_last() else {
        return false;
    };
    let Some(table) = table_at(tree, tables) else {
        return false;
    };
    match default {
        Some(default) => {
            table.insert(name.clone(), default.clone());
        }
        None if is_required(path) => stand_in(table, name),
        None => {
            table.remove(name);
        }
    }
    true
}

fn table_at<'a>(tree: &'a mut Value, path: &[String]) -> Option<&'a mut Map<String, Value>> {
    let ValueKind::Table(table) = &mut tree.kind else {
        return None;
    };
    path.iter()
        .try_fold(table, |table, key| match &mut table.get_mut(key)?.kind {
            ValueKind::Table(table) => Some(table),
            _ => None,
        })
}

pub(super) fn is_secret(path: &[String]) -> bool {
    shape_of(path).is_some_and(|(shape, name)| shape.is_secret(name))
}

fn is_required(path: &[String]) -> bool {
    shape_of(path).is_some_and(|(shape, name)| shape.required.contains(&name))
}

/// The table a setting stands in, and its own name there.
fn shape_of(path: &[String]) -> Option<(&'static Shape, &str)> {
    let (name, mut rest) = path.split_last()?;
    let mut shape = &shape::ROOT;
    while let Some((key, inner)) = rest.split_first() {
        rest = inner;
        shape = if let Some((_, table)) = shape.tables.iter().find(|(table, _)| table == key) {
            table
        } else {
            let (_, _, entry) = shape.named.iter().find(|(named, _, _)| named == key)?;
            rest = rest.split_first()?.1;
            entry
        };
    }
    Some((shape, name))
}
