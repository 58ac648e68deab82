//! How a MessagePack map is edited.

use std::ops::{ControlFlow, Range};

use memchr::memmem::Finder;
use poseur_matcher::record::{Handle, Record, Unreadable};
use rmp::encode::{write_array_len, write_map_len};

use super::document::Map;
use super::encode::{encode, encode_contents};
use crate::splice::{Edit, Edits, Target, respell};

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

    fn spell(&self, _: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        respell(self.pool(), start, edits, [b"", b""], encode)
    }

    fn add_members(
        &self,
        object: Handle,
        start: usize,
        edits: &mut Edits,
    ) -> Result<(), Unreadable> {
        let (content, pairs) = self.size(object);
        let more = respell(self.pool(), start, edits, [b"{", b"}"], encode_contents)?;
        let pairs = u32::try_from(pairs + more).map_err(|_| Unreadable::TooLong)?;
        let head = edits.made.len();
        let _ = write_map_len(&mut edits.made, pairs);
        insert(object, content, start..head, edits);
        Ok(())
    }

    fn add_element(&self, list: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        let (content, elements) = self.size(list);
        let more = respell(self.pool(), start, edits, [b"[", b"]"], encode_contents)?;
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
