//! What a callback may be sent to: checked on the URL before each attempt, and on each address before it is dialled.

use std::net::IpAddr;

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
        Self {
            allow_http: self.allow_http || other.allow_http,
            allow_networks,
        }
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
            Host::Domain(name) => !METADATA_NAMES.contains(&name.trim_end_matches('.')),
            Host::Ipv4(v4) => self.allows(IpAddr::V4(v4)),
            Host::Ipv6(v6) => self.allows(IpAddr::V6(v6)),
        };
        if allowed { Ok(()) } else { Err(UrlFault::RefusedAddress) }
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
