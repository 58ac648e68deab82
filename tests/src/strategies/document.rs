//! A JSON document that can be spelled in many ways.

use super::dice::Dice;

/// A JSON value as a generator builds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is to be written.
    Number(String),
    /// A string by its decoded bytes, UTF-8 or not.
    Text(Vec<u8>),
    /// An array.
    List(Vec<Node>),
    /// An object by its members, in order.
    Map(Vec<(Vec<u8>, Node)>),
    /// A string that holds the document in it, spelled by the same style.
    Embedded(Box<Node>),
    /// A token as it is to be written, valid or not.
    Verbatim(Vec<u8>),
}

impl Node {
    /// A string.
    pub fn text(text: impl AsRef<[u8]>) -> Node {
        Node::Text(text.as_ref().to_vec())
    }

    /// A number.
    pub fn number(number: impl ToString) -> Node {
        Node::Number(number.to_string())
    }

    /// An object.
    pub fn map<'a>(members: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
        let own = |(key, node): (&str, Node)| (key.as_bytes().to_vec(), node);
        Node::Map(members.into_iter().map(own).collect())
    }
}

/// How a document is spelled. All zero is the plain compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// So many of a hundred characters are written as escapes without need.
    pub escapes: u8,
    /// So many of a hundred gaps between tokens hold white space.
    pub space: u8,
    /// So many of a hundred objects have their members in another order.
    pub shuffled: u8,
    /// What decides in each case.
    pub seed: u64,
}

/// Spells a document.
pub fn render(node: &Node, style: Style) -> Vec<u8> {
    let mut printer = Printer {
        style,
        dice: Dice::new(style.seed),
    };
    let mut out = Vec::new();
    printer.node(node, &mut out);
    out
}

struct Printer {
    style: Style,
    dice: Dice,
}

impl Printer {
    fn gap(&mut self, out: &mut Vec<u8>) {
        while self.dice.chance(self.style.space.min(80)) {
            out.push(b" \t\n\r"[self.dice.below(4)]);
        }
    }

    fn node(&mut self, node: &Node, out: &mut Vec<u8>) {
        match node {
            Node::Null => out.extend_from_slice(b"null"),
            Node::Bool(true) => out.extend_from_slice(b"true"),
            Node::Bool(false) => out.extend_from_slice(b"false"),
            Node::Number(number) => out.extend_from_slice(number.as_bytes()),
            Node::Verbatim(token) => out.extend_from_slice(token),
            Node::Text(text) => self.text(text, out),
            Node::Embedded(inner) => {
                let mut text = Vec::new();
                self.node(inner, &mut text);
                self.text(&text, out);
            }
            Node::List(items) => {
                out.push(b'[');
                self.gap(out);
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                        self.gap(out);
                    }
                    self.node(item, out);
                    self.gap(out);
                }
                out.push(b']');
            }
            Node::Map(members) => self.map(members, out),
        }
    }

    fn map(&mut self, members: &[(Vec<u8>, Node)], out: &mut Vec<u8>) {
        let mut members: Vec<&(Vec<u8>, Node)> = members.iter().collect();
        if self.dice.chance(self.style.shuffled) {
            self.dice.shuffle(&mut members);
        }
        out.push(b'{');
        self.gap(out);
        for (index, (key, item)) in members.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
                self.gap(out);
            }
            self.text(key, out);
            self.gap(out);
            out.push(b':');
            self.gap(out);
            self.node(item, out);
            self.gap(out);
        }
        out.push(b'}');
    }

    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        out.push(b'"');
        for chunk in text.utf8_chunks() {
            let mut characters = chunk.valid().chars().peekable();
            while let Some(character) = characters.next() {
                // A high surrogate before a low one would make a pair.
                let free = characters.peek() != Some(&'\u{FFFD}');
                self.character(character, free, out);
            }
            out.extend_from_slice(chunk.invalid());
        }
        out.push(b'"');
    }

    /// Writes a character; `free` if it may be spelled by a lone high surrogate.
    fn character(&mut self, character: char, free: bool, out: &mut Vec<u8>) {
        let must = matches!(character, '"' | '\\' | '\0'..='\x1F');
        if !must && !self.dice.chance(self.style.escapes) {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        let short = match character {
            '"' => Some(b'"'),
            '\\' => Some(b'\\'),
            '/' => Some(b'/'),
            '\x08' => Some(b'b'),
            '\x0C' => Some(b'f'),
            '\n' => Some(b'n'),
            '\r' => Some(b'r'),
            '\t' => Some(b't'),
            _ => None,
        };
        // Without escapes asked for, the form is the common one.
        if let Some(short) = short
            && (self.style.escapes == 0 || self.dice.chance(50))
        {
            out.extend_from_slice(&[b'\\', short]);
        } else if character == '\u{FFFD}' && self.dice.chance(50) {
            let (from, count) = if free {
                (0xD800, 0x800)
            } else {
                (0xDC00, 0x400)
            };
            let lone = from + self.dice.below(count) as u16;
            self.unit(lone, out);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                self.unit(*unit, out);
            }
        }
    }

    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) {
        let mut hex = format!("{unit:04x}").into_bytes();
        for digit in &mut hex {
            if self.dice.chance(40) {
                digit.make_ascii_uppercase();
            }
        }
        out.extend_from_slice(b"\\u");
        out.extend_from_slice(&hex);
    }
}
