//! What a token is asked for with. Nothing of it may be shown.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use url::Url;
use url::form_urlencoded::Serializer;

/// Aisera's way: a user, and an app token as `clientid`; the answer brings a refresh token.
#[derive(Clone, Debug)]
pub struct PasswordGrant {
    pub token_url: Url,
    pub username: String,
    pub password: SecretString,
    pub client_id: SecretString,
}

/// 8x8's way: a key and its secret in HTTP Basic.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    pub token_url: Url,
    pub client_id: String,
    pub client_secret: SecretString,
}

#[derive(Clone)]
pub enum Grant {
    Password(PasswordGrant),
    ClientCredentials(ClientCredentials),
}

impl Grant {
    pub(super) const fn token_url(&self) -> &Url {
        match self {
            Self::Password(grant) => &grant.token_url,
            Self::ClientCredentials(grant) => &grant.token_url,
        }
    }

    /// The form that asks for a first token.
    pub(super) fn form(&self) -> String {
        let mut form = Serializer::new(String::new());
        match self {
            Self::Password(grant) => form
                .append_pair("grant_type", "password")
                .append_pair("username", &grant.username)
                .append_pair("password", grant.password.expose_secret().trim())
                .append_pair("clientid", grant.client_id.expose_secret().trim()),
            Self::ClientCredentials(_) => form.append_pair("grant_type", "client_credentials"),
        };
        form.finish()
    }

    /// The form that asks for the next one, where there is such a grant.
    pub(super) fn refresh_form(&self, token: &SecretString) -> Option<String> {
        match self {
            Self::Password(grant) => Some(
                Serializer::new(String::new())
                    .append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token.expose_secret())
                    .append_pair("clientid", grant.client_id.expose_secret().trim())
                    .finish(),
            ),
            Self::ClientCredentials(_) => None,
        }
    }

    /// The client's own authorization, where it does not stand in the form.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        match self {
            Self::Password(_) => None,
            Self::ClientCredentials(grant) => {
                let pair = format!(
                    "{}:{}",
                    grant.client_id.trim(),
                    grant.client_secret.expose_secret().trim()
                );
                let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::ClientCredentials(_) => "ClientCredentials",
        })
    }
}
