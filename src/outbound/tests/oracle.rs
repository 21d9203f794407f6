//! Which addresses are public, found in another way than the code: by the standard library's own words where it has them,
//! and by the numbers of the registries where it has not.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let named = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_unspecified();
    let numbered = a == 0
        || a >= 240
        || (a == 100 && b / 64 == 1)
        || (a == 198 && b / 2 == 9)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99);
    !named && !numbered
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let number = u128::from(address);
    if number >> 32 == 0x0064_ff9b_0000_0000_0000_0000 {
        return is_public_v4(Ipv4Addr::from((number & 0xffff_ffff) as u32));
    }
    let [a, b, ..] = address.segments();
    let named = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local();
    let numbered = match a {
        0x2001 => b < 0x0200 || b == 0xdb8,
        0x2002 => true,
        0x3fff => b < 0x1000,
        _ => false,
    };
    a >> 13 == 1 && !named && !numbered
}
