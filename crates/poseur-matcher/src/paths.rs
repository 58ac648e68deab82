//! The paths a plan asks for, as a trie that a reader walks along with a record.
//!
//! Every node keeps one hash table of the keys that lead on from it. Because an object key that
//! holds dots stands for several steps, the table of a node lists all dotted spellings of its
//! descendants (`user`, `user.email`, …): one lookup per key, whatever the mixture of nesting.

/// A path, and the node of the trie where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PathId(u32);

impl PathId {
    /// The trie's root: the record itself.
    pub const ROOT: PathId = PathId(0);

    /// A dense number from 0, for tables by path.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of paths.
#[derive(Debug, Clone)]
pub struct Paths {
    nodes: Vec<Node>,
    /// By node: is it wanted, does a path lead on from it. Apart, because a reader asks for every
    /// key it knows.
    flags: Vec<(bool, bool)>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// The last name on the way here.
    name: String,
    parent: PathId,
    children: Vec<PathId>,
    wanted: bool,
    keys: Keys,
}

impl Default for Paths {
    fn default() -> Self {
        Paths {
            nodes: vec![Node::default()],
            flags: Vec::new(),
        }
    }
}

impl Paths {
    /// Adds a dotted path and says which node it ends at. Call [`Paths::finish`] before reading.
    pub fn add(&mut self, path: &str) -> PathId {
        let mut at = PathId::ROOT;
        for name in path.split('.') {
            at = self.step(at, name);
        }
        self.nodes[at.index()].wanted = true;
        at
    }

    fn step(&mut self, from: PathId, name: &str) -> PathId {
        let known = self.nodes[from.index()]
            .children
            .iter()
            .copied()
            .find(|child| self.nodes[child.index()].name == name);
        known.unwrap_or_else(|| {
            let id = PathId(self.nodes.len() as u32);
            self.nodes.push(Node {
                name: name.to_owned(),
                parent: from,
                ..Node::default()
            });
            self.nodes[from.index()].children.push(id);
            id
        })
    }

    /// Builds the key tables.
    pub fn finish(&mut self) {
        for at in 0..self.nodes.len() {
            let mut keys = Vec::new();
            self.spellings(PathId(at as u32), &mut String::new(), &mut keys);
            self.nodes[at].keys = Keys::new(keys);
        }
        let flags = self
            .nodes
            .iter()
            .map(|node| (node.wanted, !node.children.is_empty()));
        self.flags = flags.collect();
    }

    /// Pushed by hand: this is where loading needs most stack, of which a WebAssembly host gives little.
    fn spellings(&self, from: PathId, prefix: &mut String, out: &mut Vec<(String, PathId)>) {
        let length = prefix.len();
        for &child in &self.nodes[from.index()].children {
            prefix.push_str(&self.nodes[child.index()].name);
            let spelling = prefix.clone();
            prefix.push('.');
            self.spellings(child, prefix, out);
            prefix.truncate(length);
            out.push((spelling, child));
        }
    }

    /// The names of a path, the last one first.
    pub fn names(&self, path: PathId) -> impl Iterator<Item = &str> {
        let nodes = std::iter::successors(Some(path), |&at| Some(self.nodes[at.index()].parent));
        nodes
            .take_while(|&at| at != PathId::ROOT)
            .map(|at| self.name(at))
    }

    /// The last name of a path.
    pub fn name(&self, path: PathId) -> &str {
        &self.nodes[path.index()].name
    }

    /// How many nodes there are: the size of tables by [`PathId`].
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no path was added.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// Where a decoded key leads from a node.
    #[inline]
    pub fn child(&self, from: PathId, key: &[u8]) -> Option<PathId> {
        self.nodes[from.index()].keys.get(key)
    }

    /// The wanted nodes that a dotted key passes by on its way: those its proper prefixes lead to.
    pub fn passed_by(&self, from: PathId, key: &[u8], mut visit: impl FnMut(PathId)) {
        for dot in memchr::memchr_iter(b'.', key) {
            if let Some(node) = self.child(from, &key[..dot])
                && self.wanted(node)
            {
                visit(node);
            }
        }
    }

    /// Whether values at this node are asked for.
    #[inline]
    pub fn wanted(&self, at: PathId) -> bool {
        self.flags[at.index()].0
    }

    /// Whether any path leads on from this node.
    #[inline]
    pub fn leads_on(&self, at: PathId) -> bool {
        self.flags[at.index()].1
    }
}

/// An open-addressing table from key to node. Most keys of a record are not in it, so a miss must
/// be cheap: a bit per key length answers most of them, and a byte of the hash the rest, which for
/// hundreds of rules are in the cache when the places are not.
#[derive(Debug, Clone, Default)]
struct Keys {
    /// Bit `n % 64` is set if a key of length `n` exists.
    lengths: u64,
    /// By place, a power-of-two number: some bits of the key's hash, or 0 if the place is free.
    tags: Vec<u8>,
    places: Vec<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    ends: Ends,
    key: Box<[u8]>,
    id: PathId,
}

/// The length of a key and its first and last eight bytes, which may overlap: all there is to know
/// about a key of up to 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    head: u64,
    tail: u64,
    length: usize,
}

impl Ends {
    #[inline]
    fn of(key: &[u8]) -> Ends {
        let length = key.len();
        let (head, tail) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
                (Some(head), Some(tail)) => (
                    u64::from(u32::from_le_bytes(*head)),
                    u64::from(u32::from_le_bytes(*tail)),
                ),
                _ => (
                    key.iter()
                        .fold(0, |head, &byte| head << 8 | u64::from(byte)),
                    0,
                ),
            },
        };
        Ends { head, tail, length }
    }

    /// Where to look first, and the tag, which is never 0.
    #[inline]
    fn hash(self) -> (usize, u8) {
        let mixed = (self.head ^ self.tail.rotate_left(29)).wrapping_add(self.length as u64);
        let hash = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((hash >> 32) as usize, (hash >> 24) as u8 | 1)
    }
}

impl Keys {
    fn new(keys: Vec<(String, PathId)>) -> Keys {
        if keys.is_empty() {
            return Keys::default();
        }
        let size = (keys.len() * 2).next_power_of_two();
        let free = Place {
            ends: Ends::of(b""),
            key: Box::default(),
            id: PathId::ROOT,
        };
        let mut table = Keys {
            lengths: 0,
            tags: vec![0; size],
            places: vec![free; size],
        };
        for (key, id) in keys {
            let ends = Ends::of(key.as_bytes());
            table.lengths |= 1 << (key.len() % 64);
            let (mut at, tag) = ends.hash();
            at &= size - 1;
            while table.tags[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            table.tags[at] = tag;
            table.places[at] = Place {
                ends,
                key: key.into_bytes().into_boxed_slice(),
                id,
            };
        }
        table
    }

    #[inline(always)]
    fn get(&self, key: &[u8]) -> Option<PathId> {
        if self.lengths & (1 << (key.len() % 64)) == 0 {
            return None;
        }
        let ends = Ends::of(key);
        let mask = self.tags.len() - 1;
        let (mut at, tag) = ends.hash();
        loop {
            at &= mask;
            match self.tags[at] {
                0 => return None,
                found if found == tag => {
                    let place = &self.places[at];
                    if place.ends == ends && (ends.length <= 16 || *place.key == *key) {
                        return Some(place.id);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_to_the_same_node_however_dotted() {
        let mut paths = Paths::default();
        let email = paths.add("user.email");
        let flags = paths.add("o365.audit.ParticipantInfo.HasGuestUsers");
        let user = paths.add("user");
        paths.finish();
        let follow = |keys: &[&str]| {
            keys.iter()
                .try_fold(PathId::ROOT, |at, key| paths.child(at, key.as_bytes()))
        };
        for keys in [&["user", "email"][..], &["user.email"]] {
            assert_eq!(follow(keys), Some(email), "{keys:?}");
        }
        for keys in [
            &["o365", "audit", "ParticipantInfo", "HasGuestUsers"][..],
            &["o365.audit.ParticipantInfo.HasGuestUsers"],
            &["o365.audit", "ParticipantInfo.HasGuestUsers"],
            &["o365", "audit.ParticipantInfo", "HasGuestUsers"],
        ] {
            assert_eq!(follow(keys), Some(flags), "{keys:?}");
        }
        for keys in [
            &["user", "Email"][..],
            &["user."],
            &[""],
            &["o365..audit"],
            &["email"],
        ] {
            assert_eq!(follow(keys), None, "{keys:?}");
        }
        assert_eq!(paths.child(email, b""), None);
        assert!(paths.wanted(user) && paths.leads_on(user));
        assert!(!paths.wanted(PathId::ROOT) && !paths.leads_on(email));
    }

    #[test]
    fn names_may_be_empty() {
        let mut paths = Paths::default();
        let ids = ["", "a", "a.", ".a", "."].map(|path| paths.add(path));
        paths.finish();
        for (keys, expected) in [
            (&[""][..], Some(ids[0])),
            (&["a"], Some(ids[1])),
            (&["a."], Some(ids[2])),
            (&["a", ""], Some(ids[2])),
            (&[".a"], Some(ids[3])),
            (&["", "a"], Some(ids[3])),
            (&["."], Some(ids[4])),
            (&["", ""], Some(ids[4])),
            (&["a", "."], None),
            (&["b"], None),
        ] {
            let mut steps = keys.iter();
            let found = steps.try_fold(PathId::ROOT, |at, key| paths.child(at, key.as_bytes()));
            assert_eq!(found, expected, "{keys:?}");
        }
    }
}
