//! Reads a token endpoint's answer. Some say everything twice, some write numbers as texts.

use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;
use serde_json::Value;

/// Of a token that does not say how long it is good.
const UNSAID: Duration = Duration::from_mins(5);
const LONGEST: Duration = Duration::from_hours(24);

#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// `Bearer …`
    pub(super) authorization: HeaderValue,
    pub(super) refresh_token: Option<SecretString>,
    pub(super) good_for: Duration,
}

impl Answer {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let whole: Value = serde_json::from_slice(body).ok()?;
        let field = |name: &str| {
            let levels = [Some(&whole), whole.get("values")];
            levels.into_iter().flatten().find_map(|level| level.get(name).cloned())
        };
        let text = |name: &str| {
            field(name)?
                .as_str()
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let token = text("access_token")?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        authorization.set_sensitive(true);
        let seconds = field("expires_in").and_then(|value| match &value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        });
        Some(Self {
            authorization,
            refresh_token: text("refresh_token").map(SecretString::from),
            good_for: seconds.map_or(UNSAID, Duration::from_secs).min(LONGEST),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn either_level_and_either_form_of_a_number_will_do() {
        for body in [
            r#"{"access_token":"a","refresh_token":"r","token_type":"bearer","expires_in":3600}"#,
            r#"{"values":{"access_token":"a","refresh_token":"r","expires_in":"3600"}}"#,
            r#"{"access_token":"a","expires_in":3600,"values":{"access_token":"x","refresh_token":"r"}}"#,
        ] {
            let answer = Answer::read(body.as_bytes()).unwrap();
            assert_eq!(answer.authorization, "Bearer a", "{body}");
            assert!(answer.authorization.is_sensitive());
            assert_eq!(answer.refresh_token.unwrap().expose_secret(), "r", "{body}");
            assert_eq!(answer.good_for, Duration::from_hours(1), "{body}");
        }
        let bare = Answer::read(br#"{"access_token":"a"}"#).unwrap();
        assert!(bare.refresh_token.is_none() && bare.good_for == UNSAID);
        for body in [
            "",
            "{}",
            "[]",
            r#"{"access_token":""}"#,
            r#"{"access_token":"a\nb"}"#,
            r#"{"access_token":1}"#,
        ] {
            assert!(Answer::read(body.as_bytes()).is_none(), "{body}");
        }
    }
}
