//! Checks a callback address when a bot names one, so that its developer learns at once what is wrong with it.

use thiserror::Error;
use url::Host;
use url::Url;

use crate::outbound::AddressPolicy;
use crate::outbound::UrlFault;

/// The text completes the sentence "callbackUrl …".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallbackUrlError {
    #[error("is not a URL: {0}")]
    Unreadable(url::ParseError),
    #[error(transparent)]
    Fault(UrlFault),
    #[error("names the host `{0}`, which is not among this bot's callback hosts")]
    Host(String),
}

/// Reads and checks an address. `hosts` are the names callbacks of this bot may go to.
pub fn check_callback_url(url: &str, policy: &AddressPolicy, hosts: &[String]) -> Result<Url, CallbackUrlError> {
    let url = Url::parse(url.trim()).map_err(CallbackUrlError::Unreadable)?;
    policy.check(&url).map_err(CallbackUrlError::Fault)?;
    if allowed_host(&url, hosts) {
        Ok(url)
    } else {
        Err(CallbackUrlError::Host(url.host_str().unwrap_or_default().to_owned()))
    }
}

/// Whether the URL's host is one of these, compared as hosts are: without case, in ASCII, whatever the notation.
pub fn allowed_host(url: &Url, hosts: &[String]) -> bool {
    let Some(host) = url.host().map(|host| plain(host.to_owned())) else {
        return false;
    };
    hosts
        .iter()
        .any(|allowed| Host::parse(allowed.trim()).is_ok_and(|allowed| plain(allowed) == host))
}

/// A name with and without the root's dot is the same name.
fn plain(host: Host) -> Host {
    match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<String, String> {
        let hosts = [
            "Bot.Example.com".to_owned(),
            "8.8.8.8".to_owned(),
            "bücher.example".to_owned(),
        ];
        check_callback_url(url, &AddressPolicy::default(), &hosts)
            .map(String::from)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn hosts_are_compared_as_hosts() {
        for url in [
            "https://bot.example.com/x",
            " https://BOT.example.com:8443/x ",
            "https://bot.example.com./x",
            "https://134744072/",
            "https://xn--bcher-kva.example/",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn the_developer_is_told_what_is_wrong() {
        for (url, message) in [
            ("bot.example.com", "is not a URL: relative URL without a base"),
            ("http://bot.example.com", "must start with https://"),
            (
                "https://10.0.0.1/",
                "must not point to a private, local or reserved address",
            ),
            (
                "https://evil.example.com/",
                "names the host `evil.example.com`, which is not among this bot's callback hosts",
            ),
            (
                "https://bot.example.com.evil.org/",
                "names the host `bot.example.com.evil.org`, which is not among this bot's callback hosts",
            ),
        ] {
            assert_eq!(check(url), Err(message.to_owned()), "{url}");
        }
    }
}
