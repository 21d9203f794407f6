//! The link by which an agent opens the AI Copilot of this very user: one more property of the user.

use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde::Deserialize;
use serde::Deserializer;
use thiserror::Error;
use url::Url;

use crate::domain::Property;
use crate::domain::User;
use crate::domain::percent_encoded;

/// The property that carries the link; bots cannot set it where there is one.
pub const COPILOT_PROPERTY: &str = "AI Copilot";

const USER_ID: &str = "{userId}";
const SESSION_ID: &str = "{sessionId}";

/// An address with `{userId}` and `{sessionId}` where these belong. It may carry a token, so it is kept as a secret.
#[derive(Clone, Debug)]
pub struct CopilotLink(SecretString);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CopilotFault {
    #[error("must be an http or https address, with {{userId}} and {{sessionId}} in its path or query only")]
    NotAUrl,
    #[error("has another placeholder than {{userId}} and {{sessionId}}")]
    UnknownPlaceholder,
}

impl CopilotLink {
    pub fn parse(template: &str) -> Result<Self, CopilotFault> {
        let template = template.trim();
        let bare = template.replace(USER_ID, "").replace(SESSION_ID, "");
        if bare.contains(['{', '}']) {
            return Err(CopilotFault::UnknownPlaceholder);
        }
        let url = Url::parse(template).map_err(|_not_a_url| CopilotFault::NotAUrl)?;
        // What the bot's data fill in must not choose the host.
        let is_fixed = url.authority()
            == Url::parse(&bare)
                .map_err(|_not_a_url| CopilotFault::NotAUrl)?
                .authority();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && is_fixed {
            Ok(Self(template.into()))
        } else {
            Err(CopilotFault::NotAUrl)
        }
    }

    /// The user with the link, in place of anything of its name. What is not known of them stays empty in it.
    #[must_use]
    pub fn added_to(&self, mut user: User, bot_session_id: Option<&str>) -> User {
        let user_id = percent_encoded(user.user_id.as_deref().unwrap_or_default());
        let session_id = percent_encoded(bot_session_id.unwrap_or_default());
        let template = self.0.expose_secret();
        let link = template.replace(USER_ID, &user_id).replace(SESSION_ID, &session_id);
        user.additional_properties
            .retain(|property| property.key.trim() != COPILOT_PROPERTY);
        user.additional_properties.push(Property {
            key: COPILOT_PROPERTY.to_owned(),
            value: link,
        });
        user
    }
}

impl<'de> Deserialize<'de> for CopilotLink {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "https://copilot.example.com/?userId={userId}&sessionId={sessionId}&URLToken=abc";

    fn link(user_id: Option<&str>, session: Option<&str>) -> String {
        let user = User {
            user_id: user_id.map(str::to_owned),
            ..User::default()
        };
        let user = CopilotLink::parse(TEMPLATE).unwrap().added_to(user, session);
        assert_eq!(user.additional_properties.len(), 1);
        assert_eq!(user.additional_properties[0].key, "AI Copilot");
        user.additional_properties[0].value.clone()
    }

    #[test]
    fn what_is_filled_in_is_encoded_and_what_is_not_known_is_empty() {
        assert_eq!(
            link(Some("a b&c=ü/{sessionId}"), Some("s-1")),
            "https://copilot.example.com/?userId=a%20b%26c%3D%C3%BC%2F%7BsessionId%7D&sessionId=s-1&URLToken=abc"
        );
        assert_eq!(
            link(None, None),
            "https://copilot.example.com/?userId=&sessionId=&URLToken=abc"
        );
    }

    #[test]
    fn an_older_link_is_replaced() {
        let copilot = CopilotLink::parse(TEMPLATE).unwrap();
        let user = copilot.added_to(copilot.added_to(User::default(), Some("old")), Some("new"));
        assert_eq!(user.additional_properties.len(), 1);
        assert!(user.additional_properties[0].value.contains("sessionId=new"));
    }

    #[test]
    fn other_placeholders_and_what_is_no_address_are_refused() {
        let fault = |template| CopilotLink::parse(template).unwrap_err();
        assert_eq!(
            fault("https://c.example.com/?t={URLToken}"),
            CopilotFault::UnknownPlaceholder
        );
        assert_eq!(fault("https://c.example.com/?t={"), CopilotFault::UnknownPlaceholder);
        for template in [
            "",
            "c.example.com/?u={userId}",
            "ftp://c.example.com/",
            "https://{userId}.example.com/",
            "{userId}",
        ] {
            assert_eq!(fault(template), CopilotFault::NotAUrl, "{template}");
        }
    }

    #[test]
    fn the_token_in_it_is_not_printed() {
        let shown = format!("{:?}", CopilotLink::parse(TEMPLATE).unwrap());
        assert!(!shown.contains("abc"), "{shown}");
    }
}
