//! Problems that only the state table can state; all others come with the input. Their form is that of the HTTP answers.

use crate::domain::RawJson;

/// 8x8 never said what it made of a call.
pub(super) fn never_answered(detail: &str) -> RawJson {
    of("upstream-timeout", 504, "8x8 did not say whether it took it", detail)
}

/// 8x8 said yes and did something else.
pub(super) fn not_done(detail: &str) -> RawJson {
    of("upstream-rejected", 502, "8x8 refused it", detail)
}

fn of(code: &str, status: u16, title: &str, detail: &str) -> RawJson {
    let problem = serde_json::json!({
        "type": format!("urn:handover-gateway:problem:{code}"),
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    });
    #[expect(clippy::expect_used, reason = "strings and a number")]
    RawJson::of(&problem).expect("strings and a number serialise")
}
