//! Files by the functions of WASI, preview 1, which a module imports from its host
//! (<https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md>).
//!
//! A path is looked for below each folder that the host has opened for the module, in their order.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::Kind;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn path_filestat_get(
        folder: u32,
        lookup: u32,
        path: *const u8,
        length: usize,
        about: *mut About,
    ) -> u32;
    fn path_open(
        folder: u32,
        lookup: u32,
        path: *const u8,
        length: usize,
        how: u32,
        rights: u64,
        rights_below: u64,
        flags: u32,
        opened: *mut u32,
    ) -> u32;
    fn fd_read(file: u32, into: *const Stretch, stretches: usize, read: *mut usize) -> u32;
    fn fd_readdir(folder: u32, into: *mut u8, length: usize, cookie: u64, used: *mut usize) -> u32;
    fn fd_close(file: u32) -> u32;
}

/// `filestat` of WASI.
#[repr(C)]
#[derive(Default)]
struct About {
    device: u64,
    inode: u64,
    kind: u8,
    links: u64,
    size: u64,
    times: [u64; 3],
}

/// `iovec` of WASI.
#[repr(C)]
struct Stretch {
    start: *mut u8,
    length: usize,
}

/// The first folder that a host opens.
const FIRST_FOLDER: u32 = 3;

/// `lookupflags`: links are followed.
const FOLLOW: u32 = 1;
/// `oflags`: it must be a folder.
const FOLDER: u32 = 2;
/// `rights`: to read a file, to list a folder.
const MAY_READ: u64 = 1 << 1;
const MAY_LIST: u64 = 1 << 14;

/// `errno`: there is no such folder, or no such file.
const NO_FOLDER: u32 = 8;
const NO_FILE: u32 = 44;

/// Bytes asked for at once.
const AT_ONCE: usize = 16 << 10;

/// An open file or folder.
struct Open(u32);

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open, and nobody uses it afterwards.
        unsafe { fd_close(self.0) };
    }
}

fn outcome(number: u32) -> io::Result<()> {
    match number {
        0 => Ok(()),
        NO_FILE => Err(io::ErrorKind::NotFound.into()),
        // `acces`, `perm` and `notcapable`.
        2 | 63 | 76 => Err(io::ErrorKind::PermissionDenied.into()),
        number => Err(io::Error::other(format!(
            "the host says WASI error {number}"
        ))),
    }
}

/// The folder of the host below which there is such a path, and what is there.
fn look(path: &Path) -> io::Result<(u32, About)> {
    let name = path.as_os_str().as_encoded_bytes();
    for folder in FIRST_FOLDER.. {
        let mut about = About::default();
        // SAFETY: the name is that long, and the host writes one `filestat` into what has its layout.
        let number =
            unsafe { path_filestat_get(folder, FOLLOW, name.as_ptr(), name.len(), &raw mut about) };
        match number {
            NO_FILE => {}
            NO_FOLDER => break,
            number => return outcome(number).map(|()| (folder, about)),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

fn open(path: &Path, how: u32, rights: u64) -> io::Result<Open> {
    let (folder, _) = look(path)?;
    let name = path.as_os_str().as_encoded_bytes();
    let mut opened = 0;
    // SAFETY: the name is that long, and the host writes one descriptor.
    outcome(unsafe {
        path_open(
            folder,
            FOLLOW,
            name.as_ptr(),
            name.len(),
            how,
            rights,
            0,
            0,
            &raw mut opened,
        )
    })?;
    Ok(Open(opened))
}

/// What is behind a path; links are followed.
pub fn kind(path: &Path) -> io::Result<Kind> {
    let (_, about) = look(path)?;
    Ok(match about.kind {
        3 => Kind::Folder,
        4 => Kind::File,
        _ => Kind::Other,
    })
}

/// A path that is the same by whatever path a file is reached.
pub fn identity(path: &Path) -> io::Result<PathBuf> {
    let (_, about) = look(path)?;
    Ok(PathBuf::from(format!("{}/{}", about.device, about.inode)))
}

/// The names in a folder, in any order.
pub fn names(path: &Path) -> io::Result<Vec<OsString>> {
    /// Bytes of a `dirent`: the next cookie, the inode, the length of the name that follows, the kind.
    const HEAD: usize = 24;
    let folder = open(path, FOLDER, MAY_LIST)?;
    let mut names = Vec::new();
    let (mut buffer, mut cookie) = (vec![0; AT_ONCE], 0);
    loop {
        let mut used = 0;
        // SAFETY: the buffer is that long, and the host writes one length.
        outcome(unsafe {
            fd_readdir(
                folder.0,
                buffer.as_mut_ptr(),
                buffer.len(),
                cookie,
                &raw mut used,
            )
        })?;
        let full = used >= buffer.len();
        let mut rest = buffer.get(..used).unwrap_or_default();
        let before = names.len();
        // The last one may be cut off: it comes again.
        while let Some((head, after)) = rest.split_at_checked(HEAD) {
            let next = head
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let length = head[16..]
                .first_chunk()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let Some((name, after)) = after.split_at_checked(length as usize) else {
                break;
            };
            (cookie, rest) = (next, after);
            if name != b"." && name != b".." {
                let name = String::from_utf8_lossy(name).into_owned();
                names.push(OsString::from(name));
            }
        }
        if !full || names.len() == before {
            return Ok(names);
        }
    }
}

/// The bytes of a file; of a longer one the first `most`.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path, 0, MAY_READ)?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let into = Stretch {
            start: buffer.as_mut_ptr(),
            length: buffer.len(),
        };
        let mut read = 0;
        // SAFETY: there is one stretch, of a buffer that is that long; the host writes one length.
        outcome(unsafe { fd_read(file.0, &raw const into, 1, &raw mut read) })?;
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if read == 0 || bytes.len() as u64 >= most {
            bytes.truncate(most as usize);
            return Ok(bytes);
        }
    }
}
