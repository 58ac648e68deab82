//! What a downstream that is a process has taken: a file, which outlives it. Messages stand there one after the other, each
//! behind its size.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Mutex;

/// What stands before a message.
const HEAD: usize = size_of::<u32>();

/// The downstream's side.
pub struct Writer(Mutex<File>);

impl Writer {
    /// For a file that is there, and empty.
    pub fn open(path: impl AsRef<Path>) -> Writer {
        Writer(Mutex::new(File::options().write(true).open(path).unwrap()))
    }

    /// Writes a message. When this returns the system has it, whatever becomes of the process.
    pub fn keep(&self, message: &[u8]) {
        let size = u32::try_from(message.len()).unwrap().to_be_bytes();
        let entry = [&size[..], message].concat();
        self.0.lock().unwrap().write_all(&entry).unwrap();
    }
}

/// The ledger's side.
#[derive(Debug)]
pub struct Reader {
    file: File,
    /// The part of a message that was there.
    part: Vec<u8>,
}

impl Reader {
    pub fn open(path: impl AsRef<Path>) -> Reader {
        Reader {
            file: File::open(path).unwrap(),
            part: Vec::new(),
        }
    }

    /// Reads all messages that are new, and are whole: a downstream may be killed while it writes one.
    pub fn read(&mut self, mut each: impl FnMut(&[u8])) {
        self.file.read_to_end(&mut self.part).unwrap();
        let mut rest = &self.part[..];
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>()
            && let Some((message, after)) =
                after.split_at_checked(u32::from_be_bytes(*head) as usize)
        {
            each(message);
            rest = after;
        }
        self.part.drain(..self.part.len() - rest.len());
    }
}

#[test]
fn messages_come_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    File::create(&path).unwrap();
    let writer = Writer::open(&path);
    let mut reader = Reader::open(&path);
    let read = |reader: &mut Reader| {
        let mut all = Vec::new();
        reader.read(|message| all.push(message.to_vec()));
        all
    };
    writer.keep(b"one");
    writer.keep(b"");
    assert_eq!(read(&mut reader), [&b"one"[..], b""]);
    assert_eq!(read(&mut reader), [b""; 0]);
    let mut file = writer.0.into_inner().unwrap();
    for byte in b"\0\0\0\x03tw" {
        file.write_all(&[*byte]).unwrap();
        assert_eq!(read(&mut reader), [b""; 0]);
    }
    file.write_all(b"o").unwrap();
    assert_eq!(read(&mut reader), [b"two"]);
}
