//! Frames: a stream of bytes cut into chunks of whole lines.
//!
//! A frame is what one read gave, up to its last line feed: nothing waits for more input, so a
//! filter that writes every frame before it reads the next one answers as fast as it is fed. What
//! comes after the last line feed begins the next frame. All frames together are the input, byte
//! for byte.

use std::io::{self, Read};

use memchr::{memchr, memrchr};
use poseur_matcher::record::Unreadable;

use crate::counts::Counts;

/// How large frames are unless a longer line needs more.
pub const FRAME: usize = 1 << 20;

/// The longest line that is read unless the operator says otherwise, without its line feed.
pub const LONGEST_LINE: usize = 16 << 20;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Whole lines. The last line of a stream may lack its line feed.
    #[default]
    Lines,
    /// The beginning of a line that is longer than the limit. It is passed on unread.
    Long,
    /// More of the line that is too long, up to and with its line feed.
    More,
}

/// Memory for one frame, to be used again and again.
#[derive(Debug, Default)]
pub struct Frame {
    /// Always filled to its length, so that reads need no clearing.
    memory: Vec<u8>,
    used: usize,
    content: Content,
}

impl Frame {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[..self.used]
    }

    /// What they are.
    pub fn content(&self) -> Content {
        self.content
    }

    /// How much memory it holds on to.
    pub fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// Counts a piece of a line that is too long. All pieces of it are one record.
    pub fn count_unread(&self, counts: &mut Counts) {
        counts.bytes += self.used as u64;
        if self.content == Content::Long {
            counts.records += 1;
            counts.unreadable(Unreadable::TooLong);
        }
    }

    /// Makes the memory `size` bytes and puts `rest` at its beginning.
    fn begin(&mut self, rest: &[u8], size: usize) {
        if self.memory.len() > size {
            self.memory.truncate(size);
            self.memory.shrink_to_fit();
        }
        self.grow(size);
        self.memory[..rest.len()].copy_from_slice(rest);
    }

    fn grow(&mut self, size: usize) {
        let more = size.saturating_sub(self.memory.len());
        // Not a byte more than asked for: a long line takes enough memory as it is.
        self.memory.reserve_exact(more);
        self.memory.resize(self.memory.len() + more, 0);
    }

    fn finish(&mut self, used: usize, content: Content) -> bool {
        self.used = used;
        self.content = content;
        true
    }
}

/// Cuts what a reader gives into frames.
///
/// ```
/// use poseur_tagger::frames::{Frame, Frames};
///
/// let mut frames = Frames::new(&b"{\"a\":1}\n{\"b\":2}\n{\"c\""[..]);
/// let mut frame = Frame::default();
/// assert!(frames.next(&mut frame)?);
/// assert_eq!(frame.bytes(), b"{\"a\":1}\n{\"b\":2}\n");
/// assert!(frames.next(&mut frame)?);
/// assert_eq!(frame.bytes(), b"{\"c\"");
/// assert!(!frames.next(&mut frame)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Frames<R> {
    input: R,
    size: usize,
    longest: usize,
    /// Read already, but not part of a frame yet.
    rest: Vec<u8>,
    /// The rest was not searched for line feeds.
    unsearched: bool,
    /// In the middle of a line that is too long.
    in_long: bool,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: Read> Frames<R> {
    /// Frames of what `input` gives, with the usual sizes.
    pub fn new(input: R) -> Frames<R> {
        Frames::with_sizes(input, FRAME, LONGEST_LINE)
    }

    /// Frames of about `size` bytes; lines of more than `longest` bytes, line feed aside, are too
    /// long. Frames are never larger than a line may be, so that no line inside one is too long.
    pub fn with_sizes(input: R, size: usize, longest: usize) -> Frames<R> {
        let longest = longest.clamp(1, isize::MAX as usize - 1);
        Frames {
            input,
            size: size.clamp(1, longest + 1),
            longest,
            rest: Vec::new(),
            unsearched: false,
            in_long: false,
            ended: false,
            failed: None,
        }
    }

    /// Fills `frame` with the next frame; `false` at the end of the input.
    ///
    /// # Errors
    /// Those of the reader, after all that it gave before was handed on; interruptions are no
    /// errors. After an error the input counts as ended.
    pub fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        let mut filled = self.rest.len();
        let mut searched = if self.unsearched { 0 } else { filled };
        // The rest can be most of a long line, which needs as much room again.
        let room = if filled < self.size {
            self.size
        } else {
            self.grown(filled)
        };
        frame.begin(&self.rest, room);
        self.rest.clear();
        self.rest.shrink_to(self.size);
        self.unsearched = false;
        loop {
            let fresh = &frame.memory[searched..filled];
            if self.in_long {
                if let Some(at) = memchr(b'\n', fresh) {
                    self.in_long = false;
                    self.unsearched = true;
                    return Ok(self.cut(frame, searched + at + 1, filled, Content::More));
                }
                if filled > 0 {
                    return Ok(frame.finish(filled, Content::More));
                }
            } else if let Some(at) = memrchr(b'\n', fresh) {
                return Ok(self.cut(frame, searched + at + 1, filled, Content::Lines));
            } else if filled > self.longest {
                self.in_long = true;
                return Ok(frame.finish(filled, Content::Long));
            }
            searched = filled;
            if self.ended {
                if filled > 0 {
                    return Ok(frame.finish(filled, Content::Lines));
                }
                frame.used = 0;
                return self.failed.take().map_or(Ok(false), Err);
            }
            if filled == frame.memory.len() {
                frame.grow(self.grown(filled));
            }
            match self.input.read(&mut frame.memory[filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                }
            }
        }
    }

    /// Twice as much memory, but no more than the longest line and its line feed need.
    fn grown(&self, size: usize) -> usize {
        size.saturating_mul(2).min(self.longest + 1)
    }

    /// Ends the frame at `end`; what was filled beyond is the rest.
    fn cut(&mut self, frame: &mut Frame, end: usize, filled: usize, content: Content) -> bool {
        self.rest.extend_from_slice(&frame.memory[end..filled]);
        frame.finish(end, content)
    }

    /// The reader.
    pub fn get_ref(&self) -> &R {
        &self.input
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// Gives what the script says, read by read.
    struct Script(VecDeque<io::Result<Vec<u8>>>);

    impl Script {
        fn of(input: &[u8], sizes: &[usize]) -> Script {
            let mut rest = input;
            let mut reads = VecDeque::new();
            for &size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                // A size of 0 stands for an interrupted read.
                if size == 0 {
                    reads.push_back(Err(io::ErrorKind::Interrupted.into()));
                    continue;
                }
                let (now, later) = rest.split_at(size.min(rest.len()));
                reads.push_back(Ok(now.to_vec()));
                rest = later;
            }
            Script(reads)
        }
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!buffer.is_empty(), "a read without room looks like the end");
            match self.0.pop_front() {
                None => Ok(0),
                Some(Err(error)) => Err(error),
                Some(Ok(mut bytes)) => {
                    let taken = bytes.len().min(buffer.len());
                    buffer[..taken].copy_from_slice(&bytes[..taken]);
                    if taken < bytes.len() {
                        self.0.push_front(Ok(bytes.split_off(taken)));
                    }
                    Ok(taken)
                }
            }
        }
    }

    /// What became of each line: its bytes, and whether it was too long.
    type Lines = Vec<(Vec<u8>, bool)>;

    /// The plain twin: lines of the whole input.
    fn plain(input: &[u8], longest: usize) -> Lines {
        let lines = input.split_inclusive(|&byte| byte == b'\n');
        lines
            .map(|line| {
                let content = line.strip_suffix(b"\n").unwrap_or(line);
                (line.to_vec(), content.len() > longest)
            })
            .collect()
    }

    /// Reads everything, and checks what holds for every frame.
    fn framed(input: impl Read, size: usize, longest: usize) -> (Lines, Counts) {
        let mut frames = Frames::with_sizes(input, size, longest);
        let (mut frame, mut lines, mut counts) =
            (Frame::default(), Lines::new(), Counts::default());
        let mut ended = false;
        while frames.next(&mut frame).unwrap() {
            let bytes = frame.bytes();
            assert!(!bytes.is_empty() && bytes.len() <= longest + 1);
            assert!(!ended, "only the last frame may lack its line feed");
            match frame.content() {
                Content::Lines => {
                    ended = !bytes.ends_with(b"\n");
                    lines.extend(plain(bytes, usize::MAX));
                }
                Content::Long => {
                    assert!(bytes.len() > longest && !bytes.contains(&b'\n'));
                    lines.push((bytes.to_vec(), true));
                    frame.count_unread(&mut counts);
                }
                Content::More => {
                    assert!(!bytes[..bytes.len() - 1].contains(&b'\n'));
                    lines.last_mut().unwrap().0.extend_from_slice(bytes);
                    frame.count_unread(&mut counts);
                }
            }
        }
        assert!(!frames.next(&mut frame).unwrap());
        (lines, counts)
    }

    /// Compares with the plain twin; a frame must not hold a line that is too long.
    fn compare(input: &[u8], reads: &[usize], size: usize, longest: usize) {
        let (lines, counts) = framed(Script::of(input, reads), size, longest);
        let wanted = plain(input, longest);
        let context = format!("{input:?} read {reads:?}, frames of {size}, lines of {longest}");
        assert_eq!(lines, wanted, "{context}");
        let long = wanted.iter().filter(|(_, long)| *long);
        let bytes: usize = long.clone().map(|(line, _)| line.len()).sum();
        assert_eq!(counts.records, long.count() as u64, "{context}");
        assert_eq!(counts.all_unreadable(), counts.records, "{context}");
        assert_eq!(counts.bytes, bytes as u64, "{context}");
    }

    #[test]
    fn all_small_inputs_in_all_splits() {
        // Every text of x and line feed up to a length, with every frame size, limit and read size.
        for length in 0..=7 {
            for bits in 0..1u32 << length {
                let is_end = |at: u32| (bits >> at) & 1 == 1;
                let byte = |at| if is_end(at) { b'\n' } else { b'x' };
                let input: Vec<u8> = (0..length).map(byte).collect();
                for size in 1..=4 {
                    for longest in 1..=4 {
                        for read in 1..=4 {
                            compare(&input, &[read], size, longest);
                        }
                        compare(&input, &[3, 0, 1], size, longest);
                    }
                }
            }
        }
    }

    #[test]
    fn every_read_is_handed_on_at_once() {
        let reads = [&b"a\n"[..], b"b", b"c\nd", b"\n"].map(|bytes| Ok(bytes.to_vec()));
        let mut frames = Frames::new(Script(reads.into()));
        let mut frame = Frame::default();
        for (wanted, reads_left) in [(&b"a\n"[..], 3), (b"bc\n", 1), (b"d\n", 0)] {
            assert!(frames.next(&mut frame).unwrap());
            assert_eq!(frame.bytes(), wanted);
            assert_eq!(frames.get_ref().0.len(), reads_left);
        }
        assert!(!frames.next(&mut frame).unwrap());
    }

    #[test]
    fn an_error_comes_after_everything_before_it() {
        let reads = [
            Ok(b"a\nb".to_vec()),
            Err(io::Error::other("gone")),
            Ok(b"c".to_vec()),
        ];
        let mut frames = Frames::new(Script(reads.into()));
        let mut frame = Frame::default();
        assert!(frames.next(&mut frame).unwrap());
        assert_eq!(frame.bytes(), b"a\n");
        assert!(frames.next(&mut frame).unwrap());
        assert_eq!(frame.bytes(), b"b");
        assert_eq!(frames.next(&mut frame).unwrap_err().to_string(), "gone");
        assert!(frame.bytes().is_empty());
        assert!(!frames.next(&mut frame).unwrap());
    }

    #[test]
    fn memory_grows_for_a_long_line_and_shrinks_again() {
        let line = |length: usize| [vec![b'x'; length], vec![b'\n']].concat();
        let input = [
            line(10),
            line(1000),
            line(10),
            line(20),
            line(5000),
            line(10),
        ]
        .concat();
        let mut frames = Frames::with_sizes(Script::of(&input, &[64]), 64, 2000);
        let (mut frame, mut most, mut out) = (Frame::default(), 0, Vec::new());
        while frames.next(&mut frame).unwrap() {
            most = most.max(frame.capacity());
            out.extend_from_slice(frame.bytes());
        }
        assert_eq!(out, input);
        assert_eq!(most, 2001);
        assert_eq!(frame.capacity(), 64);
        assert!(frames.rest.capacity() <= 64);
    }

    proptest! {
        #[test]
        fn frames_are_the_input(
            input in prop::collection::vec(prop_oneof![4 => Just(b'x'), 1 => Just(b'\n'), 1 => any::<u8>()], 0..400),
            // The first is no interruption, so that reading gets on.
            first in 1..20usize,
            more in prop::collection::vec(0..60usize, 0..5),
            size in 1..80usize,
            longest in 1..120usize,
        ) {
            let reads = [vec![first], more].concat();
            compare(&input, &reads, size, longest);
        }
    }
}
