//! Secrets that are given as files: `x_file` instead of `x`, one secret or one a line.

use config::Map;
use config::Value;
use config::ValueKind;

use crate::settings::Finding;
use crate::settings::known::join;

/// Replaces `name_file` by the text in the file.
pub(super) fn take_text(table: &mut Map<String, Value>, name: &str, at: &str, faults: &mut Vec<Finding>) {
    take(table, name, at, faults, |content| match lines(content).as_slice() {
        [] => Err("the file is empty"),
        [only] => Ok(ValueKind::String((*only).to_owned())),
        [..] => Err("the file has more than one line"),
    });
}

/// Replaces `name_file` by the lines of the file.
pub(super) fn take_lines(table: &mut Map<String, Value>, name: &str, at: &str, faults: &mut Vec<Finding>) {
    take(table, name, at, faults, |content| match lines(content) {
        lines if lines.is_empty() => Err("the file is empty"),
        lines => Ok(ValueKind::Array(
            lines
                .into_iter()
                .map(|line| Value::new(None, ValueKind::String(line.to_owned())))
                .collect(),
        )),
    });
}

fn take(
    table: &mut Map<String, Value>,
    name: &str,
    at: &str,
    faults: &mut Vec<Finding>,
    read: impl FnOnce(&str) -> Result<ValueKind, &'static str>,
) {
    let file_name = format!("{name}_file");
    let Some(file) = table.remove(&file_name) else { return };
    let origin = file.origin().map(str::to_owned);
    let mut fault = |name: &str, why: String| faults.push(Finding::new(join(at, name), why).from(origin.as_deref()));
    if table.get(name).is_some_and(is_set) {
        fault(&file_name, format!("given twice, as `{name}` and as `{file_name}`"));
        return;
    }
    let content = match file.into_string() {
        Ok(path) => std::fs::read_to_string(&path).map_err(|why| match shown(&path) {
            Some(path) => format!("cannot read {path}: {why}"),
            None => format!("the file cannot be read: {why}"),
        }),
        Err(_not_text) => Err("must be the path of a file".to_owned()),
    };
    let value = content.and_then(|content| read(&content).map_err(str::to_owned));
    let kind = value.unwrap_or_else(|why| {
        fault(&file_name, why);
        ValueKind::String(String::new())
    });
    table.insert(name.to_owned(), Value::new(origin.as_ref(), kind));
}

/// A path may be shown; what does not begin like one may be the secret itself, put here by mistake.
fn shown(path: &str) -> Option<&str> {
    ["/", "./", "../"]
        .iter()
        .any(|start| path.starts_with(start))
        .then_some(path)
}

/// What the compiled-in defaults give has no origin and gives way; so does an empty list.
fn is_set(value: &Value) -> bool {
    let is_empty_list = matches!(&value.kind, ValueKind::Array(items) if items.is_empty());
    value.origin().is_some() && !is_empty_list
}

fn lines(content: &str) -> Vec<&str> {
    content.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}
