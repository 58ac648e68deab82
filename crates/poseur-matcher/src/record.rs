//! What the matcher needs of a record, whatever its format.

use std::ops::ControlFlow;

use crate::found::Found;
use crate::paths::Paths;

/// A value inside a document. The two numbers belong to the format that made the handle (JSON: the
/// byte range of the value); everybody else only hands them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    /// First number; in byte formats, where the value starts.
    pub start: usize,
    /// Second number; in byte formats, where the value ends.
    pub end: usize,
}

/// What sort of value a [`Handle`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON `null`, MessagePack nil.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number; its text is its digits as written.
    Number,
    /// A string.
    Text,
    /// An array.
    List,
    /// An object.
    Map,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Unreadable {
    /// Not the format's grammar.
    #[error("not valid JSON")]
    Broken,
    /// Well-formed so far, but the input ended inside the record.
    #[error("cut off")]
    Truncated,
    /// Neither an object nor an array of them.
    #[error("not an object")]
    NotAnObject,
    /// Nested deeper than [`MAX_DEPTH`] containers.
    #[error("nested too deep")]
    TooDeep,
    /// Longer than the limit the operator set.
    #[error("too long")]
    TooLong,
}

impl Unreadable {
    /// All reasons, in the order a summary lists them.
    pub const ALL: [Unreadable; 5] = [
        Unreadable::Broken,
        Unreadable::Truncated,
        Unreadable::NotAnObject,
        Unreadable::TooDeep,
        Unreadable::TooLong,
    ];
}

/// Containers may nest this deep; deeper records are unreadable.
pub const MAX_DEPTH: usize = 128;

/// One document of some format, read in place.
///
/// A document is walked once for every path any rule asks for; all else is asked of the few values
/// found. Implementations must be total: on input that is not valid they may answer anything, but
/// neither panic nor loop, because validity is only established for records that match.
pub trait Record {
    /// The whole document.
    fn root(&self) -> Handle;

    /// What sort of value this is.
    fn kind(&self, value: Handle) -> Kind;

    /// Pushes every value at a wanted path below `from` (an object) into `found`, in document
    /// order. Arrays on the way are opened.
    ///
    /// # Errors
    /// When the document turns out to be unreadable on the way.
    fn walk(&self, from: Handle, paths: &Paths, found: &mut Found) -> Result<(), Unreadable>;

    /// The same for a record that has matched. Something will be written because of it: if the format
    /// has more to check before that, this may be the occasion.
    ///
    /// # Errors
    /// When the document turns out to be unreadable.
    fn walk_matched(
        &self,
        from: Handle,
        paths: &Paths,
        found: &mut Found,
    ) -> Result<(), Unreadable> {
        self.walk(from, paths, found)
    }

    /// The text of a scalar: a string decoded, a number as written, `true`, `false` or `null`.
    /// Decoding uses `scratch` when the text does not stand in the document as it is.
    fn text<'s>(&'s self, value: Handle, scratch: &'s mut Vec<u8>) -> &'s [u8];

    /// Visits every scalar at or below a value, nulls included, in document order.
    fn leaves(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()>;

    /// Visits the direct elements of a list; a value of another kind is visited itself.
    fn elements(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()>;

    /// Visits the members of an object, in order: decoded key, value. Another kind of value has none.
    fn members(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(&[u8], Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()>;

    /// Appends the value as compact JSON: no white space outside strings, strings decoded and
    /// written again with the least escaping.
    fn write_json(&self, value: Handle, out: &mut Vec<u8>);

    /// If the value is a string that holds a readable JSON object or array, calls `visit` with
    /// that document and returns true.
    fn open(&self, value: Handle, visit: &mut dyn FnMut(&dyn Record)) -> bool;

    /// Calls `visit` with this record as a trait object.
    fn with_dyn(&self, visit: &mut dyn FnMut(&dyn Record));
}
