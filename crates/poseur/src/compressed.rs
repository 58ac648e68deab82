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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    /// Text that does not compress to nothing: many blocks, far references.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 1u64;
        let words = std::iter::from_fn(|| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            Some(format!("{} ", (state >> 33) % 5000))
        });
        let mut text: Vec<u8> = words.flat_map(String::into_bytes).take(length).collect();
        text.shrink_to_fit();
        text
    }

    /// Everything that can be read with buffers of a size, and the error that ends it.
    fn read(mut reader: impl Read, size: usize) -> (Vec<u8>, Option<Corrupt>) {
        let (mut out, mut buffer) = (Vec::new(), vec![0; size]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (out, None),
                Ok(read) => out.extend_from_slice(&buffer[..read]),
                Err(error) => {
                    let corrupt = error
                        .get_ref()
                        .and_then(|error| error.downcast_ref::<Corrupt>());
                    return (out, Some(corrupt.unwrap().clone()));
                }
            }
        }
    }

    type Decode = fn(&[u8], usize) -> (Vec<u8>, Option<Corrupt>);
    type Encode = fn(&[u8]) -> Vec<u8>;

    const FORMATS: [(&str, Encode, Decode); 2] = [
        ("gzip", gzip, |bytes, size| read(Gunzip::new(bytes), size)),
        ("zstd", zstd, |bytes, size| read(Unzstd::new(bytes), size)),
    ];

    #[test]
    fn one_after_another() {
        for (name, encode, decode) in FORMATS {
            for length in [0, 1, 1000, 400_000] {
                let (one, two) = (text(length), text(length / 2));
                let both = [encode(&one), encode(&two), encode(b"")].concat();
                for size in [100, 4096, 1 << 20] {
                    let (out, error) = decode(&both, size);
                    assert_eq!(error, None, "{name} of {length}");
                    assert!(
                        out == [one.clone(), two.clone()].concat(),
                        "{name} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        let text = text(400_000);
        for (name, encode, decode) in FORMATS {
            let whole = encode(&text);
            let mut before = 0;
            for cut in (1..whole.len()).step_by(1 + whole.len() / 50) {
                let (out, error) = decode(&whole[..cut], 1 << 20);
                assert!(text.starts_with(&out), "{name} cut at {cut}");
                assert!(out.len() >= before, "{name} cut at {cut}");
                before = out.len();
                let wanted = Corrupt {
                    offset: cut as u64,
                    reason: CUT_OFF.to_owned(),
                };
                assert_eq!(error, Some(wanted), "{name}");
            }
            // Less than a block of either format is missing.
            assert!(
                before + 140_000 > text.len(),
                "{name}: {before} of {}",
                text.len()
            );
            let (out, error) = decode(b"", 100);
            let empty = Corrupt {
                offset: 0,
                reason: "the file is empty".to_owned(),
            };
            assert_eq!((out, error), (vec![], Some(empty)), "{name}");
        }
    }

    #[test]
    fn what_stands_before_a_defect_is_read() {
        let (one, two) = (text(300_000), text(200_000));
        for (name, encode, decode) in FORMATS {
            let first = encode(&one);
            for garbage in [
                &b"garbage"[..],
                b"\x1f\x8bxxxxxxxxxxxxxxxx",
                b"\x28\xb5\x2f\xfdxxxxxxxxxxxxx",
            ] {
                let (out, error) = decode(&[&first[..], garbage].concat(), 1 << 20);
                assert!(out == one, "{name}");
                let offset = error.unwrap().offset;
                assert!((first.len()..=first.len() + garbage.len()).contains(&(offset as usize)));
            }
            // A defect in the middle of the second: what is read is right up to the part that it
            // is in, and no read panics.
            let whole = [first.clone(), encode(&two)].concat();
            let all = [one.clone(), two.clone()].concat();
            for at in (first.len() + 20..whole.len()).step_by(1 + whole.len() / 40) {
                let mut bytes = whole.clone();
                bytes[at] ^= 0x55;
                let (out, error) = decode(&bytes, 1 << 16);
                assert!(out.starts_with(&one), "{name} at {at}");
                let same = out.iter().zip(&all).take_while(|(a, b)| a == b).count();
                assert!(error.is_some() || same < all.len(), "{name} at {at}");
                if let Some(Corrupt { offset, .. }) = error {
                    assert!(offset as usize <= whole.len());
                }
            }
        }
    }

    #[test]
    fn gzip_may_be_filled_up_with_zeros() {
        let text = text(1000);
        let padded = [gzip(&text), vec![0; 512]].concat();
        assert_eq!(read(Gunzip::new(&padded[..]), 100), (text, None));
    }

    #[test]
    fn skippable_frames_are_skipped() {
        let text = text(1000);
        let skippable = |length: u32| {
            let head = [0x184D_2A53u32.to_le_bytes(), length.to_le_bytes()].concat();
            [head, vec![7; 5]].concat()
        };
        let bytes = [skippable(5), zstd(&text), skippable(5), zstd(&text)].concat();
        let twice = [text.clone(), text.clone()].concat();
        assert_eq!(read(Unzstd::new(&bytes[..]), 100), (twice, None));
        let (out, error) = read(Unzstd::new(&[zstd(&text), skippable(6)].concat()[..]), 100);
        assert_eq!(out, text);
        assert_eq!(error.unwrap().reason, CUT_OFF);
    }

    #[test]
    fn checksums_are_compared() {
        let text = text(1000);
        for (name, encode, decode) in FORMATS {
            let mut bytes = encode(&text);
            // The checksum of Zstandard ends the file; gzip's is before the length.
            let at = if name == "gzip" {
                bytes.len() - 8
            } else {
                bytes.len() - 1
            };
            bytes[at] ^= 1;
            let (out, error) = decode(&bytes, 1 << 20);
            assert_eq!(out, text, "{name}");
            assert!(error.is_some(), "{name}");
        }
    }
}
