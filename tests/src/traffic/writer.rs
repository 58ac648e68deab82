//! Writes one JSON object, member by member, straight into the output buffer.
//!
//! The same calls give a raw record or an ECS document: a *group* is an object that the layout writes nested
//! (`"a":{"b":1}`) or as a prefix of its members' keys (`"a.b":1`).

use super::clock::{Format, Stamp};
use super::rng::Guid;

/// How groups are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Every group is an object.
    Nested,
    /// Every group is a prefix.
    Dotted,
    /// Each group takes one of these bits: an object if it is set, a prefix otherwise.
    Mixed(u64),
}

/// How texts are written.
#[derive(Clone, Copy, Default)]
pub(super) struct Style {
    /// Write `'`, `<`, `>`, `&` and everything that is not ASCII as `\uXXXX`, as some of Microsoft's services do.
    pub escape: bool,
    /// Write `/` as `\/`, as the older ones do.
    pub slash: bool,
}

#[derive(Clone, Copy, Default)]
struct Group {
    nested: bool,
    base: u8,
    len: u8,
}

/// The writer of one object. `open` begins it, `close` ends it.
pub(super) struct Body<'a> {
    pub out: &'a mut Vec<u8>,
    pub style: Style,
    layout: Layout,
    /// Nothing stands before the next member or element.
    first: bool,
    prefix: [u8; 64],
    /// Where in `prefix` the keys of the object now open begin.
    base: u8,
    len: u8,
    groups: [Group; 6],
    depth: usize,
}

impl<'a> Body<'a> {
    pub fn open(out: &'a mut Vec<u8>, layout: Layout, style: Style) -> Self {
        out.push(b'{');
        Self {
            out,
            style,
            layout,
            first: true,
            prefix: [0; 64],
            base: 0,
            len: 0,
            groups: [Group::default(); 6],
            depth: 0,
        }
    }

    pub fn close(self) {
        debug_assert_eq!(self.depth, 0, "a group is still open");
        self.out.push(b'}');
    }

    /// Begins an object whose members follow, until `end_group`; the layout says how it is written.
    pub fn group(&mut self, name: &str) -> &mut Self {
        let nested = match &mut self.layout {
            Layout::Nested => true,
            Layout::Dotted => false,
            Layout::Mixed(bits) => {
                *bits = bits.rotate_right(1);
                *bits & 1 == 1
            }
        };
        self.groups[self.depth] = Group {
            nested,
            base: self.base,
            len: self.len,
        };
        self.depth += 1;
        if nested {
            self.key(name);
            self.out.push(b'{');
            self.first = true;
            self.base = self.len;
        } else {
            let end = usize::from(self.len) + name.len();
            self.prefix[usize::from(self.len)..end].copy_from_slice(name.as_bytes());
            self.prefix[end] = b'.';
            self.len = end as u8 + 1;
        }
        self
    }

    pub fn end_group(&mut self) -> &mut Self {
        self.depth -= 1;
        let group = self.groups[self.depth];
        if group.nested {
            self.out.push(b'}');
            self.first = false;
        }
        self.base = group.base;
        self.len = group.len;
        self
    }

    /// A member's key. What follows is its value, written by hand with the methods below.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        self.out
            .extend_from_slice(&self.prefix[usize::from(self.base)..usize::from(self.len)]);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    /// The comma between two members or elements, if one is due.
    pub fn comma(&mut self) -> &mut Self {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self
    }

    /// A list under a key: `items` writes the elements, each begun with `comma`.
    pub fn list(&mut self, name: &str, items: impl FnOnce(&mut Self)) -> &mut Self {
        self.key(name);
        self.out.push(b'[');
        self.first = true;
        items(self);
        self.out.push(b']');
        self.first = false;
        self
    }

    /// A member whose value is a literal: a number, `true`, `null`, `[]`, or any finished JSON.
    pub fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.key(name).lit(json)
    }

    pub fn bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.key(name).num(value)
    }

    /// A member whose value is a text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.key(name).quoted(value)
    }

    /// A member whose value is a text that needs no escaping whatever the style.
    pub fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        self.key(name).lit("\"").lit(value).lit("\"")
    }

    pub fn guid(&mut self, name: &str, value: &Guid) -> &mut Self {
        self.plain(name, value.as_str())
    }

    pub fn stamp(&mut self, name: &str, value: Stamp, format: Format) -> &mut Self {
        self.key(name).lit("\"").time(value, format).lit("\"")
    }

    /// Bytes as they stand.
    pub fn lit(&mut self, bytes: &str) -> &mut Self {
        self.out.extend_from_slice(bytes.as_bytes());
        self
    }

    pub fn time(&mut self, value: Stamp, format: Format) -> &mut Self {
        value.write(format, self.out);
        self
    }

    pub fn num(&mut self, value: u64) -> &mut Self {
        number(value, self.out);
        self
    }

    /// A number of exactly `width` digits.
    pub fn padded(&mut self, value: u64, width: u32) -> &mut Self {
        let unit = 10u64.pow(width);
        number(unit + value % unit, self.out);
        let lead = self.out.len() - width as usize - 1;
        self.out.remove(lead);
        self
    }

    pub fn quoted(&mut self, value: &str) -> &mut Self {
        self.lit("\"").esc(value).lit("\"")
    }

    /// A text inside quotes that are already open.
    pub fn esc(&mut self, value: &str) -> &mut Self {
        let style = self.style;
        let plain = |byte: u8| match byte {
            b'"' | b'\\' | 0..0x20 => false,
            b'/' => !style.slash,
            b'\'' | b'<' | b'>' | b'&' | 0x80.. => !style.escape,
            _ => true,
        };
        let mut rest = value;
        while let Some(at) = rest.bytes().position(|byte| !plain(byte)) {
            self.out.extend_from_slice(&rest.as_bytes()[..at]);
            let special = rest[at..].chars().next().expect("a character begins here");
            match special {
                '"' => self.out.extend_from_slice(b"\\\""),
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '/' => self.out.extend_from_slice(b"\\/"),
                '\r' => self
                    .out
                    .extend_from_slice(if style.escape { b"\\u000d" } else { b"\\r" }),
                '\n' => self
                    .out
                    .extend_from_slice(if style.escape { b"\\u000a" } else { b"\\n" }),
                other => unicode(other, self.out),
            }
            rest = &rest[at + special.len_utf8()..];
        }
        self.out.extend_from_slice(rest.as_bytes());
        self
    }

    /// A quoted text whose character at `hidden` is written as `\u00xx` although nothing asks for it: the disguise a
    /// search in the raw bytes must not be fooled by.
    pub fn disguised(&mut self, value: &str, hidden: usize) -> &mut Self {
        let (before, after) = value.split_at(hidden);
        let letter = after.chars().next().expect("the place is inside the text");
        self.lit("\"").esc(before);
        unicode(letter, self.out);
        self.esc(&after[letter.len_utf8()..]).lit("\"")
    }
}

/// `value` in decimal.
pub(super) fn number(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [0u8; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

/// `\uXXXX`, or two of them.
fn unicode(letter: char, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut units = [0u16; 2];
    for unit in letter.encode_utf16(&mut units) {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(HEX[usize::from(*unit >> shift & 15)]);
        }
    }
}

/// Finished JSON as the inside of a JSON string.
pub(super) fn embed(json: &[u8], out: &mut Vec<u8>) {
    out.reserve(json.len() + json.len() / 8);
    let mut rest = json;
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
    {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            special => out.extend_from_slice(&[b'\\', special]),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
