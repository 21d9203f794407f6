//! Which IP addresses belong to the public internet. Everything else is refused to callbacks unless it is allowed by name.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::Ipv4Net;
use ipnet::Ipv6Net;

/// Whether the address is one that anybody on the internet could reach as well as we can.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// The IPv4 address that a packet to this IPv6 address ends at, where the stack itself makes that so.
pub(crate) fn mapped(address: Ipv6Addr) -> Option<Ipv4Addr> {
    address.to_ipv4_mapped()
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if NAT64.contains(&address) {
        return is_public_v4(embedded(address));
    }
    // Outside 2000::/3 there is loopback, mapped, compatible, local, link-local, multicast, and what nobody was given yet.
    GLOBAL_UNICAST.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address))
}

/// The IPv4 address in the last four bytes.
fn embedded(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

const NOT_PUBLIC_V4: &[Ipv4Net] = &[
    v4([0, 0, 0, 0], 8),       // this network
    v4([10, 0, 0, 0], 8),      // private
    v4([100, 64, 0, 0], 10),   // carrier-grade NAT
    v4([127, 0, 0, 0], 8),     // loopback
    v4([169, 254, 0, 0], 16),  // link-local, cloud metadata
    v4([172, 16, 0, 0], 12),   // private
    v4([192, 0, 0, 0], 24),    // protocol assignments
    v4([192, 0, 2, 0], 24),    // documentation
    v4([192, 88, 99, 0], 24),  // 6to4 relays
    v4([192, 168, 0, 0], 16),  // private
    v4([198, 18, 0, 0], 15),   // benchmarks
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
    v4([224, 0, 0, 0], 4),     // multicast
    v4([240, 0, 0, 0], 4),     // reserved, broadcast
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// Translated to the IPv4 address in its last four bytes by the network.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

/// Within [`GLOBAL_UNICAST`].
const NOT_PUBLIC_V6: &[Ipv6Net] = &[
    v6([0x2001, 0, 0, 0], 23),     // protocol assignments, Teredo
    v6([0x2001, 0xdb8, 0, 0], 32), // documentation
    v6([0x2002, 0, 0, 0], 16),     // 6to4
    v6([0x3fff, 0, 0, 0], 20),     // documentation
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c, d]: [u16; 4], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "
        0.0.0.0 0.0.0.1 0.1.2.3 0.255.255.255 10.0.0.0 10.0.0.1 10.1.2.3 10.255.255.255 100.64.0.0 100.64.0.1
        100.100.100.200 100.127.255.255 127.0.0.0 127.0.0.1 127.0.1.1 127.1.2.3 127.255.255.255 169.254.0.0
        169.254.0.1 169.254.169.254 169.254.170.2 169.254.255.255 172.16.0.0 172.16.0.1 172.20.10.1 172.31.255.255
        192.0.0.0 192.0.0.1 192.0.0.170 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.1 192.0.2.255 192.88.99.0
        192.88.99.1 192.88.99.255 192.168.0.0 192.168.0.1 192.168.1.1 192.168.255.255 198.18.0.0 198.18.0.1
        198.19.255.255 198.51.100.0 198.51.100.1 198.51.100.255 203.0.113.0 203.0.113.1 203.0.113.255 224.0.0.0
        224.0.0.1 224.0.0.251 232.1.2.3 239.255.255.250 239.255.255.255 240.0.0.0 240.0.0.1 250.1.2.3 255.0.0.0
        255.255.255.254 255.255.255.255
        :: ::1 ::2 ::ffff ::127.0.0.1 ::10.0.0.1 ::8.8.8.8 ::169.254.169.254 ::ffff:0.0.0.0 ::ffff:127.0.0.1
        ::ffff:10.0.0.1 ::ffff:192.168.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 0:1::1 ff::1
        64:ff9b::0.0.0.0 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b::192.168.1.1
        64:ff9b::172.16.0.1 64:ff9b::255.255.255.255 64:ff9b::1:8.8.8.8 64:ff9b:1:: 64:ff9b:1::1
        64:ff9b:1::8.8.8.8 64:ff9b:1:ffff::1 64:ff9a::1 100:: 100::1 100:0:0:1::1 2001::
        2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1
        2001:20::1 2001:1ff:ffff::1 2001:db8:: 2001:db8::1 2001:db8:ffff::1 2002:: 2002:7f00:1:: 2002:a00:1::1
        2002:a9fe:a9fe::1 2002:808:808::1 2002:ffff::1 3fff:: 3fff::1 3fff:fff::1 4000::1 5f00:: 5f00::1 6000::1
        8000::1 a000::1 c000::1 e000::1 fc00:: fc00::1 fd00::1 fd00:ec2::254 fdff:ffff::1 fe00::1 fe80:: fe80::1
        fe80::a9fe:a9fe febf::1 fec0:: fec0::1 feff::1 ff00:: ff01::1 ff02::1 ff02::fb ff05::1:3 ff0e::1 ffff::1
    ";

    const PUBLIC: &str = "
        1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 23.1.2.3 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
        169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255
        192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255
        203.0.114.0 223.255.255.255
        64:ff9b::8.8.8.8 64:ff9b::1.1.1.1 2000::1 2001:200::1 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9::1
        2003::1 2400:cb00::1 2606:4700:4700::1111 2a00:1450::1 3ffe::1 3fff:1000::1
    ";

    #[test]
    fn addresses_that_only_we_could_reach_are_not_public() {
        let cases = REFUSED.split_whitespace();
        assert!(cases.clone().count() >= 100);
        for text in cases {
            let address: IpAddr = text.parse().unwrap();
            assert!(!is_public(address), "{text}");
        }
    }

    #[test]
    fn the_neighbours_of_refused_ranges_are_public() {
        for text in PUBLIC.split_whitespace() {
            let address: IpAddr = text.parse().unwrap();
            assert!(is_public(address), "{text}");
        }
    }
}
