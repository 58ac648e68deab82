//! Compressed bodies, unpacked with a limit.

use std::io::{self, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pieces::Pieces;

/// How a body is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// One or more gzip members.
    Gzip,
    /// One or more Zstandard frames.
    Zstd,
}

/// Why events cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// They are damaged or cut off.
    #[error("the compressed events cannot be unpacked: {0}")]
    Broken(io::Error),
    /// They would become larger than the limit.
    #[error(
        "the events are larger than {0} bytes when unpacked: send smaller chunks, or raise the limit"
    )]
    TooLarge(usize),
}

impl Compression {
    /// By its name in the options of a chunk.
    pub fn named(name: &[u8]) -> Option<Compression> {
        match name {
            b"text" => Some(Compression::None),
            b"gzip" => Some(Compression::Gzip),
            b"zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Its name in the options of a chunk; events that are not packed need none.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }

    /// Packs a body, quickly rather than small.
    pub fn pack(self, body: &Pieces) -> Pieces {
        match self {
            Compression::None => body.clone(),
            Compression::Gzip => {
                let packed = Vec::with_capacity(body.len() / 4);
                let mut encoder = GzEncoder::new(packed, flate2::Compression::fast());
                let written = body.iter().try_for_each(|part| encoder.write_all(part));
                let packed = written.and_then(|()| encoder.finish());
                packed.expect("writing into memory does not fail").into()
            }
            Compression::Zstd => {
                let reader = bytes::Buf::reader(body.reader());
                compress_to_vec(reader, CompressionLevel::Fastest).into()
            }
        }
    }

    /// Appends what was packed to `out`, at most `limit` bytes.
    ///
    /// # Errors
    /// If it is damaged, or larger.
    pub fn unpack(self, packed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), UnpackError> {
        match self {
            Compression::None => read(packed, limit, out),
            Compression::Gzip => read(MultiGzDecoder::new(packed), limit, out),
            Compression::Zstd => unzstd(packed, limit, out),
        }
    }
}

/// Windows up to this size are to be understood by everybody who speaks Zstandard (RFC 8878, 3.1.1.1.2).
const WINDOW: usize = 8 << 20;

fn unzstd(mut packed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), UnpackError> {
    let start = out.len();
    while !packed.is_empty() {
        // Nothing comes out of a frame until its window is full: without a limit, a few bytes could ask for 128 MiB.
        let window = limit.max(WINDOW) as u64;
        let decoder = StreamingDecoder::new_with_max_window_size(&mut packed, window);
        let decoder = decoder.map_err(|error| UnpackError::Broken(io::Error::other(error)))?;
        let left = limit - (out.len() - start);
        read(decoder, left, out).map_err(|error| match error {
            UnpackError::TooLarge(_) => UnpackError::TooLarge(limit),
            broken => broken,
        })?;
    }
    Ok(())
}

fn read(input: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<(), UnpackError> {
    let read = input.take(limit as u64 + 1).read_to_end(out);
    let read = read.map_err(UnpackError::Broken)?;
    if read > limit {
        return Err(UnpackError::TooLarge(limit));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    #[test]
    fn unpacks_all_parts_up_to_the_limit() {
        let (one, other) = (vec![b'a'; 5000], vec![b'b'; 3000]);
        let all = [&one[..], &other].concat();
        let pack = |compression| match compression {
            Compression::None => all.clone(),
            Compression::Gzip => [gzip(&one), gzip(&other)].concat(),
            Compression::Zstd => [zstd(&one), zstd(&other)].concat(),
        };
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let packed = pack(compression);
            let mut out = b"before".to_vec();
            compression.unpack(&packed, 8000, &mut out).unwrap();
            assert!(out.starts_with(b"before") && out[6..] == all);
            let mut out = Vec::new();
            let error = compression.unpack(&packed, 7999, &mut out).unwrap_err();
            assert!(matches!(error, UnpackError::TooLarge(7999)), "{error}");
            // What is never unpacked takes no memory.
            assert!(out.len() <= 8000);
            if compression != Compression::None {
                let cut = &packed[..packed.len() - 5];
                let error = compression.unpack(cut, 8000, &mut Vec::new()).unwrap_err();
                assert!(matches!(error, UnpackError::Broken(_)), "{error}");
            }
            assert_eq!(
                Compression::named(compression.name().unwrap_or("text").as_bytes()),
                Some(compression)
            );
        }
        assert_eq!(Compression::named(b"lz4"), None);
    }
}
