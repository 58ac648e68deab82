//! Compiles rules against record schemas into a plan, and decides about one record at a time.
//!
//! A [`Matcher`] is rules, exceptions and schemas, compiled. It is shared between threads; each thread has a [`Scratch`]. It knows no
//! format: it asks a [`record::Record`], which `poseur_tagger` implements for JSON, MessagePack and Vector's protobuf.
//!
//! # Match one record
//!
//! ```
//! use poseur_matcher::{Matcher, Scratch, schema};
//! use poseur_tagger::json::document::{Document, Pool};
//! use poseur_tagger::json::index::Index;
//!
//! let rules = poseur_rule::pack::built_in();
//! let matcher = Matcher::new(rules, vec![], schema::built_in(), None)?;
//!
//! let record = br#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;
//! let (mut index, pool) = (Index::default(), Pool::default());
//! let document = Document::new(record, &mut index, &pool)?;
//!
//! let now = "2026-11-20T12:00:00Z".parse()?;
//! let mut found = Vec::new();
//! matcher.decide(&document, now, &mut Scratch::new(&matcher), &mut |_record, verdict| {
//!     for matched in &verdict.matches {
//!         let rule = &matcher.rules()[matched.rule];
//!         for satisfied in &verdict.on[matched.on.clone()] {
//!             let value = verdict.text(&satisfied.value);
//!             found.push(format!("{}: {}", rule.title, String::from_utf8_lossy(value)));
//!         }
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(found, ["Teams communication to suspicious external users: Help Desk"; 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Only what matched, or would have but for an exception, is visited. A batch is visited once for each of its records that did.

pub mod bits;
mod column;
mod confirm;
mod cover;
mod derive;
pub mod dispatch;
pub mod equalities;
pub mod evaluate;
pub mod explain;
pub mod field;
pub mod found;
pub mod hash;
pub mod json;
pub mod keywords;
pub mod kusto;
mod like;
pub mod matcher;
pub mod network;
pub mod number;
pub mod paths;
pub mod pattern;
pub mod plan;
pub mod predicates;
pub mod program;
pub mod record;
mod report;
pub mod schema;
pub mod shape;
pub mod terms;
pub mod time;
pub mod traverse;
mod trust;
pub mod verdict;
pub mod witness;
pub mod words;

pub use matcher::{Matcher, MatcherError, Scratch};
pub use verdict::Verdict;
