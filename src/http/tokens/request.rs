//! What is asked of the token endpoint: a form, or the same as a JSON object whatever it is called.

use secrecy::SecretString;
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::ToSchema;

/// One that is understood.
#[derive(Debug)]
pub(super) enum Request {
    LogIn {
        username: String,
        password: SecretString,
        client: SecretString,
    },
    Refresh {
        token: SecretString,
        client: SecretString,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// With what is wrong.
    Request(&'static str),
    /// A grant that is not offered.
    Grant,
}

/// As it comes. `client_id`, OAuth's own name of it, is taken for `clientid`.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TokenRequest)]
pub(super) struct Fields {
    #[schema(required, example = "password")]
    grant_type: Option<String>,
    /// With the grant `password`.
    username: Option<String>,
    /// With the grant `password`.
    #[schema(value_type = Option<String>)]
    password: Option<SecretString>,
    /// With the grant `refresh_token`.
    #[schema(value_type = Option<String>)]
    refresh_token: Option<SecretString>,
    /// One of the tenant's app tokens.
    #[schema(value_type = String, required)]
    #[serde(alias = "client_id")]
    clientid: Option<SecretString>,
}

impl Request {
    pub(super) fn read(body: &[u8]) -> Result<Self, Malformed> {
        let fields = if body.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice(body).map_err(|_why| Malformed::Request("the body is not a JSON object of texts"))?
        } else {
            Fields::of_form(body)?
        };
        fields.understood()
    }
}

impl Fields {
    fn of_form(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.into_owned();
            let is_new = match name.as_ref() {
                "grant_type" => fields.grant_type.replace(value).is_none(),
                "username" => fields.username.replace(value).is_none(),
                "password" => fields.password.replace(value.into()).is_none(),
                "refresh_token" => fields.refresh_token.replace(value.into()).is_none(),
                "clientid" | "client_id" => fields.clientid.replace(value.into()).is_none(),
                _ => true,
            };
            if !is_new {
                return Err(Malformed::Request("a field is there twice"));
            }
        }
        Ok(fields)
    }

    fn understood(self) -> Result<Request, Malformed> {
        let missing = Malformed::Request;
        match self.grant_type.as_deref() {
            None => Err(missing("grant_type is missing")),
            Some("password") => Ok(Request::LogIn {
                username: self.username.ok_or(missing("username is missing"))?,
                password: self.password.ok_or(missing("password is missing"))?,
                client: self.clientid.ok_or(missing("clientid is missing"))?,
            }),
            Some("refresh_token") => Ok(Request::Refresh {
                token: self.refresh_token.ok_or(missing("refresh_token is missing"))?,
                client: self.clientid.ok_or(missing("clientid is missing"))?,
            }),
            Some(_) => Err(Malformed::Grant),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn fault(body: &str) -> Malformed {
        Request::read(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_form_and_json_say_the_same() {
        for body in [
            "grant_type=password&username=lb%40acme&password=a%26b+c&clientid=app",
            "grant_type=password&username=lb%40acme&password=a%26b+c&client_id=app&scope=x",
            r#" {"grant_type":"password","username":"lb@acme","password":"a&b c","clientid":"app","more":1}"#,
        ] {
            let Ok(Request::LogIn {
                username,
                password,
                client,
            }) = Request::read(body.as_bytes())
            else {
                panic!("{body}")
            };
            assert_eq!(
                (username.as_str(), password.expose_secret(), client.expose_secret()),
                ("lb@acme", "a&b c", "app")
            );
        }
        let refresh = Request::read(b"grant_type=refresh_token&refresh_token=r&clientid=app").unwrap();
        assert!(matches!(refresh, Request::Refresh { token, .. } if token.expose_secret() == "r"));
    }

    #[test]
    fn what_is_missing_or_doubled_is_named() {
        assert_eq!(fault(""), Malformed::Request("grant_type is missing"));
        assert_eq!(fault("grant_type=client_credentials"), Malformed::Grant);
        assert_eq!(
            fault("grant_type=password&username=u&password=p"),
            Malformed::Request("clientid is missing")
        );
        assert_eq!(
            fault("grant_type=refresh_token&clientid=c"),
            Malformed::Request("refresh_token is missing")
        );
        assert_eq!(
            fault("grant_type=password&username=u&username=v"),
            Malformed::Request("a field is there twice")
        );
        for text in [r#"{"grant_type":1}"#, "{", r#"{"clientid":"a","client_id":"b"}"#] {
            assert_eq!(
                fault(text),
                Malformed::Request("the body is not a JSON object of texts")
            );
        }
    }
}
