//! Files and folders, as far as loading needs them: by the standard library, and in a WebAssembly module,
//! where that knows no files, by the host's WASI functions.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod wasi;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub use wasi::{identity, kind, names, read};

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub use native::{identity, kind, names, read};

use std::io;
use std::path::{Path, PathBuf};

/// What is behind a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A pipe, a device, a socket.
    Other,
}

/// Whether there is a folder behind a path.
pub fn is_folder(path: &Path) -> bool {
    matches!(kind(path), Ok(Kind::Folder))
}

/// What is in a folder, in the order of the names.
pub fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = names(path)?;
    names.sort_unstable();
    Ok(names.iter().map(|name| path.join(name)).collect())
}

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod native {
    use std::ffi::OsString;
    use std::fs::{self, File};
    use std::io::{self, Read};
    use std::path::{Path, PathBuf};

    use super::Kind;

    /// What is behind a path; links are followed.
    pub fn kind(path: &Path) -> io::Result<Kind> {
        let about = fs::metadata(path)?;
        Ok(match (about.is_file(), about.is_dir()) {
            (true, _) => Kind::File,
            (_, true) => Kind::Folder,
            _ => Kind::Other,
        })
    }

    /// A path that is the same by whatever path a file is reached.
    pub fn identity(path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    /// The names in a folder, in any order.
    pub fn names(path: &Path) -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(path)?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// The bytes of a file; of a longer one the first `most`.
    pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
