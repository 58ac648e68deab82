//! All predicates on one field, tested together: every value is looked at once for all of them.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use poseur_rule::model::{Case, Comparison, Moment, Network, Number, Pattern, Test};
use regex::bytes::Regex;

use crate::bits::Bits;
use crate::keywords::{Keywords, TooManyKeywords};
use crate::record::Kind;
use crate::{number, pattern, time};

/// A scalar, with its text at hand.
#[derive(Debug, Clone, Copy)]
pub struct Scalar<'a> {
    /// What it is; never a list or a map.
    pub kind: Kind,
    /// Its decoded text.
    pub text: &'a [u8],
}

/// The predicates on one field that look at one value at a time. Each has a number, the bit that is
/// set when a value satisfies it.
#[derive(Debug, Clone, Default)]
pub struct PredicateSet {
    equals: Vec<(Box<[u8]>, Case, u32)>,
    contains: Keywords,
    contains_folded: Keywords,
    bools: [Vec<u32>; 2],
    exists: Vec<u32>,
    others: Vec<(One, u32)>,
    /// One more than the largest number in the set.
    bits: usize,
}

/// A predicate that is tested alone.
#[derive(Debug, Clone)]
enum One {
    Pattern(Pattern, Case),
    /// An equality whose text is a number: also compared as a number.
    Number(Box<[u8]>),
    Compare(Comparison, Number),
    Regex(Regex),
    Cidr(Network),
    Time(Comparison, Moment),
}

/// A test that no value can be compiled for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The regular expression is too large or not valid.
    #[error("the regular expression `{pattern}` cannot be used: {reason}")]
    Regex {
        /// As the rule has it.
        pattern: String,
        /// The engine's words, on one line.
        reason: String,
    },
    /// Transitional.
    #[error("not implemented yet")]
    NotYet,
    /// Too many keywords, or too long ones, for one search.
    #[error(transparent)]
    Keywords(#[from] TooManyKeywords),
}

impl PredicateSet {
    /// Whether one predicate of the set holds for a constant text.
    pub fn holds_for_text(&self, bit: u32, text: &[u8]) -> bool {
        let mut bits = Bits::default();
        bits.reset(self.bits);
        let kind = Kind::Text;
        self.test(Scalar { kind, text }, Timestamp::UNIX_EPOCH, &mut bits);
        bits.has(bit)
    }

    /// Adds a test under a number. [`Test::Null`] and [`Test::SameAs`] are not about one value and
    /// are left to the caller. Call [`PredicateSet::finish`] before use.
    ///
    /// # Errors
    /// If the test's regular expression cannot be used.
    pub fn add(&mut self, test: &Test, bit: u32) -> Result<(), CompileError> {
        self.bits = self.bits.max(bit as usize + 1);
        let one = match test {
            Test::Null | Test::SameAs { .. } => return Ok(()),
            Test::Bool(value) => {
                self.bools[*value as usize].push(bit);
                return Ok(());
            }
            Test::Exists => {
                self.exists.push(bit);
                return Ok(());
            }
            Test::Text(pattern, case) => {
                if let Some(text) = pattern.as_equals() {
                    let text: Box<[u8]> = text.as_bytes().into();
                    if number::is_number(&text) {
                        self.others.push((One::Number(text.clone()), bit));
                    }
                    self.equals.push((text, *case, bit));
                    return Ok(());
                }
                if let Some(word) = pattern.as_contains() {
                    let keywords = match case {
                        Case::Exact => &mut self.contains,
                        Case::Ascii => &mut self.contains_folded,
                    };
                    keywords.add(word, bit);
                    return Ok(());
                }
                One::Pattern(pattern.clone(), *case)
            }
            Test::Compare(comparison, limit) => One::Compare(*comparison, limit.clone()),
            Test::Regex(source) => One::Regex(Regex::new(source).map_err(|error| {
                let reason = error.to_string();
                CompileError::Regex {
                    pattern: source.clone(),
                    reason: reason.lines().last().unwrap_or_default().trim().to_owned(),
                }
            })?),
            Test::Cidr(network) => One::Cidr(unmapped(*network)),
            Test::Time(comparison, moment) => One::Time(*comparison, *moment),
            Test::Ordered(..) | Test::Term { .. } | Test::Words(_) => {
                return Err(CompileError::NotYet);
            }
        };
        self.others.push((one, bit));
        Ok(())
    }

    /// Builds the searchers.
    ///
    /// # Errors
    /// If the keywords are too many for one search.
    pub fn finish(&mut self) -> Result<(), CompileError> {
        self.contains.finish(Case::Exact)?;
        self.contains_folded.finish(Case::Ascii)?;
        Ok(())
    }

    /// Sets the bits of all predicates that this value satisfies.
    pub fn test(&self, value: Scalar<'_>, now: Timestamp, bits: &mut Bits) {
        if value.kind == Kind::Null {
            return;
        }
        self.exists.iter().for_each(|&bit| bits.set(bit));
        if let Some(truth) = self.truth(value) {
            self.bools[truth as usize]
                .iter()
                .for_each(|&bit| bits.set(bit));
        }
        self.test_text(value, now, bits);
    }

    /// The same for the non-null existence that an object gives a field, without a value.
    pub fn test_presence(&self, bits: &mut Bits) {
        self.exists.iter().for_each(|&bit| bits.set(bit));
    }

    /// Whether any predicate asks for existence.
    pub fn asks_presence(&self) -> bool {
        !self.exists.is_empty()
    }

    #[inline]
    fn test_text(&self, value: Scalar<'_>, now: Timestamp, bits: &mut Bits) {
        for (text, case, bit) in &self.equals {
            if pattern::equal(value.text, text, *case) {
                bits.set(*bit);
            }
        }
        self.contains.test(value.text, bits);
        self.contains_folded.test(value.text, bits);
        for (one, bit) in &self.others {
            if !bits.has(*bit) && one.holds(value, now) {
                bits.set(*bit);
            }
        }
    }

    fn truth(&self, value: Scalar<'_>) -> Option<bool> {
        if self.bools.iter().all(Vec::is_empty) {
            return None;
        }
        match value.kind {
            Kind::Bool(truth) => Some(truth),
            Kind::Text if value.text == b"true" => Some(true),
            Kind::Text if value.text == b"false" => Some(false),
            _ => None,
        }
    }
}

impl One {
    fn holds(&self, value: Scalar<'_>, now: Timestamp) -> bool {
        match self {
            One::Pattern(pattern, case) => pattern::fits(pattern, *case, value.text),
            One::Number(text) => value.kind == Kind::Number && number::equal(value.text, text),
            One::Compare(comparison, limit) => {
                matches!(value.kind, Kind::Number | Kind::Text)
                    && number::compare(value.text, limit.as_str().as_bytes())
                        .is_some_and(|order| stands(*comparison, order))
            }
            One::Regex(regex) => regex.is_match(value.text),
            One::Cidr(network) => address(value.text).is_some_and(|ip| inside(ip, network)),
            One::Time(comparison, moment) => {
                let moment = match moment {
                    Moment::At(moment) => *moment,
                    Moment::FromNow(offset) => now.as_nanosecond() + offset,
                };
                time::parse(value.text)
                    .filter(|_| value.kind == Kind::Text)
                    .is_some_and(|then| stands(*comparison, then.cmp(&moment)))
            }
        }
    }
}

/// Whether two values in this order are in this relation.
fn stands(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// The IP address a text is, IPv4-mapped ones as IPv4.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(ip.to_canonical())
}

/// A network of IPv4-mapped addresses as the IPv4 network it is.
fn unmapped(network: Network) -> Network {
    match network.address.to_canonical() {
        address @ IpAddr::V4(_) if network.address.is_ipv6() && network.prefix >= 96 => Network {
            address,
            prefix: network.prefix - 96,
        },
        _ => network,
    }
}

fn inside(ip: IpAddr, network: &Network) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, 32),
        IpAddr::V6(ip) => (Ipv6Addr::to_bits(ip), 128),
    };
    let ((ip, width), (network_bits, network_width)) = (bits(ip), bits(network.address));
    width == network_width
        && (network.prefix == 0 || (ip ^ network_bits) >> (128 - u32::from(network.prefix)) == 0)
}
