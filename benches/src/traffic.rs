//! Traffic in memory.

use jiff::Timestamp;
use poseur_tests::traffic::{Config, DEFAULT_AT, Kind, Shape, Truths, generate_bytes};

/// A stream of records in memory, and what is true of it.
#[derive(Debug)]
pub struct Traffic {
    /// NDJSON.
    pub bytes: Vec<u8>,
    /// How many records match, by the generator's own account.
    pub truths: Truths,
}

impl Traffic {
    /// Generates about so many bytes. Fewer bytes are the beginning of more.
    ///
    /// # Panics
    /// If the configuration makes no sense.
    pub fn new(config: Config, bytes: usize) -> Traffic {
        let (bytes, truths) = generate_bytes(config, bytes);
        Traffic { bytes, truths }
    }

    /// Teams audit records: 1 % `ChatCreated`, 0.1 % matching, this share with `\u00` escapes.
    pub fn teams(bytes: usize, escapes: f64) -> Traffic {
        Traffic::new(teams(Shape::O365, escapes), bytes)
    }

    /// The same records, each as a string in a shipper's envelope (`message`).
    pub fn envelopes(bytes: usize) -> Traffic {
        Traffic::new(teams(Shape::EnvelopeMessage, 0.0), bytes)
    }

    /// The same records, eight a line (`{"records":[...]}`).
    pub fn batches(bytes: usize) -> Traffic {
        Traffic::new(teams(Shape::BatchRecords, 0.0), bytes)
    }

    /// The same records, of so many bytes on average.
    pub fn of_size(bytes: usize, record: usize) -> Traffic {
        let mut config = teams(Shape::O365, 0.0);
        config.size = Some(record);
        Traffic::new(config, bytes)
    }

    /// Teams audit records that are all `ChatCreated`; 0.1 % match.
    pub fn all_candidates(bytes: usize) -> Traffic {
        let mut config = teams(Shape::O365, 0.05);
        config.candidate_rate = Some(1.0);
        Traffic::new(config, bytes)
    }

    /// Teams audit records that all match rule A.
    pub fn all_matching(bytes: usize) -> Traffic {
        let mut config = teams(Shape::O365, 0.05);
        config.candidate_rate = Some(1.0);
        config.match_rate = 1.0;
        Traffic::new(config, bytes)
    }

    /// MessageEvents as Defender streams them: 30 % of external threads, 1 % matching.
    pub fn message_events(bytes: usize) -> Traffic {
        let mut config = Config::new(Kind::MessageEvents, Shape::Defender);
        config.match_rate = 0.01;
        Traffic::new(config, bytes)
    }

    /// The present moment of the generated traffic.
    pub fn now() -> Timestamp {
        Timestamp::from_second(DEFAULT_AT).unwrap_or_default()
    }

    /// How many records match.
    pub fn matches(&self) -> u64 {
        self.truths.matches_a + self.truths.matches_b
    }
}

fn teams(shape: Shape, escapes: f64) -> Config {
    let mut config = Config::new(Kind::Teams, shape);
    config.escape_rate = escapes;
    config
}

/// Buffers as a stream would hand them over: whole lines, about a mebibyte.
pub fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let target = rest.len().min(1 << 20);
        let end = match memchr::memrchr(b'\n', &rest[..target]) {
            Some(at) => at + 1,
            None => target,
        };
        let (chunk, after) = rest.split_at(end);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// The lines, without their line feeds.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    let ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
    let lines = ends.map(move |end| {
        let line = &bytes[from..end];
        from = end + 1;
        line
    });
    lines.filter(|line| !line.is_empty())
}
