//! Topics of Kafka, as a member of a consumer group. The source goes to the brokers; nothing listens here.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Entrance, Limits};
use crate::config::Say;
use crate::config::values::Size;
use crate::kafka::settings::{Settings, Side};
use crate::net::place::Place;

/// Topics of Kafka.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KafkaSource")]
pub struct Config {
    /// `host:port` of some brokers; from them the others are known.
    pub brokers: Vec<String>,
    /// Topics to read.
    pub topics: Vec<String>,
    /// The consumer group. All stages of one group share the partitions of its topics.
    pub group: String,
    /// Settings of librdkafka by name, for example `security.protocol`. Secrets by reference: `{ env: NAME }` or
    /// `{ file: PATH }`.
    #[serde(default)]
    pub settings: Settings,
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topics, brokers) = (self.topics.join(", "), self.brokers.join(", "));
        write!(f, "kafka {topics} at {brokers}")
    }
}

impl Config {
    pub(super) fn entrance(&self) -> Entrance {
        Entrance {
            place: Place::Away(self.to_string()),
            tls: None,
            protocols: &[],
            limits: Limits {
                largest: Size(SMALLEST_ROOM),
                ..Limits::default()
            },
            insecure: false,
        }
    }

    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.brokers.is_empty() {
            say("source.brokers", "at least one is needed");
        }
        if self.topics.is_empty() {
            say("source.topics", "at least one is needed");
        }
        if self.group.is_empty() {
            say("source.group", "a group has a name");
        }
        let settings = &self.settings;
        settings.check(Side::Source, |reason| say("source.settings", reason));
    }
}

/// Room is shared between what is fetched and what is sent: below this, not even a batch of the broker's would have any.
const SMALLEST_ROOM: usize = 4 << 20;
