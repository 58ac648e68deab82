//! The values one walk found, by path.

use crate::paths::PathId;
use crate::record::Handle;

const NONE: u32 = u32::MAX;

/// Values found at wanted paths, grouped by path, in document order. Reused from record to record.
#[derive(Debug, Clone)]
pub struct Found {
    entries: Vec<Entry>,
    /// By path: first and last entry, or `NONE`.
    ends: Vec<(u32, u32)>,
    /// Values of dotted keys that go on beyond a path.
    beyond: Vec<(PathId, Handle)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    path: PathId,
    next: u32,
    value: Handle,
}

impl Found {
    /// Nothing found yet, for a set of `paths` paths.
    pub fn new(paths: usize) -> Found {
        Found {
            entries: Vec::new(),
            ends: vec![(NONE, NONE); paths],
            beyond: Vec::new(),
        }
    }

    /// Forgets everything; keeps the memory.
    pub fn clear(&mut self) {
        self.beyond.clear();
        for entry in self.entries.drain(..) {
            self.ends[entry.path.index()] = (NONE, NONE);
        }
    }

    /// Adds a value at a path.
    pub fn push(&mut self, path: PathId, value: Handle) {
        let at = self.entries.len() as u32;
        self.entries.push(Entry {
            path,
            next: NONE,
            value,
        });
        let ends = &mut self.ends[path.index()];
        if ends.0 == NONE {
            ends.0 = at;
        } else {
            self.entries[ends.1 as usize].next = at;
        }
        ends.1 = at;
    }

    /// The values at a path, in document order.
    pub fn values(&self, path: PathId) -> impl Iterator<Item = Handle> + '_ {
        let mut at = self.ends[path.index()].0;
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            at = entry.next;
            Some(entry.value)
        })
    }

    /// Adds the value of a dotted key that goes on beyond a path (`a.b.c` beyond `a.b`): an object
    /// stands at the path, of which only this part was written out.
    pub fn push_beyond(&mut self, path: PathId, value: Handle) {
        self.beyond.push((path, value));
    }

    /// What keys that go on beyond a path hold.
    pub fn values_beyond(&self, path: PathId) -> impl Iterator<Item = Handle> + '_ {
        let beyond = self.beyond.iter();
        beyond
            .filter(move |(at, _)| *at == path)
            .map(|(_, value)| *value)
    }

    /// Whether anything is at a path, be it null.
    pub fn has(&self, path: PathId) -> bool {
        self.ends[path.index()].0 != NONE || self.beyond.iter().any(|(at, _)| *at == path)
    }
}
