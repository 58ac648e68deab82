//! The options of a chunk: what stands after its events.

use poseur_tagger::msgpack::head::HeadKind;

use super::read::{Reader, Wrong};
use crate::compression::Compression;

/// What a sender says about a chunk. Members that are not known are dropped: they are about the way between
/// two neighbours, and we are one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// The id that is sent back once the chunk is safe; without one the sender does not wait.
    pub chunk: Option<&'a [u8]>,
    /// How many events there are, as the sender says.
    pub size: Option<u64>,
    /// How the events are packed.
    pub compression: Compression,
    /// What Fluent Bit says the events are: 0 logs, 1 metrics, 2 traces.
    pub signal: i64,
}

impl<'a> Options<'a> {
    /// Reads a map of options, or nil.
    ///
    /// # Errors
    /// If it is something else, or a compression that is not known.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Options<'a>, Wrong> {
        let mut options = Options::default();
        if reader.peek()? == HeadKind::Nil {
            reader.value()?;
            return Ok(options);
        }
        for _ in 0..reader.map()? {
            let Ok(key) = reader.text() else {
                reader.value()?;
                reader.value()?;
                continue;
            };
            let place = reader.place();
            let kind = reader.peek()?;
            match (key, kind) {
                (b"chunk", HeadKind::Text(_) | HeadKind::Bytes(_)) => {
                    options.chunk = Some(reader.text()?);
                }
                (b"compressed", HeadKind::Text(_) | HeadKind::Bytes(_)) => {
                    let named = Compression::named(reader.text()?);
                    options.compression =
                        named.ok_or(Wrong::Expected("text, gzip or zstd", place))?;
                }
                (b"size", HeadKind::Integer(size)) => {
                    options.size = u64::try_from(size).ok();
                    reader.value()?;
                }
                (b"fluent_signal", HeadKind::Integer(signal)) => {
                    options.signal = i64::try_from(signal).unwrap_or(-1);
                    reader.value()?;
                }
                _ => {
                    reader.value()?;
                }
            }
        }
        Ok(options)
    }

    /// Writes them as a map.
    pub fn write(&self, out: &mut Vec<u8>) {
        let name = self.compression.name();
        let signal = (self.signal != 0).then_some(self.signal);
        let pairs = [
            self.chunk.is_some(),
            self.size.is_some(),
            name.is_some(),
            signal.is_some(),
        ];
        let pairs = pairs.iter().filter(|is_there| **is_there).count();
        // Writing into memory does not fail.
        let _ = rmp::encode::write_map_len(out, pairs as u32);
        if let Some(chunk) = self.chunk {
            let _ = rmp::encode::write_str(out, "chunk");
            let _ = rmp::encode::write_str_len(out, chunk.len() as u32);
            out.extend_from_slice(chunk);
        }
        if let Some(size) = self.size {
            let _ = rmp::encode::write_str(out, "size");
            let _ = rmp::encode::write_uint(out, size);
        }
        if let Some(name) = name {
            let _ = rmp::encode::write_str(out, "compressed");
            let _ = rmp::encode::write_str(out, name);
        }
        if let Some(signal) = signal {
            let _ = rmp::encode::write_str(out, "fluent_signal");
            let _ = rmp::encode::write_sint(out, signal);
        }
    }
}
