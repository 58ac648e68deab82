//! Ranges of IP addresses as networks.
//!
//! Elasticsearch orders all addresses as IPv6 addresses of 128 bits, IPv4 ones as `::ffff:a.b.c.d`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Comparison, Network};

/// Where the IPv4 addresses begin and end.
const FIRST_V4: u128 = 0xffff << 32;
const LAST_V4: u128 = FIRST_V4 | 0xffff_ffff;

/// The networks that an address, or a network in CIDR notation, stands for. Bits behind the prefix have
/// no meaning. `None` if the text is neither.
pub(super) fn networks(text: &str) -> Option<Vec<Network>> {
    let Some((address, prefix)) = text.split_once('/') else {
        let address = number(text)?;
        return Some(between(address, address));
    };
    let longest = if address.contains(':') { 128 } else { 32 };
    let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix: u32 = prefix.parse().ok().filter(|n| digits && *n <= longest)?;
    let behind = u128::MAX.checked_shr(128 - longest + prefix).unwrap_or(0);
    let behind = if longest == 32 {
        behind & 0xffff_ffff
    } else {
        behind
    };
    let address = number(address)?;
    Some(between(address & !behind, address | behind))
}

/// The networks that hold all addresses in this relation to one; none for an empty range. `None` if
/// the text is no address.
pub(super) fn range(comparison: Comparison, text: &str) -> Option<Vec<Network>> {
    let limit = number(text)?;
    let (first, last) = match comparison {
        Comparison::Equal => (Some(limit), Some(limit)),
        Comparison::Less => (Some(0), limit.checked_sub(1)),
        Comparison::LessOrEqual => (Some(0), Some(limit)),
        Comparison::Greater => (limit.checked_add(1), Some(u128::MAX)),
        Comparison::GreaterOrEqual => (Some(limit), Some(u128::MAX)),
    };
    Some(match (first, last) {
        (Some(first), Some(last)) => between(first, last),
        _ => Vec::new(),
    })
}

fn number(text: &str) -> Option<u128> {
    Some(match text.parse().ok()? {
        IpAddr::V4(v4) => FIRST_V4 | u128::from(u32::from(v4)),
        IpAddr::V6(v6) => v6.into(),
    })
}

/// The fewest networks that hold the addresses from the first to the last.
fn between(first: u128, last: u128) -> Vec<Network> {
    // No network of IPv6 holds IPv4 addresses, so that a range is cut where these begin and end.
    let stretches = [
        (0, FIRST_V4 - 1),
        (FIRST_V4, LAST_V4),
        (LAST_V4 + 1, u128::MAX),
    ];
    let mut networks = Vec::new();
    for (start, end) in stretches {
        blocks(first.max(start), last.min(end), &mut networks);
    }
    networks
}

fn blocks(mut first: u128, last: u128, out: &mut Vec<Network>) {
    while first <= last {
        // A block is as large as its first address is aligned, and as what is left.
        let left = last - first;
        let fits = left.checked_add(1).map_or(128, u128::ilog2);
        let bits = fits.min(first.trailing_zeros());
        out.push(network(first, bits));
        let next = 1_u128
            .checked_shl(bits)
            .and_then(|size| first.checked_add(size));
        match next {
            Some(next) => first = next,
            None => return,
        }
    }
}

fn network(first: u128, bits: u32) -> Network {
    if (FIRST_V4..=LAST_V4).contains(&first) {
        return Network {
            address: IpAddr::V4(Ipv4Addr::from(first as u32)),
            prefix: 32 - bits as u8,
        };
    }
    Network {
        address: IpAddr::V6(Ipv6Addr::from(first)),
        prefix: 128 - bits as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(networks: &[Network]) -> String {
        let shown: Vec<String> = networks
            .iter()
            .map(|network| format!("{}/{}", network.address, network.prefix))
            .collect();
        shown.join(" ")
    }

    #[test]
    fn addresses_and_networks() {
        let table = [
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::1", "::1/128"),
        ];
        for (text, expected) in table {
            assert_eq!(show(&networks(text).unwrap()), expected, "{text}");
        }
        let all = show(&networks("::/0").unwrap());
        assert!(
            all.starts_with("::/81 ") && all.contains(" 0.0.0.0/0 ") && all.ends_with("8000::/1"),
            "{all}"
        );
        for text in [
            "",
            "x",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "010.0.0.1",
            "1.2.3.4/8/8",
        ] {
            assert_eq!(networks(text), None, "{text}");
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(show(&range(Comparison::Less, "::").unwrap()), "");
        let last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        assert_eq!(show(&range(Comparison::Greater, last).unwrap()), "");
        assert_eq!(
            show(&range(Comparison::GreaterOrEqual, last).unwrap()),
            format!("{last}/128")
        );
        let below = show(&range(Comparison::LessOrEqual, "10.0.0.2").unwrap());
        assert!(
            below.ends_with("0.0.0.0/5 8.0.0.0/7 10.0.0.0/31 10.0.0.2/32"),
            "{below}"
        );
        let above = show(&range(Comparison::Greater, "255.255.255.253").unwrap());
        assert!(
            above.starts_with("255.255.255.254/31 ::1:0:0:0/80 "),
            "{above}"
        );
    }

    /// Against plain counting, over a stretch around the first IPv4 address.
    #[test]
    fn blocks_are_the_range() {
        for first in 0..24_u128 {
            for last in first..24 {
                let base = FIRST_V4 - 11;
                let mut held = Vec::new();
                for network in between(base + first, base + last) {
                    let (start, bits) = match network.address {
                        IpAddr::V4(v4) => {
                            (FIRST_V4 | u128::from(u32::from(v4)), 32 - network.prefix)
                        }
                        IpAddr::V6(v6) => (u128::from(v6), 128 - network.prefix),
                    };
                    held.extend(start..start + (1 << bits));
                }
                assert_eq!(held, (base + first..=base + last).collect::<Vec<u128>>());
            }
        }
    }
}
