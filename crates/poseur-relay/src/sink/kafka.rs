//! A topic of Kafka.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Say;
use crate::config::values::{Secret, Span};
use crate::kafka::settings::{Setting, Settings, Side};

/// A topic of Kafka.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KafkaSink")]
pub struct Config {
    /// `host:port` of some brokers; from them the others are known.
    pub brokers: Vec<String>,
    /// The topic. Behind a source of the kind `kafka` it needs as many partitions as the source's topics have.
    pub topic: String,
    /// Behind a source of the kind `kafka`: what is written and how far was read become valid at once, in one
    /// transaction. Without it a record may be there twice after a failure.
    #[serde(default = "yes")]
    pub exactly_once: bool,
    /// The name of this stage's transactions: the same after a restart, and another for each stage. If it is not given, it
    /// is made of the group, the pipeline and the name of the machine.
    pub transactional_id: Option<Setting>,
    /// Behind a source of the kind `kafka`: a transaction is committed after this time, or when it fills a quarter of the
    /// pipeline's `room`.
    #[serde(default = "commit")]
    pub commit: Span,
    /// Settings of librdkafka by name, for example `security.protocol`. Secrets by reference: `{ env: NAME }` or
    /// `{ file: PATH }`.
    #[serde(default)]
    pub settings: Settings,
}

fn yes() -> bool {
    true
}

fn commit() -> Span {
    Span(Duration::from_millis(100))
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka {} at {}", self.topic, self.brokers.join(", "))
    }
}

impl Config {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.brokers.is_empty() {
            say("sink.brokers", "at least one is needed");
        }
        if self.topic.is_empty() {
            say("sink.topic", "a topic has a name");
        }
        let settings = &self.settings;
        settings.check(Side::Sink, |reason| say("sink.settings", reason));
    }

    pub(super) fn secrets(&self) -> Vec<&Secret> {
        let id = self.transactional_id.as_ref();
        let id = id.and_then(|id| match id {
            Setting::Elsewhere(secret) => Some(secret),
            _ => None,
        });
        self.settings.secrets().chain(id).collect()
    }
}
