//! Parts of the tagger as they are measured, through its closest public seams.

use poseur_matcher::found::Found;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::Record;
use poseur_tagger::candidates::Candidates;
use poseur_tagger::json::document::{Document, Pool};
use poseur_tagger::json::index::Index;

/// How many lines a search stops at: after a hit it goes on with the next line. `next` says where the
/// first hit at or after a place is.
pub fn lines_hit(bytes: &[u8], next: impl Fn(usize) -> Option<usize>) -> u64 {
    let (mut from, mut found) = (0, 0);
    while let Some(hit) = next(from) {
        found += 1;
        let end = memchr::memchr(b'\n', &bytes[hit..]);
        from = end.map_or(bytes.len(), |end| hit + end + 1);
    }
    found
}

/// How many lines the candidate search stops at.
pub fn candidates(search: &Candidates, bytes: &[u8]) -> u64 {
    let (mut from, mut found) = (0, 0);
    while let Some(line) = search.next(bytes, from).line {
        found += 1;
        from = line.end + 1;
    }
    found
}

/// Reads lines for what rule A asks of a raw record.
pub struct Reader {
    index: Index,
    pool: Pool,
    paths: Paths,
    wanted: Vec<PathId>,
    found: Found,
}

/// What every raw record has, and what only the record of a chat may have.
const PATHS: ([&str; 3], [&str; 6]) = (
    ["Operation", "Workload", "UserId"],
    [
        "CommunicationType",
        "Members",
        "ParticipantInfo.HasOtherGuestUsers",
        "ParticipantInfo.HasGuestUsers",
        "ParticipantInfo.HasForeignTenantUsers",
        "ResultStatus",
    ],
);

impl Default for Reader {
    fn default() -> Reader {
        let mut paths = Paths::default();
        let wanted = PATHS.0.map(|path| paths.add(path)).to_vec();
        for path in PATHS.1 {
            paths.add(path);
        }
        paths.finish();
        Reader {
            index: Index::default(),
            pool: Pool::default(),
            found: Found::new(paths.len()),
            paths,
            wanted,
        }
    }
}

impl Reader {
    /// Indexes a line and says whether it ends outside strings.
    pub fn index(&mut self, line: &[u8]) -> bool {
        self.index.build(line);
        !self.index.ends_in_string()
    }

    /// Indexes a line, walks it, and says whether what every record has was found.
    pub fn read(&mut self, line: &[u8]) -> bool {
        let Ok(document) = Document::new(line, &mut self.index, &self.pool) else {
            return false;
        };
        self.found.clear();
        let walked = document.walk(document.root(), &self.paths, &mut self.found);
        walked.is_ok() && self.wanted.iter().all(|path| self.found.has(*path))
    }
}
