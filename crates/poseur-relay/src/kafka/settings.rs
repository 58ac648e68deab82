//! Settings of librdkafka, passed on by name: how connections are secured, how long things may take.
//!
//! What would break a guarantee cannot be set here, and what is secret is referred to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::values::Secret;

/// Settings by name, as in librdkafka's CONFIGURATION.md.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<String, Setting>);

/// A value, or where it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Setting {
    /// Yes or no.
    Switch(bool),
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// Somewhere else: `{ env: NAME }` or `{ file: PATH }`.
    Elsewhere(Secret),
}

impl Setting {
    /// The value.
    ///
    /// # Errors
    /// If it is not where it is said to be.
    pub fn read(&self) -> Result<String, String> {
        Ok(match self {
            Setting::Switch(value) => value.to_string(),
            Setting::Number(value) => value.to_string(),
            Setting::Text(value) => value.clone(),
            Setting::Elsewhere(secret) => String::from_utf8(secret.read()?)
                .map_err(|_| "what it refers to is not UTF-8".to_owned())?,
        })
    }
}

/// Which side of Kafka settings are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The consumer.
    Source,
    /// The producer.
    Sink,
}

/// Secrets: their values do not stand in a configuration.
const SECRET: [&str; 8] = [
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl_key",
];

/// What cannot be set on either side, and why.
const FIXED: [(&str, &str); 5] = [
    ("bootstrap.servers", "say `brokers`"),
    ("metadata.broker.list", "say `brokers`"),
    ("log.queue", "librdkafka's log goes into this one"),
    (
        "enabled_events",
        "the stage asks for the events that it needs",
    ),
    (
        "plugin.library.paths",
        "libraries are not loaded into the stage",
    ),
];

/// What cannot be set for the source, and why.
const FIXED_SOURCE: [(&str, &str); 12] = [
    ("group.id", "say `group`"),
    (
        "enable.auto.commit",
        "an offset is committed when its record is delivered, not when time has passed",
    ),
    (
        "auto.commit.enable",
        "an offset is committed when its record is delivered, not when time has passed",
    ),
    (
        "enable.auto.offset.store",
        "an offset is committed when its record is delivered, not when it is read",
    ),
    ("offset.store.method", "offsets are with the group"),
    (
        "isolation.level",
        "only what is committed is read: what was aborted must not come out again",
    ),
    (
        "partition.assignment.strategy",
        "it is `cooperative-sticky`: members keep what they have while others come and go",
    ),
    (
        "group.protocol",
        "it is `classic`: cooperative rebalancing is done by the members",
    ),
    (
        "group.remote.assignor",
        "it is `classic`: cooperative rebalancing is done by the members",
    ),
    ("enable.partition.eof", "a topic has no end"),
    (
        "consume.callback.max.messages",
        "messages are taken one by one",
    ),
    ("transactional.id", "it is the sink that has transactions"),
];

/// What cannot be set for the sink, and why.
const FIXED_SINK: [(&str, &str); 8] = [
    ("transactional.id", "say `transactional_id`"),
    (
        "enable.idempotence",
        "without it, what is tried again may be there twice or in another order",
    ),
    (
        "acks",
        "a record is delivered when all replicas have it (`all`)",
    ),
    (
        "request.required.acks",
        "a record is delivered when all replicas have it (`all`)",
    ),
    (
        "delivery.report.only.error",
        "the stage asks for the reports that it needs",
    ),
    ("dr_cb", "the stage asks for the reports that it needs"),
    ("dr_msg_cb", "the stage asks for the reports that it needs"),
    ("group.id", "it is the source that has a group"),
];

impl Settings {
    /// Tells of what cannot be set, and of secrets that stand here.
    pub fn check(&self, side: Side, mut say: impl FnMut(&str)) {
        let own: &[(&str, &str)] = match side {
            Side::Source => &FIXED_SOURCE,
            Side::Sink => &FIXED_SINK,
        };
        for (name, value) in &self.0 {
            let fixed = FIXED.iter().chain(own).find(|(fixed, _)| fixed == name);
            if let Some((_, reason)) = fixed {
                say(&format!("`{name}` cannot be set: {reason}"));
            }
            if SECRET.contains(&name.as_str()) && !matches!(value, Setting::Elsewhere(_)) {
                say(&format!(
                    "`{name}` is a secret: refer to it with `{{ env: NAME }}` or `{{ file: PATH }}`"
                ));
            }
        }
    }

    /// What it refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.values().filter_map(|setting| match setting {
            Setting::Elsewhere(secret) => Some(secret),
            _ => None,
        })
    }

    /// The values of all settings, and these where nothing else is said.
    ///
    /// # Errors
    /// If a value is not where it is said to be.
    pub fn over(
        &self,
        defaults: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<BTreeMap<String, String>, String> {
        let defaults = defaults.into_iter();
        let mut all: BTreeMap<String, String> = defaults
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for (name, setting) in &self.0 {
            let value = setting.read();
            let value = value.map_err(|reason| format!("`{name}`: {reason}"))?;
            all.insert(name.clone(), value);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn values_are_what_librdkafka_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let text = format!(
            "{{ a: true, b: 5, c: PLAIN, d: {{ file: {} }}, e: \"007\" }}",
            file.display()
        );
        let all = settings(&text).over([("c", "x".to_owned()), ("z", "y".to_owned())]);
        let all = all.unwrap();
        let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (&**a, &**b)).collect();
        let expected = [
            ("a", "true"),
            ("b", "5"),
            ("c", "PLAIN"),
            ("d", "hunter2"),
            ("e", "007"),
            ("z", "y"),
        ];
        assert_eq!(all, expected);
        let missing = settings("{ d: { env: POSEUR_TEST_NOT_SET } }").over([]);
        assert_eq!(
            missing.unwrap_err(),
            "`d`: the variable POSEUR_TEST_NOT_SET is not set"
        );
    }

    #[test]
    fn guarantees_and_secrets_are_not_settings() {
        let said = |text: &str, side| {
            let mut said = Vec::new();
            settings(text).check(side, |reason| said.push(reason.to_owned()));
            said.concat()
        };
        for (text, side, reason) in [
            (
                "{ enable.auto.commit: true }",
                Side::Source,
                "`enable.auto.commit` cannot be set: an offset",
            ),
            (
                "{ isolation.level: read_uncommitted }",
                Side::Source,
                "only what is committed",
            ),
            (
                "{ transactional.id: a }",
                Side::Sink,
                "say `transactional_id`",
            ),
            (
                "{ enable.idempotence: false }",
                Side::Sink,
                "there twice or in another order",
            ),
            ("{ bootstrap.servers: a }", Side::Sink, "say `brokers`"),
            (
                "{ sasl.password: hunter2 }",
                Side::Source,
                "`sasl.password` is a secret: refer to it",
            ),
        ] {
            assert!(said(text, side).contains(reason), "{text}");
        }
        let fine = "{ sasl.password: { env: A }, acks: all, linger.ms: 5 }";
        assert_eq!(said(fine, Side::Source), "");
        assert!(!said(fine, Side::Sink).is_empty());
    }
}
