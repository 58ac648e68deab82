//! The figures as Prometheus reads them: OpenMetrics text.
//!
//! Nothing is kept here: what a scrape answers is put together when it comes, from the meters.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use poseur_matcher::record::Unreadable;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::group::Group;
use super::{Meter, Telemetry};

/// The type of what [`text()`] answers.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Our version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the process was built for: processor, system, C library.
pub fn target() -> String {
    use std::env::consts::{ARCH, OS};
    let library = match () {
        () if cfg!(target_env = "gnu") => "-gnu",
        () if cfg!(target_env = "musl") => "-musl",
        () => "",
    };
    format!("{ARCH}-{OS}{library}")
}

/// All figures, now.
pub fn text(telemetry: &Arc<Telemetry>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(telemetry.clone()));
    let mut out = String::new();
    // Writing into memory does not fail.
    let _ = text::encode(&mut out, &registry);
    out
}

/// The name of a reason, as a label.
fn label(reason: Unreadable) -> &'static str {
    match reason {
        Unreadable::Broken => "broken",
        Unreadable::Truncated => "truncated",
        Unreadable::NotAnObject => "not_an_object",
        Unreadable::TooDeep => "too_deep",
        Unreadable::TooLong => "too_long",
    }
}

/// A figure of something.
type Of<T> = fn(&T) -> u64;

type Labels = Vec<(&'static str, String)>;

/// Writes metrics that every pipeline has.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
    meters: Vec<Arc<Meter>>,
}

impl Page<'_> {
    /// A counter with a label beside the pipeline. Names are without `_total`.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        of: impl Fn(&Meter) -> Vec<(String, u64)>,
    ) -> fmt::Result {
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for meter in &self.meters {
            for (value, number) in of(meter) {
                let labels: Labels = vec![("pipeline", meter.pipeline.to_string()), (label, value)];
                metric
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&number, None)?;
            }
        }
        Ok(())
    }

    fn counter(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        of: impl Fn(&Meter) -> u64,
    ) -> fmt::Result {
        let mut metric =
            self.encoder
                .encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        for meter in &self.meters {
            let labels: Labels = vec![("pipeline", meter.pipeline.to_string())];
            metric
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, u64>(&of(meter), None)?;
        }
        Ok(())
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        of: impl Fn(&Meter) -> i64,
    ) -> fmt::Result {
        let mut metric =
            self.encoder
                .encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for meter in &self.meters {
            let labels: Labels = vec![("pipeline", meter.pipeline.to_string())];
            metric.encode_family(&labels)?.encode_gauge(&of(meter))?;
        }
        Ok(())
    }

    fn latency(&mut self) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(
            "poseur_ack_latency",
            "From when a batch was read until the downstream had accepted it",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for meter in &self.meters {
            let labels: Labels = vec![("pipeline", meter.pipeline.to_string())];
            meter.latency.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// What members of Kafka consumer groups have; nothing, if there is none.
    fn groups(&mut self) -> fmt::Result {
        let groups = self.meters.iter().filter_map(|meter| {
            let group = meter.known_group()?;
            Some((meter.pipeline.to_string(), group.clone()))
        });
        let groups: Vec<(String, Arc<Group>)> = groups.collect();
        if groups.is_empty() {
            return Ok(());
        }
        let mut lag = self.encoder.encode_descriptor(
            "poseur_kafka_lag_records",
            "Records of a partition that are not delivered yet",
            None,
            MetricType::Gauge,
        )?;
        for (pipeline, group) in &groups {
            for ((topic, partition), progress) in group.partitions() {
                if let Some(behind) = progress.lag() {
                    let labels: Labels = vec![
                        ("pipeline", pipeline.clone()),
                        ("topic", topic),
                        ("partition", partition.to_string()),
                    ];
                    lag.encode_family(&labels)?.encode_gauge(&(behind as i64))?;
                }
            }
        }
        let mut partitions = self.encoder.encode_descriptor(
            "poseur_kafka_partitions",
            "Partitions that the stage has: those it reads, and those that are stopped because a record was refused for good",
            None,
            MetricType::Gauge,
        )?;
        for (pipeline, group) in &groups {
            let all = group.partitions();
            let stopped = all.values().filter(|progress| progress.stopped.is_some());
            let stopped = stopped.count();
            for (state, number) in [("read", all.len() - stopped), ("stopped", stopped)] {
                let labels: Labels =
                    vec![("pipeline", pipeline.clone()), ("state", state.to_owned())];
                partitions
                    .encode_family(&labels)?
                    .encode_gauge(&(number as i64))?;
            }
        }
        let counters: [(&str, &str, Of<Group>); 2] = [
            (
                "poseur_kafka_rebalances",
                "How often partitions were given to the stage or taken from it",
                |group| group.rebalances.get(),
            ),
            (
                "poseur_kafka_produce_errors",
                "Messages that a broker has not taken; they are sent again unless their partition is stopped",
                |group| group.produce_errors.get(),
            ),
        ];
        for (name, help, of) in counters {
            let mut metric =
                self.encoder
                    .encode_descriptor(name, help, None, MetricType::Counter)?;
            for (pipeline, group) in &groups {
                let labels: Labels = vec![("pipeline", pipeline.clone())];
                metric
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&of(group), None)?;
            }
        }
        let mut transactions = self.encoder.encode_descriptor(
            "poseur_kafka_transactions",
            "Transactions by what became of them; what was aborted is read again",
            None,
            MetricType::Counter,
        )?;
        for (pipeline, group) in &groups {
            let results = [
                ("committed", group.committed.get()),
                ("aborted", group.aborted.get()),
            ];
            for (result, number) in results {
                let labels: Labels = vec![
                    ("pipeline", pipeline.clone()),
                    ("result", result.to_owned()),
                ];
                transactions
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&number, None)?;
            }
        }
        Ok(())
    }

    /// One number of the process.
    fn of_process(&mut self, name: &str, help: &str, number: f64) -> fmt::Result {
        self.encoder
            .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?
            .encode_gauge(&number)
    }
}

impl Collector for Telemetry {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page {
            encoder,
            meters: self.meters(),
        };
        let now = Timestamp::now();
        page.counter("poseur_records", "Records that came in", None, |meter| {
            meter.counts().records
        })?;
        page.counter(
            "poseur_received",
            "What came in, unpacked",
            Some(Unit::Bytes),
            |meter| meter.received.get(),
        )?;
        page.counter(
            "poseur_delivered",
            "What the downstream has accepted, before it is packed",
            Some(Unit::Bytes),
            |meter| meter.delivered.get(),
        )?;
        page.counter(
            "poseur_candidates",
            "Records that were looked at; the others passed unseen",
            None,
            |meter| meter.counts().candidates,
        )?;
        page.counter(
            "poseur_matched_records",
            "Records that matched at least one rule",
            None,
            |meter| meter.counts().matched,
        )?;
        page.counters(
            "poseur_matches",
            "Matches that no exception suppressed",
            "rule",
            |meter| {
                let rules = meter.rules().into_iter();
                rules
                    .map(|(rule, tally)| (rule, tally.matches.get()))
                    .collect()
            },
        )?;
        page.counters(
            "poseur_suppressed_matches",
            "Matches that an exception suppressed",
            "exception",
            |meter| {
                let exceptions = meter.exceptions().into_iter();
                exceptions
                    .map(|(exception, figure)| (exception, figure.get()))
                    .collect()
            },
        )?;
        page.gauge(
            "poseur_expired_exceptions",
            "Exceptions that are no longer in force",
            None,
            |meter| meter.expired_exceptions(now) as i64,
        )?;
        page.counters(
            "poseur_unreadable_records",
            "Candidates that could not be read, and passed as they were",
            "reason",
            |meter| {
                let counts = meter.counts();
                let all = Unreadable::ALL.into_iter().map(|reason| {
                    let known = counts.unreadable_by_reason().find(|one| one.0 == reason);
                    (label(reason).to_owned(), known.map_or(0, |one| one.1))
                });
                all.collect()
            },
        )?;
        page.counters(
            "poseur_batches",
            "Batches by what became of them: delivered; refused for good; given up, for the sender to send again",
            "result",
            |meter| {
                let results = [
                    ("delivered", &meter.batches),
                    ("refused", &meter.refused),
                    ("given_up", &meter.given_up),
                ];
                let results = results.into_iter();
                results
                    .map(|(result, figure)| (result.to_owned(), figure.get()))
                    .collect()
            },
        )?;
        page.counter(
            "poseur_opaque_batches",
            "Batches that could not be taken apart, and were passed on as they were",
            None,
            |meter| meter.opaque.get(),
        )?;
        page.counter(
            "poseur_retries",
            "Deliveries that were tried again",
            None,
            |meter| meter.retries.get(),
        )?;
        page.latency()?;
        page.gauge(
            "poseur_connections",
            "Connections of senders",
            None,
            Meter::connections,
        )?;
        page.counters(
            "poseur_connections_ended_early",
            "Connections that ended early",
            "reason",
            |meter| {
                let ended = meter.ended().into_iter();
                ended
                    .map(|(reason, number)| (reason.to_owned(), number))
                    .collect()
            },
        )?;
        page.counters(
            "poseur_requests_refused",
            "Requests that the source itself refused",
            "reason",
            |meter| {
                let refusals = meter.refusals().into_iter();
                refusals
                    .map(|(reason, number)| (reason.to_owned(), number))
                    .collect()
            },
        )?;
        page.gauge(
            "poseur_room_used",
            "Memory that batches on their way take",
            Some(Unit::Bytes),
            |meter| meter.room().0 as i64,
        )?;
        page.gauge(
            "poseur_room",
            "Memory that batches on their way may take",
            Some(Unit::Bytes),
            |meter| meter.room().1 as i64,
        )?;
        page.gauge(
            "poseur_source_listening",
            "1 if the source listens",
            None,
            |meter| i64::from(meter.listening().is_some()),
        )?;
        page.gauge(
            "poseur_sink_failing",
            "1 if the last delivery failed, and that was a short while ago",
            None,
            |meter| i64::from(meter.failure().is_some()),
        )?;
        page.groups()?;
        let reloads = self.reloads();
        let mut metric = page.encoder.encode_descriptor(
            "poseur_reloads",
            "How often something that an operator changed was read again, and taken or refused",
            None,
            MetricType::Counter,
        )?;
        for (result, number) in [("taken", reloads.taken), ("refused", reloads.refused)] {
            metric
                .encode_family(&[("result", result)])?
                .encode_counter::<NoLabelSet, _, u64>(&number, None)?;
        }
        if let Some(time) = reloads.last_taken {
            page.of_process(
                "poseur_last_reload_timestamp",
                "When something was last read and taken: at the start, if nothing has changed since",
                unix(time),
            )?;
        }
        page.encoder
            .encode_descriptor(
                "poseur_build",
                "The version, and what it was built for",
                None,
                MetricType::Info,
            )?
            .encode_info(&[("version", VERSION.to_owned()), ("target", target())])?;
        page.of_process(
            "process_start_time",
            "When the process began",
            unix(self.began),
        )
    }
}

/// Seconds since 1970.
fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_and_values_are_as_documented() {
        let telemetry = Arc::new(Telemetry::default());
        let meter = telemetry.meter("a\"b\\c\nd");
        meter.received.add(7);
        meter.ended_early("late");
        meter.turned_away("encoding");
        meter.accepted(5, Duration::from_millis(3));
        let connected = meter.connected();
        telemetry.reloaded("a", Err("x".into()));
        let out = text(&telemetry);
        let pipeline = r#"pipeline="a\"b\\c\nd""#;
        for line in [
            format!("poseur_received_bytes_total{{{pipeline}}} 7"),
            format!("poseur_delivered_bytes_total{{{pipeline}}} 5"),
            format!("poseur_batches_total{{{pipeline},result=\"delivered\"}} 1"),
            format!("poseur_batches_total{{{pipeline},result=\"refused\"}} 0"),
            format!("poseur_connections{{{pipeline}}} 1"),
            format!("poseur_connections_ended_early_total{{{pipeline},reason=\"late\"}} 1"),
            format!("poseur_requests_refused_total{{{pipeline},reason=\"encoding\"}} 1"),
            format!("poseur_unreadable_records_total{{{pipeline},reason=\"too_deep\"}} 0"),
            format!("poseur_ack_latency_seconds_bucket{{le=\"0.002\",{pipeline}}} 0"),
            format!("poseur_ack_latency_seconds_bucket{{le=\"0.005\",{pipeline}}} 1"),
            format!("poseur_ack_latency_seconds_count{{{pipeline}}} 1"),
            "poseur_reloads_total{result=\"refused\"} 1".to_owned(),
            "# TYPE process_start_time_seconds gauge".to_owned(),
        ] {
            assert!(out.lines().any(|one| one == line), "{line}\n{out}");
        }
        assert!(out.ends_with("# EOF\n"), "{out}");
        drop(connected);
        let after = text(&telemetry);
        assert!(after.contains(&format!("poseur_connections{{{pipeline}}} 0\n")));
    }
}
