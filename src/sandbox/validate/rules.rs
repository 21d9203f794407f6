//! What a body must keep beyond its shape: enumerations, limits, and fields that need each other.

use serde::de::DeserializeOwned;
use url::Url;

use super::bodies::{
    Assignment, Card, ChannelWrite, ConversationCreate, ConversationPatch, ConversationWrite, MessageWrite,
    PostAgentAssignment, Property, ReadReceipt, Thinking, Typing, User, UserLeave, WebhookVerify, WebhookWrite,
};

/// Why a body is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

pub(crate) trait Check {
    fn check(&self) -> Result<(), Invalid>;
}

/// Reads a JSON body and applies its rules.
pub(crate) fn read<T: DeserializeOwned + Check>(body: &[u8]) -> Result<T, Invalid> {
    let value: T = serde_json::from_slice(body).map_err(|error| Invalid {
        code: "invalid_json_object",
        message: error.to_string(),
    })?;
    value.check()?;
    Ok(value)
}

const LANGUAGES: [&str; 21] = [
    "en", "ru", "de", "ja", "es", "fr", "pt", "it", "pl", "hr", "nl", "ar", "da", "ko", "no", "sv", "vi", "cy", "th",
    "zh-CN", "zh-TW",
];
const CARD_TYPES: [&str; 8] = [
    "application/vnd.microsoft.card.adaptive",
    "application/8x8.quick.replies",
    "Interactive",
    "Location",
    "Template",
    "Suggestions",
    "Buttons",
    "Carousel",
];
/// The second one is the retired dialect; it is kept so that flat events can be tried.
const VERSIONS: [&str; 2] = ["Chat Gateway v1.0", "v2.0"];
const HISTORY_LIMIT: usize = 200;
const PROPERTIES_LIMIT: usize = 30;

impl Check for WebhookWrite {
    fn check(&self) -> Result<(), Invalid> {
        name(&self.name, 256)?;
        target(&self.uri)?;
        for (field, version) in [
            ("version", &self.version),
            ("notificationVersion", &self.notification_version),
        ] {
            if let Some(version) = version {
                one_of(field, version, &VERSIONS)?;
            }
        }
        match (&self.version, &self.notification_version) {
            (Some(one), Some(other)) if one != other => invalid("version and notificationVersion differ"),
            _ => Ok(()),
        }
    }
}

impl Check for WebhookVerify {
    fn check(&self) -> Result<(), Invalid> {
        target(&self.uri)?;
        one_of("version", &self.version, &VERSIONS)
    }
}

impl Check for ChannelWrite {
    fn check(&self) -> Result<(), Invalid> {
        name(&self.name, 255)?;
        if let Some(kind) = &self.kind {
            one_of("type", kind, &["ChatAPI"])?;
        }
        one_of("routingOptions.type", &self.routing_options.kind, &["queue"])
    }
}

impl Check for ConversationCreate {
    fn check(&self) -> Result<(), Invalid> {
        self.user.check()?;
        self.assignment.as_ref().map_or(Ok(()), Check::check)?;
        let messages = self.history.as_ref().map_or(&[][..], |history| &history.messages);
        at_most("history.messages", messages.len(), HISTORY_LIMIT)?;
        if messages.iter().any(|message| !message.attachments.is_empty()) {
            return invalid("history.messages.attachments name files of a conversation that does not exist yet");
        }
        messages.iter().try_for_each(Check::check)
    }
}

impl Check for ConversationWrite {
    fn check(&self) -> Result<(), Invalid> {
        self.user.as_ref().map_or(Ok(()), Check::check)?;
        self.assignment.as_ref().map_or(Ok(()), Check::check)
    }
}

impl Check for ConversationPatch {
    fn check(&self) -> Result<(), Invalid> {
        if self.user.is_none() && self.assignment.is_none() {
            return invalid("one of assignment and user must be present");
        }
        self.user.as_ref().map_or(Ok(()), Check::check)?;
        self.assignment.as_ref().map_or(Ok(()), Check::check)
    }
}

impl Check for Assignment {
    fn check(&self) -> Result<(), Invalid> {
        one_of("assignment.type", &self.kind, &["queue", "script"])
    }
}

impl Check for User {
    fn check(&self) -> Result<(), Invalid> {
        if self.email.as_ref().is_some_and(|email| !email.contains('@')) {
            return invalid("user.email must be an email address");
        }
        if let Some(language) = &self.language {
            one_of("user.language", language, &LANGUAGES)?;
        }
        let properties = self.additional_properties.as_deref().unwrap_or_default();
        at_most("user.additionalProperties", properties.len(), PROPERTIES_LIMIT)?;
        properties.iter().try_for_each(Check::check)
    }
}

impl Check for Property {
    fn check(&self) -> Result<(), Invalid> {
        if self.key.trim().is_empty() || self.value.trim().is_empty() {
            return invalid("an additional property needs both key and value");
        }
        Ok(())
    }
}

impl Check for MessageWrite {
    fn check(&self) -> Result<(), Invalid> {
        author(&self.author_type)?;
        let text = self.text.as_ref().is_some_and(|text| !text.trim().is_empty());
        if self.text.is_some() && !text {
            return invalid("text must not be blank");
        }
        if text && self.external_provider.is_some() {
            return invalid("text and externalProvider exclude each other");
        }
        if let Some(provider) = &self.external_provider {
            one_of("externalProvider.name", &provider.name, &["X"])?;
            return self.cards.iter().try_for_each(Check::check);
        }
        if !text && self.attachments.is_empty() && self.cards.is_empty() {
            return invalid("one of text, cards and attachments must be present");
        }
        if self
            .attachments
            .iter()
            .any(|attachment| attachment.id.trim().is_empty())
        {
            return invalid("an attachment needs an id");
        }
        self.cards.iter().try_for_each(Check::check)
    }
}

impl Check for Card {
    fn check(&self) -> Result<(), Invalid> {
        one_of("cards.contentType", &self.content_type, &CARD_TYPES)
    }
}

impl Check for PostAgentAssignment {
    fn check(&self) -> Result<(), Invalid> {
        one_of("type", &self.kind, &["webhook"])?;
        let Some(configuration) = &self.configuration else {
            return Ok(());
        };
        if let Some(notify) = &configuration.notify_channel_webhook_if_exists {
            one_of("notifyChannelWebhookIfExists", notify, &["true", "false"])?;
        }
        let total = configuration.max_total_minutes;
        if total.is_some_and(|minutes| !(20..=600).contains(&minutes)) {
            return invalid("maxTotalMinutes must be 20 to 600");
        }
        let timeout = configuration.user_timeout_in_minutes;
        if timeout.is_some_and(|minutes| !(10..=300).contains(&minutes)) {
            return invalid("userTimeoutInMinutes must be 10 to 300");
        }
        Ok(())
    }
}

impl Check for Typing {
    fn check(&self) -> Result<(), Invalid> {
        author(&self.author_type)
    }
}

impl Check for Thinking {
    fn check(&self) -> Result<(), Invalid> {
        if let Some(author) = &self.author_type {
            one_of("authorType", author, &["bot"])?;
        }
        match self.max_thinking_time_seconds {
            Some(seconds) if !(1..=600).contains(&seconds) => invalid("maxThinkingTimeSeconds must be 1 to 600"),
            _ => Ok(()),
        }
    }
}

impl Check for ReadReceipt {
    fn check(&self) -> Result<(), Invalid> {
        author(&self.author_type)?;
        if self.read_at <= 0 {
            return invalid("readAt must be epoch milliseconds");
        }
        Ok(())
    }
}

impl Check for UserLeave {
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }
}

fn invalid(message: &str) -> Result<(), Invalid> {
    Err(Invalid {
        code: "invalid_parameter",
        message: message.to_owned(),
    })
}

fn author(value: &str) -> Result<(), Invalid> {
    one_of("authorType", value, &["bot", "user"])
}

fn one_of(field: &str, value: &str, allowed: &[&str]) -> Result<(), Invalid> {
    if allowed.contains(&value) {
        return Ok(());
    }
    invalid(&format!("{field} must be one of {}", allowed.join(", ")))
}

fn at_most(field: &str, count: usize, limit: usize) -> Result<(), Invalid> {
    if count > limit {
        return invalid(&format!("{field} holds {count} entries, at most {limit} are allowed"));
    }
    Ok(())
}

fn name(value: &str, limit: usize) -> Result<(), Invalid> {
    if value.trim().is_empty() || value.chars().count() > limit {
        return invalid(&format!("name must have 1 to {limit} characters"));
    }
    Ok(())
}

fn target(uri: &str) -> Result<(), Invalid> {
    match Url::parse(uri) {
        Ok(url) => one_of("uri scheme", url.scheme(), &["http", "https"]),
        Err(error) => invalid(&format!("uri: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn create(user: &Value) -> Result<ConversationCreate, Invalid> {
        read(json!({"channelId": "c", "user": user}).to_string().as_bytes())
    }

    fn message(body: &Value) -> Result<MessageWrite, Invalid> {
        read(body.to_string().as_bytes())
    }

    #[test]
    fn the_sample_user_is_accepted() {
        let properties = json!([{"key": "Intent", "value": "balance"}]);
        let user = json!({"name": "James Jones", "email": "user@example.com", "language": "zh-CN",
            "additionalProperties": properties});
        assert_eq!(create(&user).unwrap().user.into_stored(), user);
    }

    #[test]
    fn a_webhooks_version_may_be_spelt_in_both_fields_but_only_in_one_way() {
        let webhook = |fields: Value| {
            let mut body = json!({"name": "n", "uri": "https://h.example.com"});
            body.as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            read::<WebhookWrite>(body.to_string().as_bytes())
        };
        let (ours, old) = ("Chat Gateway v1.0", "v2.0");
        assert!(webhook(json!({})).is_ok());
        assert!(webhook(json!({"version": ours, "notificationVersion": ours})).is_ok());
        assert!(webhook(json!({"version": ours, "notificationVersion": old})).is_err());
        assert!(webhook(json!({"notificationVersion": "v9"})).is_err());
    }

    #[test]
    fn unknown_fields_are_refused_but_those_of_a_user() {
        assert!(create(&json!({"nick": "J"})).is_ok());
        assert!(message(&json!({"authorType": "user", "text": "a", "id": "1"})).is_err());
    }

    #[test]
    fn a_property_needs_key_and_value_and_there_are_at_most_thirty() {
        let property = |key: &str, value: &str| json!({"key": key, "value": value});
        assert!(create(&json!({"additionalProperties": [property("a", "")]})).is_err());
        assert!(create(&json!({"additionalProperties": [property(" ", "b")]})).is_err());
        assert!(create(&json!({"additionalProperties": [{"key": "a", "value": 1}]})).is_err());
        assert!(create(&json!({"additionalProperties": vec![property("a", "b"); 30]})).is_ok());
        assert!(create(&json!({"additionalProperties": vec![property("a", "b"); 31]})).is_err());
    }

    #[test]
    fn language_and_email_are_checked() {
        assert!(create(&json!({"language": "en-GB"})).is_err());
        assert!(create(&json!({"email": "nobody"})).is_err());
    }

    #[test]
    fn history_holds_at_most_two_hundred_messages() {
        let body = |count: usize| {
            let messages = vec![json!({"authorType": "bot", "text": "hi"}); count];
            json!({"channelId": "c", "user": {}, "history": {"messages": messages}}).to_string()
        };
        assert!(read::<ConversationCreate>(body(200).as_bytes()).is_ok());
        assert!(read::<ConversationCreate>(body(201).as_bytes()).is_err());
    }

    #[test]
    fn a_message_says_something_as_bot_or_user() {
        assert!(message(&json!({"authorType": "user", "text": "hello"})).is_ok());
        assert!(message(&json!({"authorType": "bot", "cards": [{"content": {}}]})).is_ok());
        assert!(message(&json!({"authorType": "user", "attachments": [{"id": "1"}]})).is_ok());
        assert!(message(&json!({"authorType": "user"})).is_err());
        assert!(message(&json!({"authorType": "agent", "text": "hello"})).is_err());
        assert!(message(&json!({"text": "hello"})).is_err());
        assert!(message(&json!({"authorType": "user", "text": " "})).is_err());
    }
}
