//! Reads 8x8's error answers. Their shape differs by operation, release and the proxy in front; none is relied upon.

use serde_json::Value;

use crate::chat_gateway::error::Fault;
use crate::chat_gateway::error::Refusal;
use crate::chat_gateway::wire::text;

/// Longer texts are cut: what matters stands at the beginning.
const LONGEST: usize = 500;

pub(super) fn read(status: u16, body: &[u8]) -> Refusal {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let first = first_error(&body);
    let code = first
        .and_then(|error| text(error.get("code")))
        .or_else(|| text(body.get("code")))
        .or_else(|| text(body.get("ErrorCode")))
        .or_else(|| text(body.pointer("/fault/detail/errorcode")));
    let message = first
        .and_then(|error| text(error.get("message")).or_else(|| text(Some(error))))
        .or_else(|| text(body.get("message")))
        .or_else(|| text(body.get("Error")))
        .or_else(|| text(body.pointer("/fault/faultstring")))
        .or_else(|| text(Some(&body)));
    Refusal {
        status,
        code: code.map(cut),
        message: message.map(cut),
        reference_id: text(body.get("referenceId")).map(cut),
        fault: Fault::of(status),
    }
}

/// `errors` is an array of objects, an array of strings, one object, or absent.
fn first_error(body: &Value) -> Option<&Value> {
    ["errors", "validations"].iter().find_map(|name| match body.get(name)? {
        Value::Array(errors) => errors.first(),
        error @ (Value::Object(_) | Value::String(_)) => Some(error),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    })
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(status: u16, body: &str) -> (Option<String>, Option<String>, Option<String>) {
        let refusal = read(status, body.as_bytes());
        (refusal.code, refusal.message, refusal.reference_id)
    }

    fn of(code: &str, message: &str, reference: &str) -> (Option<String>, Option<String>, Option<String>) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (some(code), some(message), some(reference))
    }

    #[test]
    fn every_known_shape_of_an_error_is_read() {
        let cases = [
            (
                r#"{"message":"Bad","errors":[{"code":"invalid_queue","message":"Queue ID 112 is invalid."}]}"#,
                of("invalid_queue", "Queue ID 112 is invalid.", ""),
            ),
            (
                r#"{"message":"Bad","errors":{"code":"invalid_json_object","message":"authorType"},"referenceId":"r1"}"#,
                of("invalid_json_object", "authorType", "r1"),
            ),
            (
                r#"{"message":"Forbidden","errors":["The tenant does not belong to customer."]}"#,
                of("", "The tenant does not belong to customer.", ""),
            ),
            (
                r#"{"message":"Invalid Credentials","code":"KA:1234567"}"#,
                of("KA:1234567", "Invalid Credentials", ""),
            ),
            (r#"{"ErrorCode":17,"Error":"no"}"#, of("17", "no", "")),
            (r#""just text""#, of("", "just text", "")),
            (
                r#"{"fault":{"faultstring":"Invalid token","detail":{"errorcode":"keymanagement.x"}}}"#,
                of("keymanagement.x", "Invalid token", ""),
            ),
            (
                r#"{"message":"m","validations":[{"field":"f","code":"c","message":"v"}]}"#,
                of("c", "v", ""),
            ),
            (r#"{"message":"m","errors":[]}"#, of("", "m", "")),
            ("<html><body>Bad Gateway</body></html>", of("", "", "")),
            ("", of("", "", "")),
        ];
        for (body, expected) in cases {
            assert_eq!(read_text(400, body), expected, "{body}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let body = serde_json::json!({"message": "é".repeat(400)}).to_string();
        assert_eq!(read(400, body.as_bytes()).message.unwrap(), "é".repeat(250));
    }
}
