//! How a JSON document is edited.

use std::ops::ControlFlow;

use memchr::memmem::Finder;
use poseur_matcher::record::{Handle, Record, Unreadable};

use super::document::Document;
use crate::splice::{Edit, Edits, Target};

impl Target for Document<'_> {
    fn values_of(
        &self,
        object: Handle,
        key: &Finder<'_>,
        visit: &mut dyn FnMut(Handle),
    ) -> Result<(), Unreadable> {
        if !self.may_have_key(object, key) {
            return Ok(());
        }
        self.each_member(object, |name, value| {
            if name == key.needle() {
                visit(value);
            }
            ControlFlow::Continue(())
        })
    }

    fn spell(&self, _: Handle, _: usize, _: &mut Edits) -> Result<(), Unreadable> {
        Ok(())
    }

    fn add_members(
        &self,
        object: Handle,
        start: usize,
        edits: &mut Edits,
    ) -> Result<(), Unreadable> {
        insert(self.is_empty_object(object), object, start, edits);
        Ok(())
    }

    fn add_element(&self, list: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        let any = self.elements(list, &mut |_| ControlFlow::Break(()));
        insert(any.is_continue(), list, start, edits);
        Ok(())
    }
}

/// Before the closing bracket; into what is empty without the comma.
fn insert(empty: bool, container: Handle, start: usize, edits: &mut Edits) {
    let made = start + usize::from(empty)..edits.made.len();
    edits.list.push(Edit::insertion(container.end - 1, made));
}
