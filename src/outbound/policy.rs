//! What a callback may be sent to: checked on the URL before each attempt, and on each address before it is dialled.

use std::net::IpAddr;
use std::net::SocketAddr;

use ipnet::IpNet;
use thiserror::Error;
use url::Host;
use url::Url;

use crate::outbound::address;

/// The default refuses plain HTTP and every address that is not public.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressPolicy {
    pub allow_http: bool,
    /// Networks that may be reached although they are not public.
    pub allow_networks: Vec<IpNet>,
    /// Where the gateway itself listens: nothing it posts is to come back to it.
    pub own: Vec<Authority>,
}

/// A host and a port. Of a name without the root's dot, in lower case; of `0.0.0.0` and `::` every loopback is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    host: Host,
    port: u16,
}

impl Authority {
    pub fn of_listener(address: SocketAddr) -> Self {
        let host = match address.ip().to_canonical() {
            IpAddr::V4(v4) => Host::Ipv4(v4),
            IpAddr::V6(v6) => Host::Ipv6(v6),
        };
        let port = address.port();
        Self { host, port }
    }

    /// `None` for an address without a host.
    fn of_url(url: &Url) -> Option<Self> {
        let host = match url.host()? {
            Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
            Host::Ipv4(v4) => Host::Ipv4(v4),
            Host::Ipv6(v6) => v6.to_ipv4_mapped().map_or(Host::Ipv6(v6), Host::Ipv4),
        };
        let port = url.port_or_known_default()?;
        Some(Self { host, port })
    }

    /// Whether who dials `other` may reach this one.
    fn is_met_by(&self, other: &Self) -> bool {
        let everywhere = match &self.host {
            Host::Ipv4(v4) => v4.is_unspecified() || v4.is_loopback(),
            Host::Ipv6(v6) => v6.is_unspecified() || v6.is_loopback(),
            Host::Domain(_) => false,
        };
        let is_here = match &other.host {
            Host::Ipv4(v4) => v4.is_loopback() || v4.is_unspecified(),
            Host::Ipv6(v6) => v6.is_loopback() || v6.is_unspecified(),
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        };
        self.port == other.port && (self.host == other.host || (everywhere && is_here))
    }
}

/// What is wrong with a URL as a callback's target, told to the developer of the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlFault {
    #[error("must start with https://")]
    NotHttps,
    #[error("must start with https:// or http://")]
    NotHttp,
    #[error("must not carry a user name or password")]
    UserInfo,
    #[error("must not have a fragment (the part after #)")]
    Fragment,
    #[error("must name a host")]
    NoHost,
    #[error("must not point to a private, local or reserved address")]
    RefusedAddress,
    #[error("must not point to this gateway itself")]
    Own,
}

/// Names under which clouds serve credentials to the machine, whatever they resolve to.
const METADATA_NAMES: &[&str] = &[
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
];

impl AddressPolicy {
    /// What either of the two allows.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut allow_networks = self.allow_networks.clone();
        allow_networks.extend(other.allow_networks.iter().copied());
        let own = self.own.iter().chain(&other.own).cloned().collect();
        Self {
            own,
            allow_http: self.allow_http || other.allow_http,
            allow_networks,
        }
    }

    /// Also refuses the gateway's own addresses.
    #[must_use]
    pub fn but_not(mut self, own: &[Authority]) -> Self {
        self.own.extend_from_slice(own);
        self
    }

    /// Whether this address may be dialled.
    pub fn allows(&self, address: IpAddr) -> bool {
        address::is_public(address) || self.names(address) || self.names_mapped(address)
    }

    /// Checks what the URL itself shows. A host's name is checked when it is resolved, see [`crate::outbound`].
    pub fn check(&self, url: &Url) -> Result<(), UrlFault> {
        match (url.scheme(), self.allow_http) {
            ("https", _) | ("http", true) => {}
            (_, false) => return Err(UrlFault::NotHttps),
            (_, true) => return Err(UrlFault::NotHttp),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlFault::Fragment);
        }
        let allowed = match url.host().ok_or(UrlFault::NoHost)? {
            Host::Domain(name) => is_name(name.trim_end_matches('.')),
            Host::Ipv4(v4) => self.allows(IpAddr::V4(v4)),
            Host::Ipv6(v6) => self.allows(IpAddr::V6(v6)),
        };
        if !allowed {
            return Err(UrlFault::RefusedAddress);
        }
        let target = Authority::of_url(url);
        let is_own = target.is_some_and(|target| self.own.iter().any(|own| own.is_met_by(&target)));
        if is_own { Err(UrlFault::Own) } else { Ok(()) }
    }

    fn names(&self, address: IpAddr) -> bool {
        self.allow_networks.iter().any(|net| net.contains(&address))
    }

    /// An address written as IPv6 that the stack dials as IPv4 counts as that one.
    fn names_mapped(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => address::mapped(v6).is_some_and(|v4| self.names(IpAddr::V4(v4))),
        }
    }
}

/// Not one that clouds keep for themselves, and not a number that only looks like a name: a resolver could take it for one.
fn is_name(name: &str) -> bool {
    !METADATA_NAMES.contains(&name) && name.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &AddressPolicy, url: &str) -> Result<(), UrlFault> {
        policy.check(&Url::parse(url).unwrap())
    }

    fn local() -> AddressPolicy {
        AddressPolicy {
            allow_http: true,
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..AddressPolicy::default()
        }
    }

    #[test]
    fn literals_are_refused_in_every_notation() {
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://127.1/",
            "https://127.0.1/",
            "https://127.0.0.1./",
            "https://0/",
            "https://%31%32%37.0.0.1/",
            "https://１２７.0.0.1/",
            "https://127。0。0。1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://169.254.169.254/latest/meta-data",
            "https://0xa9fea9fe/",
            "https://2852039166/",
            "https://metadata.google.internal/",
            "https://METADATA.google.internal./",
        ] {
            assert_eq!(
                check(&AddressPolicy::default(), url),
                Err(UrlFault::RefusedAddress),
                "{url}"
            );
        }
    }

    #[test]
    fn only_clean_https_urls_pass_by_default() {
        let strict = AddressPolicy::default();
        assert_eq!(check(&strict, "https://bot.example.com:8443/x?y=1"), Ok(()));
        assert_eq!(check(&strict, "https://8.8.8.8/"), Ok(()));
        assert_eq!(check(&strict, "http://bot.example.com/"), Err(UrlFault::NotHttps));
        assert_eq!(check(&strict, "ftp://bot.example.com/"), Err(UrlFault::NotHttps));
        assert_eq!(check(&strict, "https://me@bot.example.com/"), Err(UrlFault::UserInfo));
        assert_eq!(check(&strict, "https://:pw@bot.example.com/"), Err(UrlFault::UserInfo));
        assert_eq!(check(&strict, "https://bot.example.com/#x"), Err(UrlFault::Fragment));
        assert_eq!(check(&local(), "file:///etc/passwd"), Err(UrlFault::NotHttp));
    }

    #[test]
    fn the_gateway_does_not_call_itself_even_where_its_network_is_allowed() {
        let own = ["0.0.0.0:8080", "127.0.0.1:9090"].map(|text| Authority::of_listener(text.parse().unwrap()));
        let policy = local().but_not(&own);
        for url in [
            "http://127.0.0.1:8080/webhooks/8x8",
            "http://127.0.0.2:9090/tenants/look",
            "http://2130706433:9090/",
            "http://[::ffff:127.0.0.1]:9090/",
            "http://localhost:9090/metrics",
            "http://LOCALHOST.:8080/",
        ] {
            assert_eq!(check(&policy, url), Err(UrlFault::Own), "{url}");
        }
        for url in [
            "http://127.0.0.1:8081/",
            "http://localhost/",
            "https://handover.example.com/bot",
            "https://bot.example.com:8080/",
        ] {
            assert_eq!(check(&policy, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn an_allowed_network_lets_its_own_addresses_through_and_no_other() {
        assert_eq!(check(&local(), "http://127.0.0.1:8080/x"), Ok(()));
        assert_eq!(check(&local(), "http://[::ffff:127.0.0.1]/"), Ok(()));
        assert_eq!(check(&local(), "http://10.0.0.1/"), Err(UrlFault::RefusedAddress));
        assert_eq!(check(&local(), "http://[::1]/"), Err(UrlFault::RefusedAddress));
        assert_eq!(
            check(&local(), "http://[64:ff9b::127.0.0.1]/"),
            Err(UrlFault::RefusedAddress)
        );
    }
}
