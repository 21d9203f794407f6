//! The user as bots describe them: 8x8's fields, checked against 8x8's limits.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Number;
use utoipa::ToSchema;

use crate::chat_gateway::COPILOT_PROPERTY;
use crate::chat_gateway::HANDOVER_PROPERTY;
use crate::domain::Property;
use crate::domain::RawJson;
use crate::domain::User;
use crate::handovers::Bot;
use crate::http::api::faults::Faults;
use crate::http::api::language::code_of;
use crate::http::problem::Refusal;

/// 8x8 takes so many, with the gateway's own.
const MOST_PROPERTIES: usize = 30;
const AT: &str = "/user/additionalProperties";

/// The properties that the gateway sets for a bot, and the bot cannot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own(&'static [&'static str]);

impl Own {
    pub(super) fn of(bot: &Bot) -> Self {
        Self(match bot.copilot {
            Some(_) => &[HANDOVER_PROPERTY, COPILOT_PROPERTY],
            None => &[HANDOVER_PROPERTY],
        })
    }

    /// How many the bot may set.
    const fn leave(self) -> usize {
        MOST_PROPERTIES - self.0.len()
    }
}

/// What the agent is told about the user; everything is optional.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = User)]
pub(in crate::http) struct UserBody {
    #[schema(example = "James Jones")]
    name: Option<String>,
    user_id: Option<String>,
    customer_id: Option<String>,
    #[schema(example = "user@example.com")]
    email: Option<String>,
    #[schema(example = "07917846011")]
    phone: Option<String>,
    company: Option<String>,
    case_id: Option<String>,
    /// BCP 47, such as `en-GB`. Left out of what 8x8 is sent when 8x8 does not know the language.
    #[schema(example = "en")]
    language: Option<String>,
    ipaddress: Option<String>,
    #[schema(value_type = Option<f64>)]
    timezone_offset: Option<Number>,
    /// At most 29, or 28 where the bot has a Copilot link, each with another key; `handoverId` and `AI Copilot` are reserved.
    additional_properties: Option<Vec<PropertyBody>>,
}

/// One line of the agent's view of the user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Property)]
pub(in crate::http) struct PropertyBody {
    #[schema(example = "Intent")]
    key: String,
    #[schema(example = "balance")]
    value: String,
    /// 8x8's own, in what it answers: taken, and not looked at.
    #[schema(value_type = Value, required = false)]
    #[expect(dead_code, reason = "a user that was read from 8x8 may be sent back as it is")]
    id: Option<IgnoredAny>,
}

impl UserBody {
    pub(super) fn check(self, own: Own, faults: &mut Faults) -> User {
        let email = given(self.email);
        if email.as_deref().is_some_and(|email| !email.contains('@')) {
            faults.add("/user/email", "must be an e-mail address, with an @");
        }
        User {
            name: given(self.name),
            user_id: trimmed(self.user_id),
            customer_id: trimmed(self.customer_id),
            email,
            phone: given(self.phone),
            company: given(self.company),
            case_id: trimmed(self.case_id),
            language: trimmed(self.language).as_deref().and_then(language),
            ipaddress: trimmed(self.ipaddress),
            timezone_offset: self.timezone_offset,
            additional_properties: properties(self.additional_properties.unwrap_or_default(), own, faults),
        }
    }
}

/// A create's `properties` may add to the list; 8x8 counts both.
pub(super) fn check_added_properties(user: &User, properties: Option<&RawJson>, own: Own, faults: &mut Faults) {
    #[derive(Default, Deserialize)]
    struct Added {
        user: AddedToUser,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct AddedToUser {
        additional_properties: Vec<IgnoredAny>,
    }
    // What has another form cannot be merged, which is told by its own name.
    let added = properties.and_then(|json| serde_json::from_str::<Added>(json.as_str()).ok());
    let added = added.unwrap_or_default().user.additional_properties.len();
    let (given, most) = (user.additional_properties.len(), own.leave());
    if given <= most && given + added > most {
        let message = format!(
            "makes {} properties with those of `user`; there must be at most {most}",
            given + added
        );
        faults.add(format!("/properties{AT}"), message);
    }
}

/// A change may add to the list of a handover; 8x8 is sent both.
pub(super) fn check_merged_properties(known: &User, changes: &User, own: Own) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    let count = known.merged(changes.clone()).additional_properties.len();
    let most = own.leave();
    if count > most {
        let message = format!("makes {count} properties with those there are; there must be at most {most}");
        faults.add(AT, message);
    }
    faults.or(())
}

/// Bots send empty strings for what they do not know: nothing was given then.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn trimmed(id: Option<String>) -> Option<String> {
    given(id).map(|id| id.trim().to_owned())
}

fn language(tag: &str) -> Option<String> {
    let code = code_of(tag);
    if code.is_none() {
        tracing::warn!("8x8 does not know the user's language, the user is handed over without one");
    }
    code.map(str::to_owned)
}

fn properties(bodies: Vec<PropertyBody>, own: Own, faults: &mut Faults) -> Vec<Property> {
    let most = own.leave();
    if bodies.len() > most {
        faults.add(AT, format!("must have at most {most} properties"));
    }
    let mut properties: Vec<Property> = Vec::new();
    for (n, PropertyBody { key, value, .. }) in bodies.into_iter().enumerate() {
        let key = key.trim().to_owned();
        if key.is_empty() {
            faults.add(format!("{AT}/{n}/key"), "must not be blank");
        } else if own.0.contains(&key.as_str()) {
            faults.add(format!("{AT}/{n}/key"), format!("`{key}` is set by the gateway"));
        } else if properties.iter().any(|known| known.key == key) {
            faults.add(format!("{AT}/{n}/key"), "is given twice");
        }
        if value.trim().is_empty() {
            faults.add(format!("{AT}/{n}/value"), "must not be blank");
        }
        properties.push(Property { key, value });
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Own = Own(&[HANDOVER_PROPERTY]);
    const WITH_COPILOT: Own = Own(&[HANDOVER_PROPERTY, COPILOT_PROPERTY]);

    fn checked(json: &str) -> (User, Vec<String>) {
        checked_for(PLAIN, json)
    }

    fn checked_for(own: Own, json: &str) -> (User, Vec<String>) {
        let mut faults = Faults::default();
        let user = serde_json::from_str::<UserBody>(json).unwrap().check(own, &mut faults);
        let errors = faults.or(()).err().map(|refusal| refusal.errors).unwrap_or_default();
        (user, errors.into_iter().map(|error| error.pointer).collect())
    }

    #[test]
    fn ids_and_keys_are_trimmed_and_the_language_is_mapped() {
        let (user, faults) = checked(
            r#"{"name":" James ","userId":" 7 ","email":"","language":"en-GB","timezoneOffset":-60,
                "additionalProperties":[{"key":" Intent ","value":" balance"}]}"#,
        );
        assert!(faults.is_empty());
        assert_eq!(
            (user.name.as_deref(), user.user_id.as_deref(), user.email),
            (Some(" James "), Some("7"), None)
        );
        assert_eq!(user.language.as_deref(), Some("en"));
        assert_eq!(
            user.additional_properties,
            [Property {
                key: "Intent".to_owned(),
                value: " balance".to_owned()
            }]
        );
    }

    #[test]
    fn the_id_8x8_gives_a_property_is_taken_and_not_kept() {
        for id in ["\"p-1\"", "7", "null"] {
            let json = format!(r#"{{"additionalProperties":[{{"id":{id},"key":"Intent","value":"balance"}}]}}"#);
            let (user, faults) = checked(&json);
            assert!(faults.is_empty());
            assert_eq!(user.additional_properties.len(), 1);
        }
        assert!(
            serde_json::from_str::<UserBody>(r#"{"additionalProperties":[{"key":"a","value":"b","c":1}]}"#).is_err()
        );
    }

    #[test]
    fn a_language_8x8_does_not_know_is_left_out() {
        assert_eq!(checked(r#"{"language":"fi"}"#).0.language, None);
    }

    #[test]
    fn faults_name_their_place() {
        let (_, faults) = checked(
            r#"{"email":"nobody","additionalProperties":[{"key":" ","value":"x"},{"key":"handoverId ","value":"x"},
                {"key":"a","value":" "},{"key":"a","value":"x"}]}"#,
        );
        assert_eq!(
            faults,
            [
                "/user/email",
                "/user/additionalProperties/0/key",
                "/user/additionalProperties/1/key",
                "/user/additionalProperties/2/value",
                "/user/additionalProperties/3/key"
            ]
        );
    }

    #[test]
    fn there_is_room_for_29_properties_and_for_28_beside_a_copilot_link() {
        let with = |own, count: usize| {
            let properties: Vec<_> = (0..count)
                .map(|n| serde_json::json!({"key": format!("k{n}"), "value": "v"}))
                .collect();
            checked_for(
                own,
                &serde_json::json!({"additionalProperties": properties}).to_string(),
            )
            .1
        };
        assert!(with(PLAIN, 29).is_empty());
        assert_eq!(with(PLAIN, 30), ["/user/additionalProperties"]);
        assert!(with(WITH_COPILOT, 28).is_empty());
        assert_eq!(with(WITH_COPILOT, 29), ["/user/additionalProperties"]);
    }

    #[test]
    fn the_name_of_a_copilot_link_is_taken_where_there_is_one() {
        let json = r#"{"additionalProperties":[{"key":" AI Copilot ","value":"x"}]}"#;
        assert!(checked_for(PLAIN, json).1.is_empty());
        assert_eq!(checked_for(WITH_COPILOT, json).1, ["/user/additionalProperties/0/key"]);
    }
}
