//! Addresses and URLs by chance, judged by another judge.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;
use url::Host;
use url::Url;

use crate::fuzzing::fuzz;
use crate::outbound::AddressPolicy;
use crate::outbound::tests::addresses::embeddings;
use crate::outbound::tests::addresses::notations;
use crate::outbound::tests::oracle;

const SEEDS: &[&str] = &[
    "https://127.0.0.1/",
    "https://0x7f.1:8443/x?y=1",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://metadata.google.internal./",
    "https://user:pw@8.8.8.8/#x",
    "http://[fe80::1]/",
    "https://bot.example.com/handover",
    "https://２１３.0.0.1/",
    "https://2130706433/",
    "ftp://10.0.0.1/",
];

#[test]
fn nothing_that_is_not_public_is_ever_allowed_without_being_named() {
    let seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    fuzz("addresses and urls", &seeds, |input| {
        if let Some(bytes) = input.first_chunk::<4>() {
            let address = Ipv4Addr::from(*bytes);
            judge(address.into());
            for v6 in embeddings(address) {
                judge(v6.into());
            }
            for host in notations(address) {
                judge_url(&format!("https://{host}/"));
            }
        }
        if let Some(bytes) = input.first_chunk::<16>() {
            let address = Ipv6Addr::from(*bytes);
            judge(address.into());
            judge_url(&format!("https://[{address}]/"));
            // Most of IPv6 is nobody's: near the borders of what is somebody's, too.
            for start in [0x2000, 0x2001, 0x2002, 0x3fff, 0x64, 0xfc00, 0xfe80, 0xff00, 0x5f00, 0] {
                let mut near = address.segments();
                near[0] = start;
                judge(Ipv6Addr::from(near).into());
                near[1] &= 0x1fff;
                near[2..6].fill(0);
                judge(Ipv6Addr::from(near).into());
            }
        }
        if let Ok(text) = std::str::from_utf8(input) {
            judge_url(text);
        }
    });
}

fn judge(address: IpAddr) {
    let public = oracle::is_public(address);
    assert_eq!(AddressPolicy::default().allows(address), public, "{address}");
    let network: IpNet = "10.20.0.0/16".parse().unwrap();
    let named = AddressPolicy {
        allow_networks: vec![network],
        ..AddressPolicy::default()
    };
    let is_named = network.contains(&address.to_canonical());
    assert_eq!(named.allows(address), public || is_named, "{address}");
}

fn judge_url(text: &str) {
    let Ok(url) = Url::parse(text) else { return };
    if AddressPolicy::default().check(&url).is_err() {
        return;
    }
    assert_eq!(url.scheme(), "https", "{url}");
    assert!(
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none(),
        "{url}"
    );
    match url.host().unwrap() {
        Host::Ipv4(address) => assert!(oracle::is_public(address.into()), "{url}"),
        Host::Ipv6(address) => assert!(oracle::is_public(address.into()), "{url}"),
        // What a resolver could take for a number is none: it would come by without being looked at.
        Host::Domain(name) => assert!(name.trim_end_matches('.').parse::<IpAddr>().is_err(), "{url}"),
    }
}
