//! IPv4 addresses with and without a prefix.

use std::net::Ipv4Addr;

/// An address and how many of its leading bits are meant.
#[derive(Clone, Copy)]
struct Address {
    bits: u32,
    prefix: u32,
}

fn parse(text: &str) -> Option<Address> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, digits)) => {
            let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
            (address, digits.parse().ok().filter(|_| plain)?)
        }
        None => (text, 32),
    };
    let address: Ipv4Addr = address.parse().ok()?;
    (prefix <= 32).then_some(Address {
        bits: address.to_bits(),
        prefix,
    })
}

/// Whether the leading bits agree that both mean.
fn agree(a: Address, b: Address, prefix: u32) -> bool {
    let prefix = prefix.min(a.prefix).min(b.prefix);
    prefix == 0 || (a.bits ^ b.bits) >> (32 - prefix) == 0
}

/// `ipv4_is_private(a)`
pub fn is_private(text: &str) -> Option<bool> {
    parse(text).map(|address| Ipv4Addr::from_bits(address.bits).is_private())
}

/// `ipv4_is_in_range(a, range)`, `ipv4_is_in_any_range(a, …)`
pub fn is_in_range(text: &str, ranges: &[String]) -> Option<bool> {
    let address = parse(text)?;
    let mut unreadable = false;
    for range in ranges {
        match parse(range) {
            Some(range) if agree(address, range, 32) => return Some(true),
            Some(_) => {}
            None => unreadable = true,
        }
    }
    (!unreadable).then_some(false)
}

/// `ipv4_is_match(a, b[, prefix])`
pub fn is_match(a: &str, b: &str, prefix: i64) -> Option<bool> {
    let prefix = u32::try_from(prefix).ok().filter(|prefix| *prefix <= 32)?;
    Some(agree(parse(a)?, parse(b)?, prefix))
}
