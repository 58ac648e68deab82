//! A JSON document, read in place through its [`Index`].

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use memchr::memchr;
use memchr::memmem::Finder;
use poseur_matcher::found::Found;
use poseur_matcher::json::escape;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::{Handle, Kind, MAX_DEPTH, Record, Unreadable};

use super::check::{check, check_and_collect, check_indexed};
use super::index::Index;
use super::text;

/// A JSON text that starts with an object or an array, with its index.
pub struct Document<'a> {
    bytes: &'a [u8],
    index: &'a Index,
    root: Handle,
    pool: &'a Pool,
    /// It is known to be valid.
    checked: Cell<bool>,
}

/// Memory that documents borrow: decoded keys and texts, and the indexes of documents in texts.
#[derive(Debug, Default)]
pub struct Pool {
    texts: RefCell<Vec<Vec<u8>>>,
    indexes: RefCell<Vec<Index>>,
}

impl Pool {
    /// An empty text.
    pub fn take(&self) -> Vec<u8> {
        let mut text = self.texts.borrow_mut().pop().unwrap_or_default();
        text.clear();
        text
    }

    /// Takes a text back.
    pub fn give(&self, text: Vec<u8>) {
        self.texts.borrow_mut().push(text);
    }
}

/// If a text is a readable JSON object or array, calls `visit` with that document and returns true.
pub fn open(text: &[u8], pool: &Pool, visit: &mut dyn FnMut(&dyn Record)) -> bool {
    let (start, end) = trim(text);
    if !matches!(text.get(start), Some(b'{' | b'[')) || check(&text[start..end]).is_err() {
        return false;
    }
    let mut index = pool.indexes.borrow_mut().pop().unwrap_or_default();
    let document = Document::new(text, &mut index, pool);
    if let Ok(document) = &document {
        visit(document);
    }
    let opened = document.is_ok();
    pool.indexes.borrow_mut().push(index);
    opened
}

/// The document without a byte-order mark and the white space around it, as a range.
pub fn trim(bytes: &[u8]) -> (usize, usize) {
    let mark = if bytes.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    let body = &bytes[mark..];
    let start = mark + body.iter().take_while(|&&byte| is_space(byte)).count();
    let trailing = bytes[start..]
        .iter()
        .rev()
        .take_while(|&&byte| is_space(byte));
    let end = bytes.len() - trailing.count();
    (start, end)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':')
}

impl<'a> Document<'a> {
    /// Indexes a text and takes it as a document; byte-order mark and outer white space aside, it
    /// must start with `{` or `[`.
    ///
    /// # Errors
    /// [`Unreadable`] if it does not, or plainly ends too early. Validity beyond that is not
    /// established: see [`check`].
    pub fn new(bytes: &'a [u8], index: &'a mut Index, pool: &'a Pool) -> Result<Self, Unreadable> {
        let (start, end) = trim(bytes);
        if !matches!(bytes.get(start), Some(b'{' | b'[')) {
            check(&bytes[start..end])?;
            return Err(Unreadable::NotAnObject);
        }
        index.build(bytes);
        if index.ends_in_string() {
            return Err(Unreadable::Truncated);
        }
        Ok(Document {
            bytes,
            index,
            root: Handle { start, end },
            pool,
            checked: Cell::new(false),
        })
    }

    /// Checks the whole document, if that has not been done.
    ///
    /// # Errors
    /// If it is not readable.
    pub fn check(&self) -> Result<(), Unreadable> {
        if !self.checked.get() {
            let Handle { start, end } = self.root;
            check_indexed(&self.bytes[..end], start, self.index)?;
            self.checked.set(true);
        }
        Ok(())
    }

    /// Whether a key may be in an object: one that does not stand there as it is, and cannot be
    /// spelled with escapes, is not.
    pub fn may_have_key(&self, object: Handle, key: &Finder<'_>) -> bool {
        let text = &self.bytes[object.start..object.end];
        self.index.has_backslashes() || key.find(text).is_some()
    }

    /// Whether an object has no members.
    pub fn is_empty_object(&self, object: Handle) -> bool {
        let inside = &self.bytes[object.start + 1..object.end];
        inside.iter().find(|&&byte| !is_space(byte)) == Some(&b'}')
    }

    /// Visits the members of an object: decoded key, value.
    ///
    /// # Errors
    /// When the object is not well-formed.
    pub fn each_member(
        &self,
        object: Handle,
        mut visit: impl FnMut(&[u8], Handle) -> ControlFlow<()>,
    ) -> Result<(), Unreadable> {
        let mut at = object.start;
        while let Some(quote) = self.next_member(&mut at)? {
            let close = self.string_end(quote)?;
            let value = self.member_value(close)?;
            let end = self.value_end(value)?;
            let handle = Handle { start: value, end };
            if self
                .with_key(quote, close, |key| visit(key, handle))
                .is_break()
            {
                return Ok(());
            }
            at = end;
        }
        Ok(())
    }

    #[inline]
    fn byte(&self, at: usize) -> Result<u8, Unreadable> {
        self.bytes.get(at).copied().ok_or(Unreadable::Truncated)
    }

    #[inline]
    fn skip_space(&self, mut at: usize) -> Result<usize, Unreadable> {
        while is_space(self.byte(at)?) {
            at += 1;
        }
        Ok(at)
    }

    /// From an object's `{`, or from the end of a member's value: the opening quote of the next
    /// key, or `None` at the object's end; `at` is then just after its `}`.
    #[inline]
    fn next_member(&self, at: &mut usize) -> Result<Option<usize>, Unreadable> {
        let mut next = *at;
        if self.byte(next)? == b'{' {
            next = self.skip_space(next + 1)?;
            if self.byte(next)? == b'}' {
                *at = next + 1;
                return Ok(None);
            }
        } else {
            next = self.skip_space(next)?;
            match self.byte(next)? {
                b',' => next = self.skip_space(next + 1)?,
                b'}' => {
                    *at = next + 1;
                    return Ok(None);
                }
                _ => return Err(Unreadable::Broken),
            }
        }
        match self.byte(next)? {
            b'"' => Ok(Some(next)),
            _ => Err(Unreadable::Broken),
        }
    }

    /// Position after the closing quote of the string that opens at `quote`.
    #[inline]
    fn string_end(&self, quote: usize) -> Result<usize, Unreadable> {
        let close = self.index.next_quote(quote + 1);
        Ok(close.ok_or(Unreadable::Truncated)? + 1)
    }

    /// Where the value starts that follows a key ending at `key_end`.
    #[inline]
    fn member_value(&self, key_end: usize) -> Result<usize, Unreadable> {
        let colon = self.skip_space(key_end)?;
        match self.byte(colon)? {
            b':' => self.skip_space(colon + 1),
            _ => Err(Unreadable::Broken),
        }
    }

    /// Position after the value that starts at `at`.
    #[inline(always)]
    fn value_end(&self, at: usize) -> Result<usize, Unreadable> {
        match self.byte(at)? {
            b'"' => self.string_end(at),
            b'{' | b'[' => self.index.after_close(at).ok_or(Unreadable::Truncated),
            _ => {
                let rest = &self.bytes[at..];
                let ends =
                    |&byte: &u8| is_space(byte) || matches!(byte, b',' | b'}' | b']' | b':' | b'"');
                match rest.iter().position(ends).unwrap_or(rest.len()) {
                    0 => Err(Unreadable::Broken),
                    length => Ok(at + length),
                }
            }
        }
    }

    #[inline]
    fn with_key<T>(&self, quote: usize, end: usize, then: impl FnOnce(&[u8]) -> T) -> T {
        let content = &self.bytes[quote + 1..end - 1];
        if !self.index.has_backslashes() || memchr(b'\\', content).is_none() {
            return then(content);
        }
        // While one key is looked at, those of objects below it may be decoded.
        let mut key = self.pool.take();
        text::decode(content, &mut key);
        let result = then(&key);
        self.pool.give(key);
        result
    }

    /// Walks the object at `open`; returns the position after it.
    fn walk_object(
        &self,
        open: usize,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<usize, Unreadable> {
        let mut at = open;
        while let Some(quote) = self.next_member(&mut at)? {
            let close = self.string_end(quote)?;
            let value = self.member_value(close)?;
            let child = if self.index.has_marks(quote + 1, close - 1) {
                self.with_key(quote, close, |key| {
                    if memchr(b'.', key).is_some()
                        && let Ok(end) = self.value_end(value)
                    {
                        let handle = Handle { start: value, end };
                        paths.passed_by(node, key, |path| found.push_beyond(path, handle));
                    }
                    paths.child(node, key)
                })
            } else {
                paths.child(node, &self.bytes[quote + 1..close - 1])
            };
            let Some(child) = child else {
                at = self.value_end(value)?;
                continue;
            };
            at = if paths.leads_on(child) {
                self.walk_value(value, child, paths, found, depth)?
            } else {
                self.value_end(value)?
            };
            if paths.wanted(child) {
                found.push(
                    child,
                    Handle {
                        start: value,
                        end: at,
                    },
                );
            }
        }
        Ok(at)
    }

    /// Walks what lies below the value at `at`, through arrays; returns the position after it.
    fn walk_value(
        &self,
        at: usize,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<usize, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        match self.byte(at)? {
            b'{' => self.walk_object(at, node, paths, found, depth + 1),
            b'[' => {
                let mut next = self.skip_space(at + 1)?;
                if self.byte(next)? == b']' {
                    return Ok(next + 1);
                }
                loop {
                    next = self.walk_value(next, node, paths, found, depth + 1)?;
                    next = self.skip_space(next)?;
                    match self.byte(next)? {
                        b',' => next = self.skip_space(next + 1)?,
                        b']' => return Ok(next + 1),
                        _ => return Err(Unreadable::Broken),
                    }
                }
            }
            _ => self.value_end(at),
        }
    }

    /// The tokens at or below a value, in order, keys told apart from values.
    fn tokens(&self, value: Handle) -> impl Iterator<Item = Token> + '_ {
        let mut at = value.start;
        std::iter::from_fn(move || {
            while at < value.end && is_space(self.bytes[at]) {
                at += 1;
            }
            if at >= value.end {
                return None;
            }
            let start = at;
            if is_mark(self.bytes[start]) {
                at += 1;
                return Some(Token::Mark(self.bytes[start]));
            }
            at = self.token_end(start, value);
            let handle = Handle { start, end: at };
            Some(if self.is_key(handle, value) {
                Token::Key(handle)
            } else {
                Token::Scalar(handle)
            })
        })
    }

    /// Position after the key or scalar that starts at `at`, inside a value.
    #[inline]
    fn token_end(&self, at: usize, inside: Handle) -> usize {
        match self.value_end(at) {
            Ok(end) => end.min(inside.end),
            Err(_) => at + 1,
        }
    }

    /// Whether a key or scalar inside a value is a key.
    #[inline]
    fn is_key(&self, token: Handle, inside: Handle) -> bool {
        self.bytes[token.start] == b'"'
            && token.start > inside.start
            && self.skip_space(token.end).and_then(|next| self.byte(next)) == Ok(b':')
    }

    /// The bytes between the quotes of a string.
    fn content(&self, string: Handle) -> &[u8] {
        let end = string.end.saturating_sub(1).max(string.start + 1);
        &self.bytes[string.start + 1..end]
    }
}

/// The text of a string that may have escapes.
#[inline(never)]
fn marked_text<'s>(content: &'s [u8], scratch: &'s mut Vec<u8>) -> &'s [u8] {
    if memchr(b'\\', content).is_none() {
        return content;
    }
    scratch.clear();
    text::decode(content, scratch);
    scratch
}

enum Token {
    Mark(u8),
    Key(Handle),
    Scalar(Handle),
}

impl Record for Document<'_> {
    fn root(&self) -> Handle {
        self.root
    }

    #[inline]
    fn kind(&self, value: Handle) -> Kind {
        match self.bytes[value.start] {
            b'"' => Kind::Text,
            b'{' => Kind::Map,
            b'[' => Kind::List,
            b't' => Kind::Bool(true),
            b'f' => Kind::Bool(false),
            b'n' => Kind::Null,
            _ => Kind::Number,
        }
    }

    fn walk(&self, from: Handle, paths: &Paths, found: &mut Found) -> Result<(), Unreadable> {
        let end = self.walk_object(from.start, PathId::ROOT, paths, found, 0)?;
        if end == from.end {
            Ok(())
        } else {
            Err(Unreadable::Broken)
        }
    }

    fn walk_matched(
        &self,
        from: Handle,
        paths: &Paths,
        found: &mut Found,
    ) -> Result<(), Unreadable> {
        if from != self.root || self.checked.get() || !self.index.has_plain_strings() {
            return self.walk(from, paths, found);
        }
        let Handle { start, end } = self.root;
        check_and_collect(&self.bytes[..end], start, self.index, paths, found)?;
        self.checked.set(true);
        Ok(())
    }

    #[inline]
    fn text<'s>(&'s self, value: Handle, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        if self.bytes[value.start] != b'"' {
            return &self.bytes[value.start..value.end];
        }
        let content = self.content(value);
        if self.index.has_backslashes() && self.index.has_marks(value.start, value.end) {
            return marked_text(content, scratch);
        }
        content
    }

    fn leaves(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut at = value.start;
        while at < value.end {
            let byte = self.bytes[at];
            if is_space(byte) || is_mark(byte) {
                at += 1;
                continue;
            }
            let end = self.token_end(at, value);
            if !self.is_key(Handle { start: at, end }, value) {
                visit(Handle { start: at, end })?;
            }
            at = end;
        }
        ControlFlow::Continue(())
    }

    fn elements(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.kind(value) != Kind::List {
            return visit(value);
        }
        let mut at = value.start + 1;
        loop {
            while at < value.end && (is_space(self.bytes[at]) || self.bytes[at] == b',') {
                at += 1;
            }
            // The closing bracket, or what is no value: the list ends here.
            let Ok(end) = self.value_end(at) else {
                return ControlFlow::Continue(());
            };
            if at + 1 >= value.end || end > value.end {
                return ControlFlow::Continue(());
            }
            visit(Handle { start: at, end })?;
            at = end;
        }
    }

    fn members(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(&[u8], Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.kind(value) != Kind::Map {
            return ControlFlow::Continue(());
        }
        let mut outcome = ControlFlow::Continue(());
        // An object that is not well-formed has the members up to there.
        let _ = self.each_member(value, |key, member| {
            outcome = visit(key, member);
            outcome
        });
        outcome
    }

    fn write_json(&self, value: Handle, out: &mut Vec<u8>) {
        let written = &self.bytes[value.start..value.end];
        let escapes = || self.index.has_backslashes() && memchr(b'\\', written).is_some();
        if !self.index.has_spaces() && !escapes() {
            // Nothing is to be left out or spelled in another way.
            return out.extend_from_slice(written);
        }
        let mut scratch = self.pool.take();
        for token in self.tokens(value) {
            match token {
                Token::Mark(mark) => out.push(mark),
                Token::Key(handle) | Token::Scalar(handle) => {
                    let quoted = self.bytes[handle.start] == b'"';
                    let content = self.text(handle, &mut scratch);
                    if !quoted {
                        out.extend_from_slice(content);
                    } else {
                        out.push(b'"');
                        escape(content, out);
                        out.push(b'"');
                    }
                }
            }
        }
        self.pool.give(scratch);
    }

    fn open(&self, value: Handle, visit: &mut dyn FnMut(&dyn Record)) -> bool {
        if self.kind(value) != Kind::Text {
            return false;
        }
        // Most strings are not documents: look before decoding. What may come before the first
        // bracket is white space (raw, or as \t \n \r or \u), and a byte-order mark (raw or as \u).
        let content = self.content(value);
        if !matches!(
            content.first(),
            Some(b'{' | b'[' | b' ' | b'\\' | b'\t' | b'\r' | b'\n' | 0xEF)
        ) {
            return false;
        }
        let mut text = self.pool.take();
        text::decode(content, &mut text);
        let readable = open(&text, self.pool, visit);
        self.pool.give(text);
        readable
    }

    fn with_dyn(&self, visit: &mut dyn FnMut(&dyn Record)) {
        visit(self);
    }
}
