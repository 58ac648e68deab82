//! What schemas make of the texts they find.

use std::io::Write;

use crate::network::address;
use crate::record::Kind;
use crate::schema::Derive;

/// The text derived from a scalar's text; `None` if it gives no value.
pub fn derive<'a>(
    how: &'a Derive,
    kind: Kind,
    text: &'a [u8],
    renamed: bool,
    out: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    match how {
        Derive::Same | Derive::Text => Some(text),
        Derive::Lower => {
            lower(text, out);
            Some(out)
        }
        Derive::Address | Derive::Local | Derive::Domain => {
            let mut signs = memchr::memchr_iter(b'@', text);
            let at = signs.next().filter(|_| kind == Kind::Text)?;
            if signs.next().is_some() {
                return None;
            }
            Some(match how {
                Derive::Local => &text[..at],
                Derive::Domain => &text[at + 1..],
                _ => text,
            })
        }
        Derive::Ip => {
            let bare = bare_address(text)?;
            let ip = address(bare)?;
            // Only a mapped address reads differently from how it is written.
            if ip.is_ipv4() && bare.contains(&b':') {
                out.clear();
                // Writing to memory cannot fail.
                let _ = write!(out, "{ip}");
                return Some(out);
            }
            Some(bare)
        }
        Derive::Values { entries, otherwise } => {
            lower(text, out);
            let known = entries
                .iter()
                .find(|(_, texts)| texts.iter().any(|known| known.as_bytes() == &out[..]));
            match (known, otherwise) {
                (Some((result, _)), _) | (None, Some(result)) => Some(result.as_bytes()),
                (None, None) => Some(text),
            }
        }
        Derive::Rename { entries, .. } => {
            let entry = entries
                .iter()
                .find(|(from, _)| renamed && from.as_bytes() == text);
            Some(entry.map_or(text, |(_, to)| to.as_bytes()))
        }
    }
}

/// The address in `ADDRESS`, `[ADDRESS]`, `[ADDRESS]:PORT` and `IPV4:PORT`.
fn bare_address(text: &[u8]) -> Option<&[u8]> {
    let is_port =
        |port: &[u8]| (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    if let Some(rest) = text.strip_prefix(b"[") {
        let close = memchr::memchr(b']', rest)?;
        return match &rest[close + 1..] {
            [] => Some(&rest[..close]),
            [b':', port @ ..] if is_port(port) => Some(&rest[..close]),
            _ => None,
        };
    }
    let mut colons = memchr::memchr_iter(b':', text);
    match (colons.next(), colons.next()) {
        (Some(colon), None) => is_port(&text[colon + 1..]).then_some(&text[..colon]),
        _ => Some(text),
    }
}

/// Writes a text in lower case; bytes that are not UTF-8 stay as they are.
fn lower(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if text.is_ascii() {
        out.extend(text.iter().map(u8::to_ascii_lowercase));
        return;
    }
    for chunk in text.utf8_chunks() {
        for lowered in chunk.valid().chars().flat_map(char::to_lowercase) {
            out.extend_from_slice(lowered.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
}
