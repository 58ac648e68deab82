//! How a MessagePack map is edited.

use std::ops::{ControlFlow, Range};

use memchr::memmem::Finder;
use poseur_matcher::record::{Handle, Record, Unreadable};
use rmp::encode::{write_array_len, write_map_len};

use super::document::Map;
use super::encode::{encode, encode_contents};
use crate::json::document::{Pool, open};
use crate::splice::{Edit, Edits, Target};

impl Target for Map<'_> {
    fn values_of(
        &self,
        object: Handle,
        key: &Finder<'_>,
        visit: &mut dyn FnMut(Handle),
    ) -> Result<(), Unreadable> {
        let _ = self.members(object, &mut |name, value| {
            if name == key.needle() {
                visit(value);
            }
            ControlFlow::Continue(())
        });
        Ok(())
    }

    fn spell(&self, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        spell(self.pool(), start, edits, [b"", b""], encode)
    }

    fn add_members(
        &self,
        object: Handle,
        start: usize,
        edits: &mut Edits,
    ) -> Result<(), Unreadable> {
        let (content, pairs) = self.size(object);
        let more = spell(self.pool(), start, edits, [b"{", b"}"], encode_contents)?;
        let pairs = u32::try_from(pairs + more).map_err(|_| Unreadable::TooLong)?;
        let head = edits.made.len();
        let _ = write_map_len(&mut edits.made, pairs);
        insert(object, content, start..head, edits);
        Ok(())
    }

    fn add_element(&self, list: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        let (content, elements) = self.size(list);
        let more = spell(self.pool(), start, edits, [b"[", b"]"], encode_contents)?;
        let elements = u32::try_from(elements + more).map_err(|_| Unreadable::TooLong)?;
        let head = edits.made.len();
        let _ = write_array_len(&mut edits.made, elements);
        insert(list, content, start..head, edits);
        Ok(())
    }
}

/// The head of a container, written last, takes the place of the old one; what is new comes last in it.
fn insert(container: Handle, content: usize, new: Range<usize>, edits: &mut Edits) {
    edits.list.push(Edit {
        replaced: container.start..content,
        made: new.end..edits.made.len(),
    });
    edits.list.push(Edit::insertion(container.end, new));
}

/// Takes what stands at the end as JSON, makes a text of it that is a document, and gives this to
/// `write`.
fn spell<T>(
    pool: &Pool,
    start: usize,
    edits: &mut Edits,
    brackets: [&[u8]; 2],
    write: impl Fn(&dyn Record, Handle, &mut Vec<u8>) -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
    let mut text = pool.take();
    text.extend_from_slice(brackets[0]);
    // The comma is left out.
    let new = &edits.made[start..];
    text.extend_from_slice(new.strip_prefix(b",").unwrap_or(new));
    text.extend_from_slice(brackets[1]);
    edits.made.truncate(start);
    let mut outcome = Err(Unreadable::Broken);
    open(&text, pool, &mut |document| {
        outcome = write(document, document.root(), &mut edits.made);
    });
    pool.give(text);
    outcome
}
