//! The inputs, one after another, cut into frames.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use poseur_tagger::frames::{FRAME, Frame, Frames};

use crate::compressed::{Corrupt, Gunzip, Unzstd};
use crate::terminal::Messages;

/// How much is read at once of a compressed file.
const COMPRESSED: usize = 64 << 10;

/// One frame of one input.
#[derive(Debug, Default)]
pub struct Job {
    /// Its bytes.
    pub frame: Frame,
    /// Index of the input among [`Feed::names`].
    pub input: usize,
    /// Number of the first line, from 1 in each input.
    pub line: u64,
}

/// Reads inputs one after another. Their bytes are not changed; but the last line of each is a line
/// of its own, although no line feed may end it.
pub struct Feed {
    waiting: VecDeque<PathBuf>,
    names: Arc<[String]>,
    current: Option<Frames<Box<dyn Read + Send>>>,
    /// Inputs begun so far.
    begun: usize,
    line: u64,
    frame_size: usize,
    longest_line: usize,
    messages: Messages,
}

impl Feed {
    /// Reads these files; `-` or no file at all is standard input. What cannot be read is told
    /// through `messages`, and passed over.
    pub fn new(files: &[PathBuf], longest_line: usize, messages: Messages) -> Feed {
        let waiting = or_standard_input(files);
        Feed {
            names: waiting.iter().map(|path| name(path)).collect(),
            waiting: waiting.into(),
            current: None,
            begun: 0,
            line: 1,
            frame_size: FRAME,
            longest_line,
            messages,
        }
    }

    /// Cuts frames of about this size.
    pub fn with_frame_size(mut self, bytes: usize) -> Feed {
        self.frame_size = bytes;
        self
    }

    /// How large frames are, unless a line needs more.
    pub fn frame_size(&self) -> usize {
        self.frame_size
    }

    /// What the inputs are called.
    pub fn names(&self) -> Arc<[String]> {
        self.names.clone()
    }

    /// The next frame; `false` if there are no more.
    pub fn next(&mut self, job: &mut Job) -> bool {
        loop {
            let Some(frames) = &mut self.current else {
                let Some(path) = self.waiting.pop_front() else {
                    return false;
                };
                self.begun += 1;
                self.line = 1;
                match open(&path, &self.messages) {
                    Ok(reader) => {
                        let (size, longest) = (self.frame_size, self.longest_line);
                        self.current = Some(Frames::with_sizes(reader, size, longest));
                    }
                    Err(error) => self.failure(&error),
                }
                continue;
            };
            match frames.next(&mut job.frame) {
                Ok(true) => {
                    job.input = self.begun - 1;
                    job.line = self.line;
                    self.line += memchr::memchr_iter(b'\n', job.frame.bytes()).count() as u64;
                    return true;
                }
                Ok(false) => self.current = None,
                Err(error) => {
                    self.failure(&error);
                    self.current = None;
                }
            }
        }
    }

    fn failure(&self, error: &io::Error) {
        let name = &self.names[self.begun - 1];
        let corrupt = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<Corrupt>());
        let message = match corrupt {
            Some(corrupt) => format!("{name}: {corrupt}; what stands before it was read"),
            None => format!("{name}: cannot be read: {error}"),
        };
        self.messages.failure(&message);
    }
}

fn or_standard_input(files: &[PathBuf]) -> Vec<PathBuf> {
    if files.is_empty() {
        vec!["-".into()]
    } else {
        files.to_vec()
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn name(path: &Path) -> String {
    if is_standard_input(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Opens an input, decompressing if its name says so.
fn open(path: &Path, messages: &Messages) -> io::Result<Box<dyn Read + Send>> {
    let messages = messages.clone();
    if is_standard_input(path) {
        return Ok(Box::new(Watched {
            input: io::stdin(),
            messages,
        }));
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a folder: name its files",
        ));
    }
    let extension = path
        .extension()
        .map(|extension| extension.to_ascii_lowercase());
    let buffered = |input: File| Watched {
        input: BufReader::with_capacity(COMPRESSED, input),
        messages: messages.clone(),
    };
    Ok(
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("gz") => Box::new(Gunzip::new(buffered(file))),
            Some("zst") => Box::new(Unzstd::new(buffered(file))),
            _ => Box::new(Watched {
                input: file,
                messages,
            }),
        },
    )
}

/// Tells the progress bar how far a file was read.
struct Watched<R> {
    input: R,
    messages: Messages,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.messages.advance(read as u64);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.messages.advance(bytes as u64);
    }
}

/// How many bytes the inputs hold, if all of them are regular files.
pub fn total_size(files: &[PathBuf]) -> Option<u64> {
    let sizes = or_standard_input(files).into_iter().map(|path| {
        let about = about(&path)?;
        about.is_file().then_some(about.len())
    });
    sizes.sum()
}

/// What an input is; `None` if that cannot be told.
fn about(path: &Path) -> Option<Metadata> {
    if !is_standard_input(path) {
        return fs::metadata(path).ok();
    }
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let duplicate = io::stdin().as_fd().try_clone_to_owned().ok()?;
        File::from(duplicate).metadata().ok()
    }
    #[cfg(not(unix))]
    None
}

/// The input that is the same regular file as an output, if any is. Writing to it would destroy
/// what is still to be read, or never end.
pub fn same_file<'a>(files: &'a [PathBuf], output: &Metadata) -> Option<&'a Path> {
    if !output.is_file() {
        return None;
    }
    let same = |path: &Path| about(path).is_some_and(|input| is_same(&input, output));
    if files.is_empty() && same(Path::new("-")) {
        return Some(Path::new("-"));
    }
    files.iter().map(PathBuf::as_path).find(|path| same(path))
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    false
}
