//! YAML with positions: a tree whose every node, keys included, knows its line and column.
//!
//! The syntax is read by `saphyr-parser`; this module builds the tree, expands aliases within
//! bounds, and refuses what a rule file has no use for (duplicate keys, keys that are not texts,
//! merge keys, foreign tags) instead of giving it a meaning by guess.

mod read;

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use crate::error::{LoadError, Place};

pub use read::{Reader, closest};

/// Most nodes one file may hold, aliases expanded.
const MAX_NODES: usize = 1_000_000;
/// Deepest nesting of lists and maps, aliases expanded.
const MAX_DEPTH: usize = 64;
/// Most bytes of text that the aliases of one file may copy.
const MAX_COPIED: usize = 16 << 20;

/// One value, and where it was written. What an alias stands for keeps the place of its anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The value.
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, number, truth value or null.
    Scalar(Scalar),
    /// Items, in order.
    List(Vec<Node>),
    /// Entries, in order. Every key is a scalar, and no two have the same text.
    Map(Vec<(Node, Node)>),
}

/// A scalar as written. What type a plain one has is decided when somebody asks, by the core
/// schema of YAML 1.2: `yes` and `on` are texts, and so is `12:30`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, quotes and escapes resolved.
    pub text: String,
    /// It was quoted, a block, or tagged `!!str`: a text whatever it looks like.
    pub quoted: bool,
}

impl Scalar {
    /// A plain `null`, `~` or nothing at all.
    pub fn is_null(&self) -> bool {
        !self.quoted && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The truth value of a plain `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self.text.as_str() {
            _ if self.quoted => None,
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// The digits of a plain number, as written; also octal `0o17`, hexadecimal `0x1F`, `.inf` and
    /// `.nan`.
    pub fn as_number_text(&self) -> Option<&str> {
        (!self.quoted && is_number(&self.text)).then_some(self.text.as_str())
    }

    /// The text of a scalar that is neither null nor a truth value nor a number.
    pub fn as_text(&self) -> Option<&str> {
        let typed = self.is_null() || self.as_bool().is_some() || self.as_number_text().is_some();
        (!typed).then_some(self.text.as_str())
    }
}

/// The number forms of the YAML 1.2 core schema.
fn is_number(text: &str) -> bool {
    let all = |digits: &str, valid: fn(&u8) -> bool| {
        !digits.is_empty() && digits.as_bytes().iter().all(valid)
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, u8::is_ascii_hexdigit);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return all(digits, |digit| (b'0'..=b'7').contains(digit));
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_fits =
        exponent.is_none_or(|e| all(e.strip_prefix(['-', '+']).unwrap_or(e), u8::is_ascii_digit));
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => all(fraction, u8::is_ascii_digit),
        Some((whole, fraction)) => {
            all(whole, u8::is_ascii_digit) && fraction.bytes().all(|b| b.is_ascii_digit())
        }
        None => all(mantissa, u8::is_ascii_digit),
    };
    mantissa_fits && exponent_fits
}

impl Node {
    /// Its position in the named file.
    pub fn place(&self, file: &str) -> Place {
        Place::new(file, self.line, self.column)
    }

    /// Its scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Its items, if it is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Its entries, if it is a map.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// It is null, or nothing was written.
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(Scalar::is_null)
    }

    /// The value under a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key and its value, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.as_map()?
            .iter()
            .find(|(name, _)| name.key() == key)
            .map(|(name, value)| (name, value))
    }

    /// The text of a node that is a map's key.
    pub fn key(&self) -> &str {
        self.as_scalar().map_or("", |scalar| scalar.text.as_str())
    }

    /// What it is, in words for an error: `a list`, `a map`, `nothing` or `a single value`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Scalar(scalar) if scalar.is_null() => "nothing",
            Value::Scalar(_) => "a single value",
        }
    }
}

/// The documents of a YAML file. `file` is the name that errors give.
///
/// A document in which nothing was written is a null scalar; a file without any is no documents.
pub fn parse(file: &str, text: &str) -> Result<Vec<Node>, LoadError> {
    // A byte-order mark is no character of the text, and must not count as a column.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_nul(file, text)?;
    let mut builder = Builder {
        file,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        copied: 0,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let reason = format!("this is not valid YAML: {}", error.info());
            builder.error(*error.marker(), reason)
        })?;
        builder.event(event, span)?;
    }
    Ok(builder.documents)
}

/// The scanner below takes NUL for the end of the text: what follows would be lost in silence.
fn refuse_nul(file: &str, text: &str) -> Result<(), LoadError> {
    let Some(at) = text.find('\0') else {
        return Ok(());
    };
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Err(LoadError::new(
        Place::new(
            file,
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        ),
        "a NUL character cannot stand in YAML; is this a text file?",
    ))
}

/// A node with its size, which an alias must know before it copies.
#[derive(Clone)]
struct Built {
    node: Node,
    nodes: usize,
    bytes: usize,
    /// Containers on the deepest way down, itself included.
    height: usize,
}

/// A list or map that has begun and not ended.
struct Open {
    start: Marker,
    anchor: usize,
    nodes: usize,
    bytes: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<(Node, Node)>,
        key: Option<Node>,
        seen: HashSet<String>,
    },
}

struct Builder<'f> {
    file: &'f str,
    documents: Vec<Node>,
    open: Vec<Open>,
    /// What each anchor stands for; one that is still open is not here yet.
    anchors: HashMap<usize, Built>,
    nodes: usize,
    copied: usize,
}

impl Builder<'_> {
    fn error(&self, at: Marker, reason: impl Into<String>) -> LoadError {
        LoadError::new(Place::new(self.file, at.line(), at.col() + 1), reason)
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), LoadError> {
        let at = span.start;
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tagged_text = self.is_text_tag(at, tag.as_deref())?;
                let scalar = Scalar {
                    text: text.into_owned(),
                    quoted: tagged_text || style != ScalarStyle::Plain,
                };
                let bytes = scalar.text.len();
                self.count(at, 1)?;
                self.finish(
                    anchor,
                    Built {
                        node: node(at, Value::Scalar(scalar)),
                        nodes: 1,
                        bytes,
                        height: 0,
                    },
                )
            }
            Event::SequenceStart(anchor, tag) => {
                self.is_text_tag(at, tag.as_deref())?;
                self.begin(at, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.is_text_tag(at, tag.as_deref())?;
                self.begin(
                    at,
                    anchor,
                    Content::Map {
                        entries: Vec::new(),
                        key: None,
                        seen: HashSet::new(),
                    },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(at, anchor),
        }
    }

    /// Whether the tag makes a scalar a text. Tags with a meaning of their own are refused.
    fn is_text_tag(&self, at: Marker, tag: Option<&Tag>) -> Result<bool, LoadError> {
        let Some(tag) = tag else { return Ok(false) };
        if tag.handle == "!" && tag.suffix.is_empty() {
            return Ok(true);
        }
        match tag.suffix.as_str() {
            "str" if tag.is_yaml_core_schema() => Ok(true),
            "null" | "bool" | "int" | "float" | "seq" | "map" if tag.is_yaml_core_schema() => {
                Ok(false)
            }
            _ => Err(self.error(at, format!("the YAML tag {tag} has no meaning here"))),
        }
    }

    fn count(&mut self, at: Marker, nodes: usize) -> Result<(), LoadError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(self.error(
                at,
                format!("more than {MAX_NODES} values, with aliases written out: split the file"),
            ));
        }
        Ok(())
    }

    fn too_deep(&self, at: Marker) -> LoadError {
        self.error(
            at,
            format!("lists and maps nest deeper than {MAX_DEPTH} levels"),
        )
    }

    fn begin(&mut self, at: Marker, anchor: usize, content: Content) -> Result<(), LoadError> {
        self.count(at, 1)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        self.open.push(Open {
            start: at,
            anchor,
            nodes: 1,
            bytes: 0,
            height: 1,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), LoadError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        self.finish(
            open.anchor,
            Built {
                node: node(open.start, value),
                nodes: open.nodes,
                bytes: open.bytes,
                height: open.height,
            },
        )
    }

    fn alias(&mut self, at: Marker, anchor: usize) -> Result<(), LoadError> {
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(self.error(at, "this alias stands inside the value it names"));
        };
        let (nodes, bytes, height) = (target.nodes, target.bytes, target.height);
        // Checked before the copy, so that a small file cannot ask for a large one.
        self.count(at, nodes)?;
        self.copied = self.copied.saturating_add(bytes);
        if self.copied > MAX_COPIED {
            return Err(self.error(
                at,
                format!("aliases stand for more than {MAX_COPIED} bytes of text"),
            ));
        }
        if self.open.len() + height > MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        match self.anchors.get(&anchor).cloned() {
            Some(copy) => self.attach(copy),
            None => Ok(()),
        }
    }

    fn finish(&mut self, anchor: usize, built: Built) -> Result<(), LoadError> {
        // The parser numbers anchors from 1; 0 is a node without one.
        if anchor > 0 {
            self.copied = self.copied.saturating_add(built.bytes);
            self.count(marker(&built.node), built.nodes)?;
            self.anchors.insert(anchor, built.clone());
        }
        self.attach(built)
    }

    fn attach(&mut self, built: Built) -> Result<(), LoadError> {
        let Some(parent) = self.open.last_mut() else {
            self.documents.push(built.node);
            return Ok(());
        };
        parent.nodes += built.nodes;
        parent.bytes += built.bytes;
        parent.height = parent.height.max(built.height + 1);
        let problem = match &mut parent.content {
            Content::List(items) => {
                items.push(built.node);
                return Ok(());
            }
            Content::Map { entries, key, seen } => match key.take() {
                Some(name) => {
                    entries.push((name, built.node));
                    return Ok(());
                }
                None => match &built.node.value {
                    Value::Scalar(name) if !name.quoted && name.text == "<<" => {
                        "merge keys (<<) are not part of YAML 1.2: write the entries out".into()
                    }
                    Value::Scalar(name) if !seen.insert(name.text.clone()) => {
                        let first = entries.iter().find(|(key, _)| key.key() == name.text);
                        format!(
                            "the key `{}` stands here a second time{}",
                            name.text,
                            first.map_or(String::new(), |(key, _)| format!(
                                ", the first is on line {}",
                                key.line
                            ))
                        )
                    }
                    Value::Scalar(_) => {
                        *key = Some(built.node);
                        return Ok(());
                    }
                    Value::List(_) | Value::Map(_) => {
                        "a key must be a text, not a list or a map".into()
                    }
                },
            },
        };
        Err(LoadError::new(built.node.place(self.file), problem))
    }
}

fn node(at: Marker, value: Value) -> Node {
    Node {
        line: at.line(),
        column: at.col() + 1,
        value,
    }
}

fn marker(node: &Node) -> Marker {
    Marker::new(0, node.line, node.column - 1)
}
