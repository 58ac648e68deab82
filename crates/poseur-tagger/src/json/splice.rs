//! Where a tag goes in a JSON record, and what stands there already.

use std::ops::Range;

use memchr::memmem::Finder;
use poseur_matcher::Verdict;
use poseur_matcher::found::Found;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::{Handle, Kind, Record, Unreadable};

use super::document::Document;
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

/// Splices tags into JSON records.
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

    /// The edits that tag the object at `root`, in the order of their places. The new text is
    /// appended to `made`.
    ///
    /// # Errors
    /// If the object cannot be read.
    pub fn splice(
        &mut self,
        document: &Document<'_>,
        root: Handle,
        verdict: &Verdict,
        made: &mut Vec<u8>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Unreadable> {
        if self.tag.style == Style::Ecs {
            return self.ecs(document, root, verdict, made, edits);
        }
        let first = edits.len();
        if document.may_have_key(root, &self.key) {
            document.members(root, |key, _, value| {
                if key == self.tag.key.as_bytes() {
                    edits.push(Edit {
                        replaced: value.start..value.end,
                        made: 0..0,
                    });
                }
            })?;
        }
        let start = made.len();
        if edits.len() > first {
            // Every occurrence: which one a reader believes is not ours to know.
            self.tag.value(verdict, made);
            for edit in &mut edits[first..] {
                edit.made = start..made.len();
            }
            return Ok(());
        }
        if !document.is_empty_object(root) {
            made.push(b',');
        }
        self.tag.key(made);
        self.tag.value(verdict, made);
        edits.push(insertion(root.end - 1, start..made.len()));
        Ok(())
    }

    fn ecs(
        &mut self,
        document: &Document<'_>,
        root: Handle,
        verdict: &Verdict,
        made: &mut Vec<u8>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Unreadable> {
        self.found.clear();
        document.walk(root, &self.paths, &mut self.found)?;
        let existing = self.found.values(self.tags).next();
        if let Some(tags) = existing.filter(|&tags| document.kind(tags) == Kind::List) {
            let (mut any, mut there) = (false, false);
            let text = &mut self.text;
            let _ = document.elements(tags, &mut |element| {
                any = true;
                there |= document.kind(element) == Kind::Text
                    && self.tag.is_ecs_word(verdict, document.text(element, text));
                std::ops::ControlFlow::Continue(())
            });
            if !there {
                let start = made.len();
                if any {
                    made.push(b',');
                }
                self.tag.ecs_word(verdict, made);
                edits.push(insertion(tags.end - 1, start..made.len()));
            }
        }
        let mut empty = document.is_empty_object(root);
        let start = made.len();
        let mut separate = |made: &mut Vec<u8>| {
            if !std::mem::take(&mut empty) {
                made.push(b',');
            }
        };
        // A key `tags.x` stands for an object there.
        if !self.found.has(self.tags) {
            separate(made);
            made.extend_from_slice(b"\"tags\":[");
            self.tag.ecs_word(verdict, made);
            made.push(b']');
        }
        for (name, (path, above)) in ECS_FIELDS.iter().zip(&self.fields) {
            let mut above = above.iter().flat_map(|&path| self.found.values(path));
            if self.found.has(*path) || above.any(|value| document.kind(value) != Kind::Map) {
                continue;
            }
            let before = made.len();
            separate(made);
            if !self.tag.ecs_field(name, verdict, made) {
                made.truncate(before);
            }
        }
        if made.len() > start {
            edits.push(insertion(root.end - 1, start..made.len()));
        }
        Ok(())
    }
}

fn insertion(at: usize, made: Range<usize>) -> Edit {
    Edit {
        replaced: at..at,
        made,
    }
}
