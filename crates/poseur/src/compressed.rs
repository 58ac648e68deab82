//! Compressed files, read as far as they can be read.
//!
//! Both decoders hand on everything that comes before a defect, and only then the error, which
//! knows where in the compressed file the defect is. The usual readers drop what was decoded in the
//! same step as the defect: of a corrupt file, up to a whole buffer more would be lost.

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A defect of a compressed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    /// How many bytes of the compressed file were taken in before it.
    pub offset: u64,
    /// What it is.
    pub reason: String,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Corrupt { offset, reason } = self;
        write!(
            f,
            "corrupt at byte {offset} of the compressed file: {reason}"
        )
    }
}

impl std::error::Error for Corrupt {}

impl Corrupt {
    /// As an error of reading.
    fn error(offset: u64, reason: impl Into<String>) -> io::Error {
        let reason = reason.into();
        io::Error::new(io::ErrorKind::InvalidData, Corrupt { offset, reason })
    }
}

/// What is said of a file that ends too early.
const CUT_OFF: &str = "the file is cut off here";

/// Reads gzip: one member after another, as `cat a.gz b.gz` makes them.
pub struct Gunzip<R> {
    input: R,
    member: Decompress,
    /// Between two members.
    between: bool,
    first: bool,
    offset: u64,
    failed: Option<io::Error>,
}

impl<R: BufRead> Gunzip<R> {
    /// Reads what `input` compresses.
    pub fn new(input: R) -> Gunzip<R> {
        Gunzip {
            input,
            member: Decompress::new_gzip(15),
            between: true,
            first: true,
            offset: 0,
            failed: None,
        }
    }

    /// Takes bytes of the input.
    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.offset += bytes as u64;
    }

    /// Looks for the next member; `false` at the end of the file.
    fn member(&mut self) -> io::Result<bool> {
        loop {
            let available = fill(&mut self.input)?;
            match available.first() {
                None if self.first => return Err(Corrupt::error(0, "the file is empty")),
                None => return Ok(false),
                // Tapes and some copying programs fill files up with zeros.
                Some(0) if !self.first => {
                    let zeros = available.iter().take_while(|byte| **byte == 0).count();
                    self.consume(zeros);
                }
                Some(0x1f) => {
                    self.member.reset(true);
                    self.between = false;
                    self.first = false;
                    return Ok(true);
                }
                Some(_) => return Err(Corrupt::error(self.offset, "this is no gzip data")),
            }
        }
    }

    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.between && !self.member()? {
                return Ok(0);
            }
            let available = fill(&mut self.input)?;
            let ended = available.is_empty();
            let (before_in, before_out) = (self.member.total_in(), self.member.total_out());
            let outcome = self
                .member
                .decompress(available, buffer, FlushDecompress::None);
            let taken = (self.member.total_in() - before_in) as usize;
            let made = (self.member.total_out() - before_out) as usize;
            self.consume(taken);
            match outcome {
                Ok(Status::StreamEnd) => self.between = true,
                Ok(_) if ended && made == 0 => return Err(Corrupt::error(self.offset, CUT_OFF)),
                Ok(_) => {}
                Err(error) => {
                    let reason = error
                        .message()
                        .map_or_else(|| "this is no gzip data".into(), str::to_owned);
                    self.failed = Some(Corrupt::error(self.offset, reason));
                    if made == 0 {
                        return self.failed.take().map_or(Ok(0), Err);
                    }
                }
            }
            if made > 0 {
                return Ok(made);
            }
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if buffer.is_empty() {
            Ok(0)
        } else {
            self.decode(buffer)
        }
    }
}

/// `fill_buf` that is not interrupted.
fn fill<R: BufRead>(input: &mut R) -> io::Result<&[u8]> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            // Asked for again because of the borrow; it is there already.
            Ok(_) => return input.fill_buf(),
        }
    }
}

/// Reads Zstandard: one frame after another, skippable ones passed over, checksums compared.
pub struct Unzstd<R> {
    input: Counted<R>,
    frame: FrameDecoder,
    state: State,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first frame.
    Start,
    /// Between two frames.
    Between,
    /// In a frame that has more blocks.
    Blocks,
    /// All blocks of a frame are decoded, but perhaps not handed on.
    Decoded,
    Ended,
}

/// Counts the bytes taken.
struct Counted<R> {
    input: R,
    offset: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// A last block that is empty. With it a frame can be ended at a defect, so that what the decoder
/// holds back for later blocks to refer to comes out.
const LAST_BLOCK: [u8; 3] = [1, 0, 0];

impl<R: BufRead> Unzstd<R> {
    /// Reads what `input` compresses.
    pub fn new(input: R) -> Unzstd<R> {
        Unzstd {
            input: Counted { input, offset: 0 },
            frame: FrameDecoder::new(),
            state: State::Start,
            failed: None,
        }
    }

    /// Begins the next frame; `false` at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if fill(&mut self.input.input)?.is_empty() {
                if self.state == State::Start {
                    return Err(Corrupt::error(0, "the file is empty"));
                }
                return Ok(false);
            }
            let offset = self.input.offset;
            match self.frame.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.input).take(length.into());
                    let length = u64::from(length);
                    if io::copy(&mut skipped, &mut io::sink())? < length {
                        return Err(Corrupt::error(self.input.offset, CUT_OFF));
                    }
                    self.state = State::Between;
                }
                Err(error) => return Err(self.error(offset, error)),
            }
        }
    }

    /// Decodes the next block. After a defect the frame counts as decoded.
    fn block(&mut self) {
        let offset = self.input.offset;
        let one = BlockDecodingStrategy::UptoBlocks(1);
        match self.frame.decode_blocks(&mut self.input, one) {
            Ok(false) => {}
            Ok(true) => self.state = State::Decoded,
            Err(error) => {
                self.failed = Some(self.error(offset, error));
                let one = BlockDecodingStrategy::UptoBlocks(1);
                // It may miss its checksum, but its blocks have ended.
                let _ = self.frame.decode_blocks(&LAST_BLOCK[..], one);
                self.state = State::Decoded;
            }
        }
    }

    /// An error of the decoder in a part that starts at `offset`.
    fn error(&mut self, offset: u64, error: FrameDecoderError) -> io::Error {
        // A reader that ended inside the part is at the end of the file.
        let ended = fill(&mut self.input.input).is_ok_and(<[u8]>::is_empty);
        if let FrameDecoderError::WindowSizeTooBig { requested, max } = error {
            let reason = format!(
                "it needs a window of {requested} bytes, and {max} are allowed: decompress it with \
                 `zstd -d --long=31` first"
            );
            return Corrupt::error(offset, reason);
        }
        if let FrameDecoderError::DictNotProvided { dict_id } = error {
            let reason =
                format!("it needs the dictionary {dict_id}: decompress it with `zstd -d -D`");
            return Corrupt::error(offset, reason);
        }
        if ended && self.input.offset > offset {
            return Corrupt::error(self.input.offset, CUT_OFF);
        }
        Corrupt::error(offset, "this is no Zstandard data")
    }

    /// Compares the checksum of a frame that was read to its end.
    fn compare(&mut self) {
        let (given, made) = (
            self.frame.get_checksum_from_data(),
            self.frame.get_calculated_checksum(),
        );
        if self.failed.is_none() && given.is_some() && given != made {
            self.failed = Some(Corrupt::error(
                self.input.offset,
                "the checksum does not fit the data",
            ));
        }
    }
}

impl<R: BufRead> Read for Unzstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state {
                State::Ended => return self.failed.take().map_or(Ok(0), Err),
                State::Start | State::Between => {
                    self.state = match self.begin() {
                        Ok(true) => State::Blocks,
                        Ok(false) => State::Ended,
                        Err(error) => {
                            self.failed = Some(error);
                            State::Ended
                        }
                    };
                }
                State::Blocks | State::Decoded => {
                    let read = self.frame.read(buffer)?;
                    if read > 0 {
                        return Ok(read);
                    }
                    if self.state == State::Blocks {
                        self.block();
                        continue;
                    }
                    self.compare();
                    self.state = if self.failed.is_some() {
                        State::Ended
                    } else {
                        State::Between
                    };
                }
            }
        }
    }
}
