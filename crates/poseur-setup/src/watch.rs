//! Whether files have changed since they were read.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, Metadata};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// Folders below each other are looked at this deep: a link back must not loop.
const DEEPEST: usize = 16;

/// Watches files, and folders with all that is in them, by their sizes and times.
#[derive(Debug, Clone)]
pub struct Watch {
    paths: Vec<PathBuf>,
    seen: u64,
}

impl Watch {
    /// Remembers how these files and folders look now. A path may lead to nothing yet.
    pub fn new(paths: Vec<PathBuf>) -> Watch {
        let seen = look(&paths);
        Watch { paths, seen }
    }

    /// Whether anything looks different than when this was last asked, or at the beginning.
    pub fn has_changed(&mut self) -> bool {
        let now = look(&self.paths);
        std::mem::replace(&mut self.seen, now) != now
    }
}

fn look(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        look_at(path, DEEPEST, &mut hasher);
    }
    hasher.finish()
}

fn look_at(path: &Path, depth: usize, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    // Links are followed: what they lead to is what is read.
    let Ok(about) = fs::metadata(path) else {
        return;
    };
    note(&about, hasher);
    if !about.is_dir() || depth == 0 {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort_unstable();
    for entry in entries {
        look_at(&entry, depth - 1, hasher);
    }
}

fn note(about: &Metadata, hasher: &mut DefaultHasher) {
    about.len().hash(hasher);
    about.modified().ok().hash(hasher);
    // A file that took another's place may have its size and its time.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        about.ino().hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn sees_what_changes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("below/a.yml");
        let mut watch = Watch::new(vec![folder.path().to_owned(), file.clone()]);
        let mut changed = |what: &str, expected| {
            assert_eq!(watch.has_changed(), expected, "{what}");
            assert!(!watch.has_changed(), "{what}, asked again");
        };
        changed("nothing", false);
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(&file, "one").unwrap();
        changed("a new file", true);
        fs::write(&file, "three").unwrap();
        changed("another size", true);
        let later = SystemTime::now() + Duration::from_secs(10);
        let open = fs::File::options().write(true).open(&file).unwrap();
        open.set_modified(later).unwrap();
        changed("another time", true);
        let other = folder.path().join("b.yml");
        fs::write(&other, "three").unwrap();
        changed("one more file", true);
        fs::rename(&other, &file).unwrap();
        changed("a file in another's place", true);
        fs::remove_file(&file).unwrap();
        changed("a file is gone", true);
    }
}
