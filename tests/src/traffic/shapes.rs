//! How a line dresses its records: bare, as ECS documents, in envelopes, in batches.

use super::clock::Format;
use super::message_events::{self, Dress};
use super::record::{Order, Plan};
use super::rng::Rng;
use super::writer::{Layout, embed, number};
use super::{Kind, Shape, Traffic, Truth, entra, exchange, sharepoint, teams};

/// A shape that fits `kind`, the common ones more often.
pub(super) fn any(kind: Kind, rng: &mut Rng) -> Shape {
    let one = rng.below(100);
    if kind == Kind::MessageEvents {
        return match one {
            0..40 => Shape::Defender,
            40..75 => Shape::Hunting,
            75..80 => Shape::EnvelopeMessage,
            80..85 => Shape::EnvelopeLog,
            85..90 => Shape::EnvelopeOriginal,
            90..96 => Shape::BatchRecords,
            _ => Shape::BatchArray,
        };
    }
    match one {
        0..52 => Shape::O365,
        52..62 => Shape::Ecs,
        62..68 => Shape::EcsDotted,
        68..74 => Shape::EcsMixed,
        74..82 => Shape::EnvelopeMessage,
        82..88 => Shape::EnvelopeOriginal,
        88..93 => Shape::EnvelopeLog,
        93..96 => Shape::EnvelopeO365Audit,
        96..98 => Shape::BatchRecords,
        _ => Shape::BatchArray,
    }
}

impl Traffic {
    /// Writes one line, without its end.
    pub(super) fn line(&mut self, shape: Shape, out: &mut Vec<u8>) -> Truth {
        match shape {
            Shape::EnvelopeMessage | Shape::EnvelopeOriginal | Shape::EnvelopeLog => {
                self.wrapped(shape, out)
            }
            Shape::EnvelopeO365Audit => {
                out.extend_from_slice(b"{\"@timestamp\":\"");
                self.shipped_at(Format::Millis, out);
                out.extend_from_slice(b"\",\"ecs\":{\"version\":\"8.11.0\"},\"error\":{\"message\":\"field [ClientIP] not parsed\"},\"input\":{\"type\":\"o365audit\"},\"o365audit\":");
                let truth = self.record(Shape::O365, out);
                out.extend_from_slice(b",\"tags\":[\"forwarded\",\"pipeline_failure\"]}");
                truth
            }
            Shape::BatchRecords | Shape::BatchArray => {
                let records = shape == Shape::BatchRecords;
                let element = match (self.config.kind, records) {
                    (Kind::MessageEvents, true) => Shape::Defender,
                    (Kind::MessageEvents, false) => Shape::Hunting,
                    _ => Shape::O365,
                };
                out.extend_from_slice(if records { b"{\"records\":[" } else { b"[" });
                let mut truth = Truth::default();
                for at in 0..self.config.batch {
                    if at > 0 {
                        out.push(b',');
                    }
                    truth += self.record(element, out);
                }
                out.extend_from_slice(if records { b"]}" } else { b"]" });
                truth
            }
            flat => self.record(flat, out),
        }
    }

    /// Writes one bare record.
    fn record(&mut self, shape: Shape, out: &mut Vec<u8>) -> Truth {
        let config = &self.config;
        let maker = &mut self.maker;
        // One draw decides, so that the rates are shares of all records.
        let draw = maker.rng.below(1 << 30) as f64 / (1u64 << 30) as f64;
        let mut plan = match draw {
            _ if draw < config.match_rate => Plan::Match,
            _ if draw < config.candidates() => Plan::Candidate,
            _ => Plan::Background,
        };
        if matches!(config.kind, Kind::Exchange | Kind::Entra) {
            plan = Plan::Background;
        }
        let layout = match shape {
            Shape::EcsDotted => Layout::Dotted,
            Shape::EcsMixed => Layout::Mixed(maker.rng.u64()),
            _ => Layout::Nested,
        };
        let ecs = matches!(shape, Shape::Ecs | Shape::EcsDotted | Shape::EcsMixed);
        let order = Order {
            plan,
            ecs,
            layout,
            escape: maker.rng.chance(config.escape_rate),
        };
        let start = out.len();
        maker.aim(start);
        let truth = match config.kind {
            Kind::MessageEvents => {
                let dress = if shape == Shape::Defender {
                    Dress::Defender
                } else {
                    Dress::Hunting
                };
                message_events::write(maker, order, dress, out)
            }
            Kind::Teams => teams::write(maker, order, out),
            Kind::Exchange => exchange::write(maker, order, out),
            Kind::Entra => entra::write(maker, order, out),
            Kind::Mixed => match maker.rng.below(100) {
                _ if plan != Plan::Background => teams::write(maker, order, out),
                0..60 => teams::write(maker, order, out),
                60..80 => exchange::write(maker, order, out),
                80..92 => entra::write(maker, order, out),
                _ => sharepoint::write(maker, order, out),
            },
        };
        maker.landed(start, out.len());
        truth
    }

    /// Writes a record as a string, with a shipper's own keys around it.
    fn wrapped(&mut self, shape: Shape, out: &mut Vec<u8>) -> Truth {
        let inner = match self.config.kind {
            Kind::MessageEvents => *self.maker.rng.pick(&[Shape::Defender, Shape::Hunting]),
            _ => Shape::O365,
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let truth = self.record(inner, &mut scratch);
        match shape {
            Shape::EnvelopeMessage if self.maker.rng.one_in(2) => {
                out.extend_from_slice(b"{\"host\":\"edge-1.contoso.example\",\"message\":\"");
                embed(&scratch, out);
                out.extend_from_slice(
                    b"\",\"path\":\"/o365\",\"source_type\":\"http_server\",\"timestamp\":\"",
                );
                self.shipped_at(Format::Ticks, out);
                out.extend_from_slice(b"\"}");
            }
            Shape::EnvelopeMessage => {
                out.extend_from_slice(b"{\"@timestamp\":\"");
                self.shipped_at(Format::Millis, out);
                out.extend_from_slice(b"\",\"@metadata\":{\"beat\":\"filebeat\",\"type\":\"_doc\",\"version\":\"8.15.3\"},\"agent\":{\"id\":\"");
                out.extend_from_slice(self.maker.rng.guid().as_str().as_bytes());
                out.extend_from_slice(b"\",\"name\":\"edge-2\",\"type\":\"filebeat\"},\"ecs\":{\"version\":\"8.0.0\"},\"log\":{\"offset\":");
                number(u64::from(self.maker.rng.below(1 << 30)), out);
                out.extend_from_slice(b"},\"message\":\"");
                embed(&scratch, out);
                out.extend_from_slice(b"\",\"input\":{\"type\":\"filestream\"}}");
            }
            Shape::EnvelopeOriginal => {
                out.extend_from_slice(b"{\"@timestamp\":\"");
                self.shipped_at(Format::Millis, out);
                let dotted = self.maker.rng.one_in(2);
                out.extend_from_slice(match dotted {
                    true => b"\",\"event.module\":\"o365\",\"event.original\":\"".as_slice(),
                    false => b"\",\"event\":{\"module\":\"o365\",\"original\":\"",
                });
                embed(&scratch, out);
                out.extend_from_slice(match dotted {
                    true => b"\",\"tags\":[\"preserve_original_event\"]}".as_slice(),
                    false => b"\"},\"tags\":[\"preserve_original_event\"]}",
                });
            }
            _ => {
                out.extend_from_slice(b"{\"date\":");
                number(self.config.at as u64, out);
                out.extend_from_slice(b".");
                number(u64::from(self.maker.rng.range(100_000, 999_999)), out);
                out.extend_from_slice(b",\"stream\":\"stdout\",\"log\":\"");
                embed(&scratch, out);
                // Container runtimes keep the line end.
                let end: &[u8] = if self.maker.rng.one_in(2) {
                    b"\\n"
                } else {
                    b""
                };
                out.extend_from_slice(end);
                out.extend_from_slice(b"\",\"kubernetes\":{\"pod_name\":\"o365-fetch-0\",\"namespace_name\":\"logs\"}}");
            }
        }
        self.scratch = scratch;
        truth
    }

    /// When the shipper saw the record, near enough.
    fn shipped_at(&mut self, format: Format, out: &mut Vec<u8>) {
        self.maker
            .clock
            .next(&mut self.maker.rng)
            .write(format, out);
    }
}
