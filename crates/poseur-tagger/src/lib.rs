//! Zero-copy readers, candidate search and tag splicing over buffers of records.
//!
//! This crate turns a matcher's verdicts into bytes; it knows nothing of files or sockets.
//!
//! | to | take |
//! |---|---|
//! | tag lines of JSON | [`Tagger`] |
//! | tag MessagePack events of the Forward protocol | [`msgpack::chunks::ChunkTagger`] |
//! | tag requests of Vector's protocol | [`protobuf::push::PushTagger`] |
//! | look at verdicts, and write nothing | [`Lines`] |
//! | hear of verdicts while tagging | [`Observer`] |
//!
//! # Tag a buffer
//!
//! ```
//! use std::sync::Arc;
//! use poseur_matcher::{Matcher, schema};
//! use poseur_tagger::{TagOptions, Tagger};
//!
//! let rules = poseur_rule::pack::built_in();
//! let matcher = Matcher::new(rules, vec![], schema::built_in(), None)?;
//! // One for each thread; the matcher is shared.
//! let mut tagger = Tagger::new(Arc::new(matcher), TagOptions::default());
//!
//! let buffer = concat!(
//!     r#"{"Operation":"TeamsSessionStarted"}"#, "\n",
//!     r#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#, "\n",
//! );
//! let tagged = tagger.tag(buffer.as_bytes(), "2026-11-20T12:00:00Z".parse()?);
//! // Stretches of the buffer with new text between them: to be written with gathered writes, without a copy.
//! let text = String::from_utf8(tagged.to_vec())?;
//! let (first, second) = text.split_once('\n').unwrap();
//! assert_eq!(first, r#"{"Operation":"TeamsSessionStarted"}"#);
//! assert!(second.contains(r#"Desk","poseur":{"rules":["389ead4a-"#));
//! assert_eq!(tagger.counts().matched, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Write an adapter
//!
//! A host hands its bytes over as buffers of whole records, and takes pieces back. From any stream of lines to any other, with
//! [`frames`] for what is not whole, and for lines that are too long:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use jiff::Timestamp;
//! use poseur_tagger::frames::{Content, Frame, Frames};
//! use poseur_tagger::Tagger;
//!
//! /// Tags what comes, and writes whenever the input has nothing more to give at once.
//! fn pass(input: impl Read, output: &mut impl Write, tagger: &mut Tagger) -> io::Result<()> {
//!     let (mut frames, mut frame) = (Frames::new(input), Frame::default());
//!     while frames.next(&mut frame)? {
//!         match frame.content() {
//!             Content::Lines => tagger.tag(frame.bytes(), Timestamp::now()).write_to(output)?,
//!             // Of a line that is longer than the limit: it passes unread.
//!             Content::Long | Content::More => output.write_all(frame.bytes())?,
//!         }
//!         output.flush()?;
//!     }
//!     Ok(())
//! }
//! #
//! # use std::sync::Arc;
//! # use poseur_matcher::{Matcher, schema};
//! # let matcher = Matcher::new(poseur_rule::pack::built_in(), vec![], schema::built_in(), None).unwrap();
//! # let mut tagger = Tagger::new(Arc::new(matcher), poseur_tagger::TagOptions::default());
//! # let now = Timestamp::now();
//! # let input = format!("{{\"Timestamp\":\"{now}\",\"IsExternalThread\":true,\"RecipientDetails\":\"Help Desk\"}}\nno JSON\n");
//! # let mut output = Vec::new();
//! # pass(input.as_bytes(), &mut output, &mut tagger).unwrap();
//! # let output = String::from_utf8(output).unwrap();
//! # assert!(output.contains("\"poseur\":{") && output.ends_with("}\nno JSON\n"), "{output}");
//! ```
//!
//! A host with another format implements [`poseur_matcher::record::Record`] for what it reads and [`splice::Target`] for how it writes; where a
//! tag goes, and what it says, stays the same.

pub mod candidates;
pub mod counts;
pub mod events;
pub mod finding;
pub mod frames;
pub mod json;
pub mod msgpack;
pub mod protobuf;
pub mod splice;
pub mod tag;
pub mod tagged;
pub mod tagger;

pub use counts::Counts;
pub use tag::{Style, TagOptions};
pub use tagged::{Observer, Tagged};
pub use tagger::{Lines, Rewrite, Tagger};
