//! The address a request comes from: that of the connection, or what a trusted proxy says of it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of the connection, put beside each request by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Peer(pub(in crate::http) IpAddr);

impl Peer {
    pub(in crate::http) fn of(extensions: &Extensions) -> Self {
        let unknown = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        extensions.get::<Self>().copied().unwrap_or(unknown)
    }

    /// A trusted proxy puts whom it got the request from at the end of the list; what stands before it anybody may have
    /// written.
    pub(in crate::http) fn origin(self, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
        let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
        // A value that is no text stands for what it is, an unreadable one: left out, what somebody wrote before it would count.
        let named: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|name| std::str::from_utf8(name).unwrap_or_default())
            .collect();
        let mut origin = self.0;
        for name in named.into_iter().rev() {
            if !is_proxy(origin) {
                break;
            }
            let Some(address) = address_of(name.trim()) else {
                break;
            };
            origin = address;
        }
        origin
    }
}

/// Some proxies write the port behind it.
fn address_of(name: &str) -> Option<IpAddr> {
    let with_port = || name.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || name.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    name.parse().ok().or_else(with_port).or_else(in_brackets)
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// What is counted as one address: of IPv6 a customer has a whole /64 at least.
pub(in crate::http) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn origin(peer: &str, lists: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(list.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        Peer(peer.parse().unwrap()).origin(&headers, &trusted).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        assert_eq!(origin("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(origin("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(origin("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(origin("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(origin("10.0.0.1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(origin("10.0.0.1", &["6.6.6.6", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(origin("10.0.0.1", &["198.51.100.7, unknown"]), "10.0.0.1");
        assert_eq!(origin("10.0.0.1", &["6.6.6.6", "\u{ff}, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(origin("10.0.0.1", &["6.6.6.6", "\u{ff}"]), "10.0.0.1");
        assert_eq!(origin("10.0.0.1", &["6.6.6.6, 198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(
            origin("10.0.0.1", &["[2001:db8::7]:4711, [::ffff:10.0.0.2]"]),
            "2001:db8::7"
        );
        assert_eq!(origin("10.0.0.1", &["6.6.6.6, \"198.51.100.7\", "]), "10.0.0.1");
    }
}
