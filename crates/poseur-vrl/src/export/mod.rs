//! Rules as programs for other hosts: a VRL program for an unmodified Vector, Vector's configuration
//! around it, and Fluent Bit's configuration for the native filter.
//!
//! A program says what the matcher says of the same event; what VRL cannot say exactly is refused by
//! name. It needs nothing of this project when it runs. `docs/export.md` has what a program answers.

mod conditions;
mod derivations;
mod error;
mod fluent_bit;
mod json_texts;
mod parties;
mod paths;
mod patterns;
mod program;
mod reading;
mod rules;
mod shapes;
mod tag;
mod tests;
mod trust;
mod vector;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_matcher::schema::Schema;
use poseur_matcher::witness::Witness;
use poseur_rule::exception::Exception;
use poseur_rule::model::{Condition, Moment, Rule, Test};
use poseur_tagger::TagOptions;

pub use error::{ExportError, Reason, Subject};
pub use fluent_bit::FluentBit;
pub use vector::Example;

use program::Program;
use tests::Now;

/// What is exported.
#[derive(Debug, Clone)]
pub struct Export<'a> {
    rules: &'a [Rule],
    exceptions: &'a [Exception],
    schemas: Vec<&'a Schema>,
    forced: Forced,
    tag: TagOptions,
    now: Now,
    /// Texts of which every event that matches holds one, with what else it holds, if there are such.
    witnesses: Option<Vec<Witness>>,
}

/// The shape that the operator has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forced {
    No,
    Envelope,
    /// Of this schema.
    Flat(usize),
}

impl<'a> Export<'a> {
    /// Exports what a matcher decides. `schema` is the name that the matcher was made with, `now` the
    /// moment that time windows and expiry dates are counted from: `None` is when the program runs.
    pub fn new(
        matcher: &'a Matcher,
        schema: Option<&str>,
        tag: TagOptions,
        now: Option<Timestamp>,
    ) -> Export<'a> {
        let schemas: Vec<&Schema> = matcher.schemas().collect();
        let forced = match schema {
            None | Some("auto") => Forced::No,
            Some("envelope") => Forced::Envelope,
            Some(name) => schemas
                .iter()
                .position(|schema| schema.name == name)
                .map_or(Forced::No, Forced::Flat),
        };
        Export {
            rules: matcher.rules(),
            exceptions: matcher.exceptions(),
            schemas,
            forced,
            tag,
            now: now.map_or(Now::Running, Now::Fixed),
            witnesses: matcher.witnesses(),
        }
    }

    /// The VRL program for Vector's `remap`.
    ///
    /// # Errors
    /// Everything that VRL cannot say exactly, by rule and field.
    pub fn vrl(&self) -> Result<String, Vec<ExportError>> {
        let mut errors = Vec::new();
        let mut program = Program::new();
        self.header(&mut program);
        self.frame(&mut program, &mut errors);
        errors.dedup();
        if errors.is_empty() {
            return Ok(program.finish());
        }
        Err(errors)
    }

    fn header(&self, program: &mut Program) {
        let rules = match self.rules.len() {
            1 => "1 rule".to_owned(),
            count => format!("{count} rules"),
        };
        program.comment(&format!(
            "Made by `poseur export vrl` {} from {rules}: change the rules, not this program.",
            env!("CARGO_PKG_VERSION")
        ));
        program.line("#");
        for rule in self.rules {
            program.comment(&format!("{}  {}", rule.id, rule.title));
        }
        for exception in self.exceptions {
            program.comment(&format!("exception {}: {}", exception.id, exception.reason));
        }
        program.line("#");
        program.comment(
            "For each event it decides what Poseur decides on the line that Vector would write for it. What Vector \
             does not keep when it decodes JSON it does not know either: the first of two equal keys, and how a \
             number was spelt. Events are decoded objects, or text under one of the envelope's keys.",
        );
        program.line("");
        if let Now::Fixed(now) = self.now {
            program.comment(&format!("Now is always {now}, as --at says."));
        }
    }

    /// Whether anything depends on the moment at which the program runs.
    fn asks_the_time(&self) -> bool {
        let expiring = self
            .exceptions
            .iter()
            .any(|exception| exception.expires.is_some());
        let filters = self
            .exceptions
            .iter()
            .filter_map(|exception| match &exception.ground {
                poseur_rule::exception::Ground::Unless(condition) => Some(condition),
                poseur_rule::exception::Ground::Trusted(_) => None,
            });
        let mut conditions = self.rules.iter().map(|rule| &rule.condition).chain(filters);
        self.now_is_running() && (expiring || conditions.any(depends_on_now))
    }

    fn now_is_running(&self) -> bool {
        matches!(self.now, Now::Running)
    }
}

fn depends_on_now(condition: &Condition) -> bool {
    let is_relative = |moment: &Moment| matches!(moment, Moment::FromNow(_));
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(depends_on_now),
        Condition::Not(part) | Condition::Named(_, part) => depends_on_now(part),
        Condition::Nested { condition, .. } => depends_on_now(condition),
        Condition::Test(predicate) => match &predicate.test {
            Test::Time(_, moment) => is_relative(moment),
            Test::Within { from, to } => is_relative(from) || is_relative(to),
            _ => false,
        },
    }
}
