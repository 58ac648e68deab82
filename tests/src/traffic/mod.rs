//! Invented Microsoft 365 traffic, for tests and benchmarks: seeded, streaming, and with the right answer at hand.
//!
//! [`Traffic`] writes one line after another and says of each what a correct detector finds in it. The records follow
//! the form of real ones (keys and their order, sizes, escapes, JSON inside strings); every value is made up. The same
//! configuration gives the same bytes on every machine.
//!
//! "Rule A" is Elastic's rule about rogue help-desk chats, over audit records; "rule B" is Microsoft's query about
//! external contacts, over Defender's MessageEvents. Records that match neither hold no match by accident: names and
//! texts that carry keywords are only put where the generator has decided on the outcome.

mod chats;
mod clock;
mod entra;
mod exchange;
mod message_events;
mod names;
mod padding;
mod record;
pub(crate) mod rng;
mod shapes;
mod sharepoint;
mod teams;
#[cfg(test)]
mod tests;
mod writer;

use std::ops::AddAssign;

use record::Gen;

/// What the records are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// Microsoft Teams audit records: chats, messages, meetings. Rule A is about these
    Teams,
    /// Exchange audit records: administration and mailbox access. No matches
    Exchange,
    /// Entra ID audit records: sign-ins and directory changes. No matches
    Entra,
    /// What a tenant's audit log holds: 60 % Teams, 20 % Exchange, 12 % Entra ID, 8 % SharePoint. Rule A
    Mixed,
    /// Defender MessageEvents rows. Rule B is about these
    MessageEvents,
}

/// How a line dresses its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Shape {
    /// Raw Office 365 Management Activity record
    O365,
    /// ECS document, nested keys
    Ecs,
    /// ECS document, dotted keys
    EcsDotted,
    /// ECS document, nested and dotted keys mixed
    EcsMixed,
    /// The record as a string under "message"
    EnvelopeMessage,
    /// The record as a string under "event.original", nested or dotted
    EnvelopeOriginal,
    /// The record as a string under "log"
    EnvelopeLog,
    /// The record as an object under "o365audit"
    #[value(name = "envelope-o365audit")]
    EnvelopeO365Audit,
    /// Defender streaming record ("category" and "properties")
    Defender,
    /// MessageEvents row: both sets of column names, recipients as JSON or as a string
    Hunting,
    /// {"records":[...]}, several records a line
    BatchRecords,
    /// A top-level array, several records a line
    BatchArray,
    /// Every line one of the shapes that fit the kind
    All,
}

impl Shape {
    /// Whether records of `kind` come in this shape.
    pub fn fits(self, kind: Kind) -> bool {
        let rows = kind == Kind::MessageEvents;
        match self {
            Shape::O365
            | Shape::Ecs
            | Shape::EcsDotted
            | Shape::EcsMixed
            | Shape::EnvelopeO365Audit => !rows,
            Shape::Defender | Shape::Hunting => rows,
            _ => true,
        }
    }
}

/// The base time unless another is given, 2026-11-20T12:00:00Z, in seconds since 1970.
pub const DEFAULT_AT: i64 = 1_795_176_000;

/// What traffic to make. Begin with [`Config::new`] and change what must differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What the records are about.
    pub kind: Kind,
    /// How they are dressed.
    pub shape: Shape,
    /// Everything random follows from this.
    pub seed: u64,
    /// Share of records, 0 to 1, that a pre-filter must look at: `ChatCreated` records (Teams and mixed), or rows of
    /// external threads (MessageEvents). Includes the matching ones. `None` means 0.01, or 0.3 for MessageEvents.
    pub candidate_rate: Option<f64>,
    /// Share of records, 0 to 1, that match. Exchange and Entra ID records never do.
    pub match_rate: f64,
    /// Share of records, 0 to 1, that hold `\u00xx` escapes. Mostly harmless ones; but one in four of the matching
    /// records among them spells the very operation, user or name with an escape, so that a search for raw bytes that
    /// forgets about escapes gives a wrong count.
    pub escape_rate: f64,
    /// Average size of a record in bytes, reached by padding; an envelope comes on top. `None` pads nothing.
    pub size: Option<usize>,
    /// Records a line in the batch shapes.
    pub batch: usize,
    /// End lines with CRLF.
    pub crlf: bool,
    /// The base time, in seconds since 1970: timestamps lie within the 30 days before it. (A few non-matching rows
    /// carry an older `Timestamp`: they are near misses of rule B's time window.)
    pub at: i64,
}

impl Config {
    /// The default traffic of a kind and shape: seed 1, 0.1 % matches, 5 % escapes, 1,600 bytes a record.
    pub fn new(kind: Kind, shape: Shape) -> Self {
        Self {
            kind,
            shape,
            seed: 1,
            candidate_rate: None,
            match_rate: 0.001,
            escape_rate: 0.05,
            size: Some(1600),
            batch: 8,
            crlf: false,
            at: DEFAULT_AT,
        }
    }

    /// The share of candidates that is in force.
    pub fn candidates(&self) -> f64 {
        let default = if self.kind == Kind::MessageEvents {
            0.3
        } else {
            0.01
        };
        self.candidate_rate.unwrap_or(default).max(self.match_rate)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !self.shape.fits(self.kind) {
            return Err(ConfigError::Unfit {
                kind: self.kind,
                shape: self.shape,
            });
        }
        let rates = [
            ("candidate", self.candidates()),
            ("match", self.match_rate),
            ("escape", self.escape_rate),
        ];
        for (name, rate) in rates {
            if !(0.0..=1.0).contains(&rate) {
                return Err(ConfigError::Rate { name, rate });
            }
        }
        if self.batch == 0 {
            return Err(ConfigError::EmptyBatch);
        }
        // Dates before 1971 or after the year 9000 would not have four digits everywhere.
        if !(31_536_000..221_845_392_000).contains(&self.at) {
            return Err(ConfigError::Time(self.at));
        }
        Ok(())
    }
}

/// Why traffic cannot be made as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The kind of record does not come in this shape.
    #[error("{kind:?} records do not come in the shape {shape:?}")]
    Unfit {
        /// The kind asked for.
        kind: Kind,
        /// The shape asked for.
        shape: Shape,
    },
    /// A rate is not a share.
    #[error("the {name} rate must be between 0 and 1, not {rate}")]
    Rate {
        /// Which rate.
        name: &'static str,
        /// What was asked for.
        rate: f64,
    },
    /// A batch must hold at least one record.
    #[error("a batch must hold at least one record")]
    EmptyBatch,
    /// The base time is out of range.
    #[error("the base time {0} (seconds since 1970) must lie between the years 1971 and 9000")]
    Time(i64),
}

/// What a correct detector finds in one line. Lines hold one record, except in the batch shapes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Records on the line.
    pub records: u32,
    /// How many of them are candidates: `ChatCreated`, or external threads.
    pub candidates: u32,
    /// How many match rule A.
    pub matches_a: u32,
    /// How many match rule B.
    pub matches_b: u32,
    /// How many hold a `\u00xx` escape.
    pub escaped: u32,
}

impl AddAssign for Truth {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.candidates += other.candidates;
        self.matches_a += other.matches_a;
        self.matches_b += other.matches_b;
        self.escaped += other.escaped;
    }
}

/// What a correct detector finds in many lines: the sums over their [`Truth`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truths {
    /// Lines written.
    pub lines: u64,
    /// Bytes written, line ends included.
    pub bytes: u64,
    /// Records on the lines.
    pub records: u64,
    /// Records that are candidates: `ChatCreated`, or external threads.
    pub candidates: u64,
    /// Records that match rule A.
    pub matches_a: u64,
    /// Records that match rule B.
    pub matches_b: u64,
    /// Records that hold a `\u00xx` escape.
    pub escaped: u64,
}

impl Truths {
    /// Counts one more line of `bytes` bytes.
    pub fn add(&mut self, truth: Truth, bytes: usize) {
        self.lines += 1;
        self.bytes += bytes as u64;
        self.records += u64::from(truth.records);
        self.candidates += u64::from(truth.candidates);
        self.matches_a += u64::from(truth.matches_a);
        self.matches_b += u64::from(truth.matches_b);
        self.escaped += u64::from(truth.escaped);
    }
}

/// An endless stream of lines.
pub struct Traffic {
    config: Config,
    maker: Gen,
    /// The record that goes into an envelope as a string.
    scratch: Vec<u8>,
}

impl Traffic {
    /// Starts the stream that `config` describes.
    ///
    /// # Errors
    /// If the shape does not fit the kind, or a number is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let maker = Gen::new(config.seed, config.at, config.size);
        Ok(Self {
            config,
            maker,
            scratch: Vec::new(),
        })
    }

    /// Appends the next line, with its line end, to `out`, and says what is in it.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Truth {
        let shape = match self.config.shape {
            Shape::All => shapes::any(self.config.kind, &mut self.maker.rng),
            shape => shape,
        };
        let truth = self.line(shape, out);
        out.extend_from_slice(if self.config.crlf { b"\r\n" } else { b"\n" });
        truth
    }
}

/// Writes lines until they come to at least `total_bytes`.
///
/// # Panics
/// If [`Traffic::new`] refuses the configuration.
pub fn generate_bytes(config: Config, total_bytes: usize) -> (Vec<u8>, Truths) {
    let mut traffic = Traffic::new(config).expect("the configuration holds together");
    let mut out = Vec::with_capacity(total_bytes + 16 * 1024);
    let mut truths = Truths::default();
    while out.len() < total_bytes {
        let before = out.len();
        let truth = traffic.next(&mut out);
        truths.add(truth, out.len() - before);
    }
    (out, truths)
}
