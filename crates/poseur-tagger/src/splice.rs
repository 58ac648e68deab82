//! Where a tag goes in a record, and what stands there already.

use std::ops::Range;

use memchr::memmem::Finder;
use poseur_matcher::Verdict;
use poseur_matcher::found::Found;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::{Handle, Kind, Record, Unreadable};

use crate::json::document::{Pool, open};
use crate::tag::{ECS_FIELDS, Style, TagWriter};

/// One change: bytes of the document that are taken out (none, for an insertion), and what is
/// written in their place, a range of the caller's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the document.
    pub replaced: Range<usize>,
    /// Bytes of the buffer that was written to.
    pub made: Range<usize>,
}

impl Edit {
    /// Something new at a place.
    pub fn insertion(at: usize, made: Range<usize>) -> Edit {
        Edit {
            replaced: at..at,
            made,
        }
    }
}

/// Where edits go: what is new is appended to `made`, and each edit says where a part of it belongs.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// Those at one place are in their order.
    pub list: Vec<Edit>,
    /// What is new.
    pub made: Vec<u8>,
}

/// A record that tags can be spliced into. What is new is at the end of [`Edits::made`] as JSON, from `start`
/// on, and the target spells it as its format does.
pub trait Target: Record {
    /// Visits what is replaced where a value of an object is: of each member that has this key.
    ///
    /// # Errors
    /// If the object cannot be read.
    fn values_of(
        &self,
        object: Handle,
        key: &Finder<'_>,
        visit: &mut dyn FnMut(Handle),
    ) -> Result<(), Unreadable>;

    /// Spells a value that takes the place of others, members of an object.
    ///
    /// # Errors
    /// If it cannot be spelled.
    fn spell(&self, object: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable>;

    /// Adds members to an object: a comma and a member (`"key":value`) for each.
    ///
    /// # Errors
    /// If the object can take no more.
    fn add_members(
        &self,
        object: Handle,
        start: usize,
        edits: &mut Edits,
    ) -> Result<(), Unreadable>;

    /// Adds an element to a list: a comma and a value.
    ///
    /// # Errors
    /// If the list can take no more.
    fn add_element(&self, list: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable>;
}

/// Takes what stands at the end as JSON, makes a text of it that is a document, and gives this to
/// `write`.
pub(crate) fn respell<T>(
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

/// Splices tags into records.
#[derive(Debug)]
pub struct Splicer {
    tag: TagWriter,
    /// Finds the tag's key.
    key: Finder<'static>,
    /// For the `ecs` style: what may collide.
    paths: Paths,
    tags: PathId,
    /// By [`ECS_FIELDS`]: the field's path, and those of the objects above it.
    fields: Vec<(PathId, Vec<PathId>)>,
    found: Found,
    text: Vec<u8>,
}

impl Splicer {
    /// Writes the tags of a writer.
    pub fn new(tag: TagWriter) -> Splicer {
        let mut paths = Paths::default();
        let tags = paths.add("tags");
        let fields = ECS_FIELDS.iter().map(|name| {
            let above = name
                .match_indices('.')
                .map(|(dot, _)| paths.add(&name[..dot]))
                .collect();
            (paths.add(name), above)
        });
        let fields = fields.collect();
        paths.finish();
        Splicer {
            key: Finder::new(tag.key.as_bytes()).into_owned(),
            tag,
            found: Found::new(paths.len()),
            text: Vec::new(),
            paths,
            tags,
            fields,
        }
    }

    /// The edits that tag the object at `root`.
    ///
    /// # Errors
    /// If the object cannot be read, or can take no more.
    pub fn splice<T: Target>(
        &mut self,
        target: &T,
        root: Handle,
        verdict: &Verdict,
        edits: &mut Edits,
    ) -> Result<(), Unreadable> {
        if self.tag.style == Style::Ecs {
            return self.ecs(target, root, verdict, edits);
        }
        let (first, start) = (edits.list.len(), edits.made.len());
        target.values_of(root, &self.key, &mut |value| {
            edits.list.push(Edit {
                replaced: value.start..value.end,
                made: start..start,
            });
        })?;
        if edits.list.len() > first {
            // Every occurrence: which one a reader believes is not ours to know.
            self.tag.value(verdict, &mut edits.made);
            target.spell(root, start, edits)?;
            for edit in &mut edits.list[first..] {
                edit.made.end = edits.made.len();
            }
            return Ok(());
        }
        edits.made.push(b',');
        self.tag.key(&mut edits.made);
        self.tag.value(verdict, &mut edits.made);
        target.add_members(root, start, edits)
    }

    fn ecs<T: Target>(
        &mut self,
        target: &T,
        root: Handle,
        verdict: &Verdict,
        edits: &mut Edits,
    ) -> Result<(), Unreadable> {
        self.found.clear();
        target.walk(root, &self.paths, &mut self.found)?;
        let existing = self.found.values(self.tags).next();
        if let Some(tags) = existing.filter(|&tags| target.kind(tags) == Kind::List) {
            let mut there = false;
            let text = &mut self.text;
            let _ = target.elements(tags, &mut |element| {
                there |= target.kind(element) == Kind::Text
                    && self.tag.is_ecs_word(verdict, target.text(element, text));
                std::ops::ControlFlow::Continue(())
            });
            if !there {
                let start = edits.made.len();
                edits.made.push(b',');
                self.tag.ecs_word(verdict, &mut edits.made);
                target.add_element(tags, start, edits)?;
            }
        }
        let start = edits.made.len();
        let made = &mut edits.made;
        // A key `tags.x` stands for an object there.
        if !self.found.has(self.tags) {
            made.extend_from_slice(b",\"tags\":[");
            self.tag.ecs_word(verdict, made);
            made.push(b']');
        }
        for (name, (path, above)) in ECS_FIELDS.iter().zip(&self.fields) {
            let mut above = above.iter().flat_map(|&path| self.found.values(path));
            if self.found.has(*path) || above.any(|value| target.kind(value) != Kind::Map) {
                continue;
            }
            let before = made.len();
            made.push(b',');
            if !self.tag.ecs_field(name, verdict, made) {
                made.truncate(before);
            }
        }
        if made.len() > start {
            target.add_members(root, start, edits)?;
        }
        Ok(())
    }
}
