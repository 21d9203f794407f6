//! Every refused range in every notation an address can be written in.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use url::Url;

use crate::outbound::AddressPolicy;
use crate::outbound::UrlFault;
use crate::outbound::tests::oracle;

/// The first, one inside, and the last address of each range that is refused.
const V4: &str = "
    0.0.0.0 0.1.2.3 0.255.255.255 10.0.0.0 10.1.2.3 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255
    127.0.0.0 127.0.0.1 127.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.20.1.1
    172.31.255.255 192.0.0.0 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255 192.168.0.0
    192.168.1.1 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255
    224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255";
const V6: &str = "
    :: ::1 100:: 100::ffff 2001:: 2001:1ff:ffff:: 2001:db8:: 2001:db8:ffff:: 2002:: 2002:ffff:: 3fff:: 3fff:fff::
    4000:: 5f00:: 5f00:ffff:: 64:ff9b:1:: 64:ff9b:1:ffff:: fc00:: fdff:ffff:: fd00:ec2::254 fe80:: febf:ffff::
    fec0:: feff:ffff:: ff00:: ff02::1 ffff::";

/// All ways to write an IPv4 address as a host that some reader takes for one.
pub(super) fn notations(address: Ipv4Addr) -> Vec<String> {
    let number = u32::from(address);
    let [a, b, c, d] = address.octets();
    let low = number & 0x00ff_ffff;
    let wide: String = address
        .to_string()
        .chars()
        .map(|digit| match digit.to_digit(10) {
            Some(value) => char::from_u32(0xff10 + value).unwrap(),
            None => '\u{3002}',
        })
        .collect();
    let encoded = address
        .to_string()
        .bytes()
        .fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
    vec![
        address.to_string(),
        format!("{address}."),
        number.to_string(),
        format!("0x{number:x}"),
        format!("0X{number:X}"),
        format!("0{number:o}"),
        format!("{a}.{low}"),
        format!("{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.{b}.0{c:o}.{d}"),
        format!("000{a:o}.{b}.{c}.{d}"),
        encoded,
        wide,
    ]
}

/// The IPv6 addresses that lead to an IPv4 one, or are made of it.
pub(super) fn embeddings(address: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = address.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    vec![
        address.to_ipv6_mapped(),
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0, high, low, 0x8000, 0x63bf, !high, !low),
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, high, low),
    ]
}

fn check(host: &str) -> Result<(), UrlFault> {
    let url = Url::parse(&format!("https://{host}/x")).unwrap();
    AddressPolicy::default().check(&url)
}

#[test]
fn no_refused_address_passes_in_any_of_its_notations() {
    let mut cases = 0;
    for address in V4.split_whitespace().map(|text| text.parse::<Ipv4Addr>().unwrap()) {
        for host in notations(address) {
            assert_eq!(check(&host), Err(UrlFault::RefusedAddress), "{host}");
            cases += 1;
        }
        for v6 in embeddings(address) {
            let in_full: Vec<String> = v6.segments().iter().map(|part| format!("{part:04X}")).collect();
            for host in [format!("[{v6}]"), format!("[{}]", in_full.join(":"))] {
                assert_eq!(check(&host), Err(UrlFault::RefusedAddress), "{host}");
                cases += 1;
            }
        }
    }
    for address in V6.split_whitespace() {
        assert_eq!(
            check(&format!("[{address}]")),
            Err(UrlFault::RefusedAddress),
            "{address}"
        );
        assert!(!oracle::is_public(address.parse().unwrap()), "{address}");
        cases += 1;
    }
    assert!(cases >= 300, "{cases} cases");
}

#[test]
fn a_public_address_passes_in_all_of_its_notations_but_as_part_of_another() {
    let public = Ipv4Addr::new(8, 8, 8, 8);
    for host in notations(public) {
        assert_eq!(check(&host), Ok(()), "{host}");
    }
    let passes = |v6: &Ipv6Addr| AddressPolicy::default().allows(IpAddr::V6(*v6));
    let passing: Vec<_> = embeddings(public).into_iter().filter(passes).collect();
    assert_eq!(
        passing,
        ["64:ff9b::808:808".parse::<Ipv6Addr>().unwrap()],
        "only what the network translates"
    );
}

#[test]
fn credentials_of_clouds_are_refused_by_name() {
    for host in [
        "metadata",
        "metadata.",
        "METADATA.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal.",
        "metadata.azure.internal",
        "ｍｅｔａｄａｔａ.google.internal",
    ] {
        assert_eq!(check(host), Err(UrlFault::RefusedAddress), "{host}");
    }
}
