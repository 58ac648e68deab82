//! Reading control messages: small MessagePack values of known form.

use poseur_matcher::record::Unreadable;
use poseur_tagger::msgpack::head::{Head, HeadKind, head, skip};

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It ends in the middle.
    #[error("it ends too early")]
    CutOff,
    /// It is something else.
    #[error("it is no MessagePack")]
    NotMessagePack,
    /// A value is not what must stand there.
    #[error("{0} was expected at byte {1}")]
    Expected(&'static str, usize),
}

impl From<Unreadable> for Wrong {
    fn from(reason: Unreadable) -> Wrong {
        match reason {
            Unreadable::Truncated => Wrong::CutOff,
            _ => Wrong::NotMessagePack,
        }
    }
}

/// Goes through a message, value by value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// The head of the next value.
    pub(crate) fn peek(&self) -> Result<HeadKind, Wrong> {
        Ok(head(self.bytes, self.at)?.kind)
    }

    /// The number of elements of an array, which are next.
    pub(crate) fn list(&mut self) -> Result<usize, Wrong> {
        let Head { kind, content } = head(self.bytes, self.at)?;
        let HeadKind::List(elements) = kind else {
            return Err(Wrong::Expected("an array", self.at));
        };
        self.at = content;
        Ok(elements)
    }

    /// The number of pairs of a map, which are next.
    pub(crate) fn map(&mut self) -> Result<usize, Wrong> {
        let Head { kind, content } = head(self.bytes, self.at)?;
        let HeadKind::Map(pairs) = kind else {
            return Err(Wrong::Expected("a map", self.at));
        };
        self.at = content;
        Ok(pairs)
    }

    /// A text, or bytes: writers do not agree which of them a nonce or an id is.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], Wrong> {
        let Head { kind, content } = head(self.bytes, self.at)?;
        let (HeadKind::Text(size) | HeadKind::Bytes(size)) = kind else {
            return Err(Wrong::Expected("a text", self.at));
        };
        let end = content.saturating_add(size);
        let text = self.bytes.get(content..end).ok_or(Unreadable::Truncated)?;
        self.at = end;
        Ok(text)
    }

    /// A truth value.
    pub(crate) fn flag(&mut self) -> Result<bool, Wrong> {
        let Head { kind, content } = head(self.bytes, self.at)?;
        let HeadKind::Bool(flag) = kind else {
            return Err(Wrong::Expected("true or false", self.at));
        };
        self.at = content;
        Ok(flag)
    }

    /// The bytes of the next value, whatever it is.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], Wrong> {
        let start = self.at;
        self.at = skip(self.bytes, start)?;
        Ok(&self.bytes[start..self.at])
    }

    /// What was read since a place.
    pub(crate) fn since(&self, place: usize) -> &'a [u8] {
        &self.bytes[place..self.at]
    }

    /// How far it has come.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    /// Makes sure that nothing follows.
    pub(crate) fn end(&self) -> Result<(), Wrong> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(Wrong::Expected("the end", self.at)),
        }
    }
}
