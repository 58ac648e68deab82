//! How a log is edited.
//!
//! What is new stands at the end of its container, and the container's length is written anew: this is how
//! [`lengths`](super::lengths) knows to which of the containers that end there it belongs.

use memchr::memmem::Finder;
use poseur_matcher::record::{Handle, Unreadable};

use super::document::{Container, Log};
use super::encode::{encode, encode_contents};
use super::message::around;
use super::push::MOST_NESTED;
use super::wire::{write_nested, write_varint};
use crate::splice::{Edit, Edits, Target, respell};

impl Target for Log<'_> {
    fn values_of(
        &self,
        object: Handle,
        key: &Finder<'_>,
        visit: &mut dyn FnMut(Handle),
    ) -> Result<(), Unreadable> {
        let map = self.container(object)?;
        self.all_entries(map.contents, &mut |name, value| {
            if name == key.needle() {
                // With its length. Where no value is, none can be replaced.
                let value = value.ok_or(Unreadable::Broken)?;
                let (start, end) = (value.head, value.range.end);
                visit(Handle { start, end });
            }
            Ok(())
        })
    }

    fn spell(&self, object: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        let left = self.left(self.container(object)?)?;
        // There are an entry and a `Value` around it.
        let left = left.checked_sub(2).ok_or(Unreadable::TooDeep)?;
        respell(self.pool(), start, edits, [b"", b""], |new, root, out| {
            let key = out.len();
            write_nested(1, out, |out| encode(new, root, left, out))?;
            // What takes its place is the length and what comes after it.
            out.remove(key);
            Ok(())
        })
    }

    fn add_members(
        &self,
        object: Handle,
        start: usize,
        edits: &mut Edits,
    ) -> Result<(), Unreadable> {
        self.add(object, start, edits, [b"{", b"}"])
    }

    fn add_element(&self, list: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        self.add(list, start, edits, [b"[", b"]"])
    }
}

impl Log<'_> {
    fn add(
        &self,
        container: Handle,
        start: usize,
        edits: &mut Edits,
        brackets: [&[u8]; 2],
    ) -> Result<(), Unreadable> {
        let container = self.container(container)?;
        let left = self.left(container)?;
        respell(self.pool(), start, edits, brackets, |new, root, out| {
            encode_contents(new, root, left, out)
        })?;
        let Container { head, contents } = container;
        let end = edits.made.len();
        let length = contents.end - contents.start + end - start;
        write_varint(length as u64, &mut edits.made);
        edits.list.push(Edit {
            replaced: head..contents.start,
            made: end..edits.made.len(),
        });
        edits.list.push(Edit::insertion(contents.end, start..end));
        Ok(())
    }

    /// How many messages may be inside each other in a container.
    fn left(&self, container: Container) -> Result<usize, Unreadable> {
        let place = container.contents.start;
        let around = around(self.bytes(), self.inside(), place).ok_or(Unreadable::Broken)?;
        let most = MOST_NESTED.max(self.deepest());
        most.checked_sub(around).ok_or(Unreadable::TooDeep)
    }
}
