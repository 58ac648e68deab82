//! IP addresses in networks.

use std::net::{IpAddr, Ipv6Addr};

use poseur_rule::model::Network;

/// The IP address a text is, IPv4-mapped ones as IPv4.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(ip.to_canonical())
}

/// A network of IPv4-mapped addresses as the IPv4 network it is.
pub fn unmapped(network: Network) -> Network {
    match network.address.to_canonical() {
        address @ IpAddr::V4(_) if network.address.is_ipv6() && network.prefix >= 96 => Network {
            address,
            prefix: network.prefix - 96,
        },
        _ => network,
    }
}

/// Whether an address is in a network of the same kind.
pub fn inside(ip: IpAddr, network: &Network) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, 32),
        IpAddr::V6(ip) => (Ipv6Addr::to_bits(ip), 128),
    };
    let ((ip, width), (network_bits, network_width)) = (bits(ip), bits(network.address));
    width == network_width
        && (network.prefix == 0 || (ip ^ network_bits) >> (128 - u32::from(network.prefix)) == 0)
}
