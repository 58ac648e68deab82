//! Kafka: consumer groups as sources, topics as sinks.
//!
//! A member of a group has a thread of its own (`member`), because librdkafka tells of partitions that come and go while it
//! is asked for messages, and waits for what is done about it. What becomes of messages is a `member::Work`:
//!
//! - `copy`: to a topic, with key, headers, time and partition, in transactions. Exactly once.
//! - `hand_over`: to any other sink, one batch of a partition after the other. At least once.
//!
//! `produce` is the sink of all other sources.

pub mod settings;

#[cfg(feature = "kafka")]
mod client;
#[cfg(feature = "kafka")]
mod copy;
#[cfg(feature = "kafka")]
mod hand_over;
#[cfg(feature = "kafka")]
mod member;
#[cfg(feature = "kafka")]
mod places;
#[cfg(feature = "kafka")]
mod produce;
#[cfg(feature = "kafka")]
mod transaction;

#[cfg(feature = "kafka")]
pub use self::{member::fetcher, produce::sink};

/// Why a configuration is refused by a build that lacks the feature.
#[cfg(not(feature = "kafka"))]
mod without {
    use std::sync::Arc;

    use crate::source::Fetch;
    use crate::{config, sink, source};

    const REASON: &str = "this poseur was built without Kafka: build it with `cargo build --release -p poseur --features kafka`";

    /// There is none.
    ///
    /// # Errors
    /// Always.
    pub fn fetcher(
        _: &source::kafka::Config,
        _: &str,
        _: &config::Pipeline,
    ) -> Result<Arc<dyn Fetch>, String> {
        Err(REASON.to_owned())
    }

    /// There is none.
    ///
    /// # Errors
    /// Always.
    pub fn sink(_: &sink::kafka::Config) -> Result<Box<dyn sink::Sink>, String> {
        Err(REASON.to_owned())
    }
}

#[cfg(not(feature = "kafka"))]
pub use self::without::{fetcher, sink};
