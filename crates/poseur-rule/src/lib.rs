//! Rules and exceptions of Poseur: the model, the built-in pack and the front ends.
//!
//! This crate knows what a rule *means*; it knows nothing of records or of speed.
//!
//! ```
//! use poseur_rule::load::Loader;
//!
//! let mut loader = Loader::new();
//! // From a text here, in YAML; `path` takes files and folders in all languages.
//! loader.text("contractor.yml", r#"
//! title: Chat opened by a contractor
//! id: 7b3c0f2e-5a41-4e0e-9d52-0a2f6f1f2c11
//! logsource: {product: m365, service: audit}
//! detection:
//!   chat: {event.action: ChatCreated, user.domain: tailspin-toys.example}
//!   condition: chat
//! "#);
//! let loaded = loader.finish();
//! assert!(loaded.refused.is_empty());
//! assert_eq!(loaded.rules[0].title, "Chat opened by a contractor");
//! ```

pub mod documents;
pub mod elastic;
pub mod error;
pub mod exception;
pub mod expression;
pub mod files;
pub mod kusto;
pub mod load;
pub mod mapping;
pub mod model;
pub mod normal;
pub mod pack;
pub mod sigma;
pub mod types;
pub mod yaml;
