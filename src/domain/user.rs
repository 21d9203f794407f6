//! The person behind the chat, in 8x8's fields.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Number;

/// What the agent is told about the user. Every field is optional for 8x8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipaddress: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone_offset: Option<Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_properties: Vec<Property>,
}

/// One line of the agent's view of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    pub key: String,
    pub value: String,
}

impl User {
    /// `changes` over what is known: a field given replaces, a property given replaces the one with its key or is added.
    #[must_use]
    pub fn merged(&self, changes: Self) -> Self {
        let mut properties = self.additional_properties.clone();
        for property in changes.additional_properties {
            match properties.iter_mut().find(|known| known.key == property.key) {
                Some(known) => known.value = property.value,
                None => properties.push(property),
            }
        }
        let known = self.clone();
        Self {
            name: changes.name.or(known.name),
            user_id: changes.user_id.or(known.user_id),
            customer_id: changes.customer_id.or(known.customer_id),
            email: changes.email.or(known.email),
            phone: changes.phone.or(known.phone),
            company: changes.company.or(known.company),
            case_id: changes.case_id.or(known.case_id),
            language: changes.language.or(known.language),
            ipaddress: changes.ipaddress.or(known.ipaddress),
            timezone_offset: changes.timezone_offset.or(known.timezone_offset),
            additional_properties: properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(json: &str) -> User {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn merging_keeps_what_was_not_given_and_replaces_properties_by_key() {
        let known = user(
            r#"{"name":"James","email":"j@example.com","additionalProperties":[{"key":"Intent","value":"balance"}]}"#,
        );
        let changes = user(
            r#"{"phone":"1","additionalProperties":[{"key":"Intent","value":"card"},{"key":"Tier","value":"gold"}]}"#,
        );
        let expected = user(
            r#"{"name":"James","email":"j@example.com","phone":"1",
                "additionalProperties":[{"key":"Intent","value":"card"},{"key":"Tier","value":"gold"}]}"#,
        );
        assert_eq!(known.merged(changes), expected);
    }
}
