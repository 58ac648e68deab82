//! The values of a field: wildcards and escapes, dashes, placeholders, networks and numbers.

use std::net::IpAddr;

use crate::model::{Network, Number, Part};

/// The parts of a text as Sigma writes it: `*` and `?` are wildcards, a backslash takes the
/// meaning from a wildcard or a backslash that follows, and is itself before anything else.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => literal.push(
                chars
                    .next_if(|next| matches!(next, '\\' | '*' | '?'))
                    .unwrap_or('\\'),
            ),
            '*' | '?' => {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(if c == '*' { Part::Run } else { Part::One });
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    parts
}

/// The characters that introduce an option on a Windows command line: hyphen, slash, en dash, em
/// dash and horizontal bar.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// Most forms that the dashes of one value may give.
pub(super) const MAX_FORMS: usize = 5 * 5 * 5 * 5;

/// Every form of a value in which each dash that begins a word is any of the dashes. `None` if
/// there are more than [`MAX_FORMS`].
pub(super) fn dash_forms(value: &[Part]) -> Option<Vec<Vec<Part>>> {
    let mut forms: Vec<Vec<Part>> = vec![Vec::new()];
    for part in value {
        let texts = match part {
            Part::Literal(text) => literal_dash_forms(text)?
                .into_iter()
                .map(Part::Literal)
                .collect(),
            wildcard => vec![wildcard.clone()],
        };
        if forms.len() * texts.len() > MAX_FORMS {
            return None;
        }
        forms = forms
            .iter()
            .flat_map(|form| {
                texts.iter().map(|text| {
                    let mut form = form.clone();
                    form.push(text.clone());
                    form
                })
            })
            .collect();
    }
    Some(forms)
}

fn literal_dash_forms(text: &str) -> Option<Vec<String>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut forms = vec![String::new()];
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let opens_word =
            !before.is_some_and(is_word) && chars.peek().is_some_and(|next| is_word(*next));
        if DASHES.contains(&c) && opens_word {
            if forms.len() * DASHES.len() > MAX_FORMS {
                return None;
            }
            forms = forms
                .iter()
                .flat_map(|form| DASHES.map(|dash| format!("{form}{dash}")))
                .collect();
        } else {
            for form in &mut forms {
                form.push(c);
            }
        }
        before = Some(c);
    }
    Some(forms)
}

/// The text of a value with `expand`: `\%` is a percent sign. The error is the name of the first
/// placeholder, which nothing here could fill.
pub(super) fn without_placeholders(text: &str) -> Result<String, &str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        if let Some(before) = rest[..at].strip_suffix('\\') {
            out.push_str(before);
        } else {
            let behind = &rest[at + 1..];
            let name = behind.split('%').next().unwrap_or_default();
            let closed = name.len() < behind.len();
            if closed && !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Err(name);
            }
            out.push_str(&rest[..at]);
        }
        out.push('%');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// A network in CIDR notation; a bare address is the network of one address. The error says what
/// is wrong.
pub(super) fn network(text: &str) -> Result<Network, String> {
    let unreadable =
        || format!("`{text}` is no network: write it like 10.0.0.0/8 or 2001:db8::/32");
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| unreadable())?;
    let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => digits
            .parse()
            .ok()
            .filter(|prefix| *prefix <= longest)
            .ok_or_else(|| format!("the prefix of `{text}` is longer than {longest} bits"))?,
        Some(_) => return Err(unreadable()),
    };
    let first = first_address(address, prefix);
    if first != address {
        return Err(format!(
            "`{text}` has bits set behind its prefix: write {first}/{prefix}"
        ));
    }
    Ok(match address {
        // Addresses of this form are looked at as the IPv4 addresses they stand for.
        IpAddr::V6(v6) if prefix >= 96 => match v6.to_ipv4_mapped() {
            Some(v4) => Network {
                address: IpAddr::V4(v4),
                prefix: prefix - 96,
            },
            None => Network { address, prefix },
        },
        _ => Network { address, prefix },
    })
}

/// The address with all bits behind the prefix zero.
fn first_address(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

/// The number that the text of a plain YAML number stands for, if it is finite.
pub(super) fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return Number::new(u64::from_str_radix(digits, 16).ok()?.to_string());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return Number::new(u64::from_str_radix(digits, 8).ok()?.to_string());
    }
    let value: f64 = text.parse().ok()?;
    // YAML writes some numbers as JSON does not: `+1`, `.5`, `007`.
    let written = Number::new(text).or_else(|| Number::new(value.to_string()));
    written.filter(|_| value.is_finite())
}
