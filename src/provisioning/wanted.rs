//! What a tenant's webhook and channel are to be, by the configuration.

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use url::Url;

use crate::domain::TenantName;

/// 8x8 takes so many characters of a name.
const LONGEST_NAME: usize = 255;
/// A part of a path that is as long as this may be a secret.
const SHORTEST_SECRET: usize = 16;

#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of webhook and channel both. It has the environment in it, so that two gateways at one account do not meet.
    pub name: String,
    /// What the names of this tenant's webhooks begin with in every environment.
    pub(super) family: String,
    base: String,
    tenant: TenantName,
    path_secret: Option<SecretString>,
    pub queue_id: Option<String>,
}

impl Wanted {
    pub fn new(
        tenant: &TenantName,
        public_url: &Url,
        path_secret: Option<&SecretString>,
        queue_id: Option<&str>,
    ) -> Self {
        let base = public_url.as_str().trim_end_matches('/').to_owned();
        let environment = base.split_once("://").map_or(base.as_str(), |(_scheme, rest)| rest);
        let family = format!("handover-gateway {tenant} (");
        let mut name = format!("{family}{environment})");
        name.truncate(name.floor_char_boundary(LONGEST_NAME));
        Self {
            name,
            family,
            base,
            tenant: tenant.clone(),
            path_secret: path_secret.cloned(),
            queue_id: queue_id.map(str::to_owned),
        }
    }

    /// Where 8x8 is to post: a secret where the tenant has one.
    pub fn uri(&self) -> String {
        let open = format!("{}/webhooks/8x8/{}", self.base, self.tenant);
        match &self.path_secret {
            Some(secret) => format!("{open}/{}", secret.expose_secret()),
            None => open,
        }
    }

    /// Whether an address is exactly the wanted one, however it is written.
    pub fn is_address(&self, uri: Option<&str>) -> bool {
        let parsed = |uri: &str| Url::parse(uri).ok();
        uri.is_some_and(|uri| parsed(uri).is_some_and(|uri| parsed(&self.uri()) == Some(uri)))
    }

    /// Whether an address is on this gateway, right or wrong. One that is no address at all is nobody's.
    pub fn is_here(&self, uri: Option<&str>) -> bool {
        let Some(uri) = uri.and_then(|uri| Url::parse(uri).ok()) else {
            return true;
        };
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        uri.as_str().strip_prefix(&self.base).is_some_and(below)
    }
}

/// An address as it may be shown: without user, password and query, and with what may be a secret in its path hidden.
pub fn masked(uri: &str) -> String {
    let Ok(mut url) = Url::parse(uri) else {
        return "(not an address)".to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return format!("{}:…", url.scheme());
    }
    let path = url.path().to_owned();
    let shown = path
        .split('/')
        .map(|part| if part.len() >= SHORTEST_SECRET { "****" } else { part });
    url.set_path(&shown.collect::<Vec<_>>().join("/"));
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(public_url: &str, secret: Option<&str>) -> Wanted {
        let secret = secret.map(|secret| SecretString::from(secret.to_owned()));
        Wanted::new(
            &TenantName::new("acme"),
            &public_url.parse().unwrap(),
            secret.as_ref(),
            Some("101"),
        )
    }

    #[test]
    fn the_name_tells_environments_apart_and_the_address_ends_in_the_secret() {
        let one = wanted("https://h.example.com/", None);
        assert_eq!(one.name, "handover-gateway acme (h.example.com)");
        assert_eq!(one.uri(), "https://h.example.com/webhooks/8x8/acme");
        let other = wanted("https://h.example.com:8443/stage", Some("0123456789abcdef"));
        assert_eq!(other.name, "handover-gateway acme (h.example.com:8443/stage)");
        assert_eq!(
            other.uri(),
            "https://h.example.com:8443/stage/webhooks/8x8/acme/0123456789abcdef"
        );
        let long = wanted(&format!("https://h.example.com/{}", "x".repeat(300)), None);
        assert_eq!(long.name.len(), 255);
    }

    #[test]
    fn an_address_here_is_told_from_one_elsewhere() {
        let wanted = wanted("https://h.example.com/stage", None);
        for (uri, is_here) in [
            ("https://h.example.com/stage/webhooks/8x8/acme", true),
            ("https://h.example.com:443/stage/handover/eightByEight", true),
            ("https://h.example.com/staging/webhooks/8x8/acme", false),
            ("http://h.example.com/stage/webhooks/8x8/acme", false),
            ("https://other.example.com/stage/webhooks/8x8/acme", false),
        ] {
            assert_eq!(wanted.is_here(Some(uri)), is_here, "{uri}");
        }
        assert!(wanted.is_address(Some("https://H.example.com:443/stage/webhooks/8x8/acme")));
        assert!(!wanted.is_address(Some("https://h.example.com/stage/webhooks/8x8/other")));
        assert!(!wanted.is_address(None));
    }

    #[test]
    fn secrets_of_an_address_are_not_shown() {
        assert_eq!(
            masked("https://u:p@h.example.com/webhooks/8x8/acme/0123456789abcdef?token=x#y"),
            "https://h.example.com/webhooks/8x8/acme/****"
        );
        assert_eq!(masked("0123456789abcdef"), "(not an address)");
    }
}
