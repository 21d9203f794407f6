//! Reads 8x8's numbers, which come as numbers, as text, as null, or not at all; and its lists, of which one element may
//! stand alone.

use serde_json::Value;

/// A count or a time that is not negative.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

pub(super) fn whole(value: &Value) -> Option<u64> {
    number(value).and_then(rounded)
}

pub(super) fn rounded(number: f64) -> Option<u64> {
    // A cast would be shorter; text has no silent edge cases.
    format!("{number:.0}").parse().ok()
}

/// The elements of a list, of a list of one that collapsed, or of nothing.
pub(super) fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        Value::Object(_) => std::slice::from_ref(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => &[],
    }
}

/// The element whose id is the wanted one; one without an id when it is the only one.
pub(super) fn with_id<'a>(elements: &'a [Value], key: &str, wanted: &str) -> Option<&'a Value> {
    let is_it = |element: &&Value| match element.get(key) {
        Some(Value::String(id)) => id.trim() == wanted,
        Some(Value::Number(id)) => id.to_string() == wanted,
        Some(_) | None => false,
    };
    elements.iter().find(is_it).or(match elements {
        [only] if only.get(key).is_none() => Some(only),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_in_many_forms() {
        for (value, read) in [
            (json!(3), Some(3)),
            (json!(3.6), Some(4)),
            (json!("12"), Some(12)),
            (json!(" 29947.4 "), Some(29947)),
            (json!(null), None),
            (json!(""), None),
            (json!("n/a"), None),
            (json!("NaN"), None),
            (json!(-1), None),
            (json!([3]), None),
            (json!({"a": 3}), None),
        ] {
            assert_eq!(whole(&value), read, "{value}");
        }
    }

    #[test]
    fn an_element_is_found_by_a_number_or_a_text() {
        let list = json!([{"id": 101, "n": 1}, {"id": "102", "n": 2}]);
        assert_eq!(with_id(elements(&list), "id", "101").unwrap()["n"], 1);
        assert_eq!(with_id(elements(&list), "id", "102").unwrap()["n"], 2);
        assert_eq!(with_id(elements(&list), "id", "103"), None);
        let alone = json!({"n": 3});
        assert_eq!(with_id(elements(&alone), "id", "101").unwrap()["n"], 3);
        assert_eq!(with_id(elements(&json!({"id": 5})), "id", "101"), None);
        assert!(elements(&json!("x")).is_empty());
    }
}
