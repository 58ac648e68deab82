//! The rules of one schema: a block for each.

use poseur_matcher::schema::{FieldKind, Schema};
use poseur_rule::exception::{Exception, Ground};
use poseur_rule::model::{Condition, Field, Rule, Test};

use super::Export;
use super::conditions::{all, conjuncts};
use super::error::{ExportError, Reason, Subject};
use super::program::{Program, text};
use super::reading::Place;
use super::tests::{Now, Truth};

impl Export<'_> {
    /// Whether any rule is for records of a schema.
    pub(super) fn has_rules(&self, schema: &Schema) -> bool {
        self.rules
            .iter()
            .any(|rule| schema.sources.admit(&rule.log_source))
    }

    /// Judges `record` by the rules for a schema.
    pub(super) fn judge(
        &self,
        program: &mut Program,
        schema: &Schema,
        errors: &mut Vec<ExportError>,
    ) {
        let place = Place {
            schema,
            object: None,
            root: "record".to_owned(),
        };
        if self.has_context() {
            program.line("wanted = []");
        }
        for rule in self.rules {
            if !schema.sources.admit(&rule.log_source) {
                continue;
            }
            program.line("");
            program.comment(&format!("Rule {}: {}", rule.id, rule.title));
            if let Err((field, reason)) = self.rule(program, &place, rule, errors) {
                errors.push(ExportError {
                    place: Some(rule.origin.place.clone()),
                    subject: Subject::Rule(rule.id.clone(), rule.title.clone()),
                    field,
                    advice: reason.advice(),
                    reason,
                });
            }
        }
        if self.has_context() {
            self.read_context(program, &place);
        }
    }

    fn rule(
        &self,
        program: &mut Program,
        place: &Place<'_>,
        rule: &Rule,
        errors: &mut Vec<ExportError>,
    ) -> Result<(), (Option<String>, Reason)> {
        let mut parts = conjuncts(&rule.condition);
        // Records that cannot match are left alone after one look.
        let guard = guard(place, &parts).map(|at| parts.remove(at));
        let mut open = 0;
        if let Some(guard) = guard {
            match program.condition(place, guard, self.now)? {
                Truth::Always(true) => {}
                Truth::Always(false) => {
                    program.line("# It cannot match such records.");
                    return Ok(());
                }
                Truth::If(expression) => {
                    program.open(format!("if {expression}"));
                    open += 1;
                }
            }
        }
        let outcome = self.rest(program, place, rule, &parts, errors, &mut open);
        for _ in 0..open {
            program.close();
        }
        outcome
    }

    fn rest(
        &self,
        program: &mut Program,
        place: &Place<'_>,
        rule: &Rule,
        parts: &[&Condition],
        errors: &mut Vec<ExportError>,
        open: &mut usize,
    ) -> Result<(), (Option<String>, Reason)> {
        let mut truths = Vec::new();
        for part in parts {
            truths.push(program.condition(place, part, self.now)?);
        }
        match all(truths) {
            Truth::Always(true) => {}
            Truth::Always(false) => {
                program.line("# It cannot match such records.");
                return Ok(());
            }
            Truth::If(expression) => {
                program.open(format!("if {expression}"));
                *open += 1;
            }
        }
        let exceptions: Vec<&Exception> = self
            .exceptions
            .iter()
            .filter(|exception| exception.concerns(&rule.id))
            .collect();
        if exceptions.is_empty() {
            self.matched(program, place, rule);
            return Ok(());
        }
        program.line("by = []");
        for exception in exceptions {
            self.suppress(program, place, exception, errors);
        }
        program.open("if is_empty(by)");
        self.matched(program, place, rule);
        program.reopen("else");
        program.open("for_each(by) -> |_, exception|");
        program.line(format!(
            "entry = {{\"rule\": {}, \"exception\": exception}}",
            text(&rule.id)
        ));
        program.line("if !includes(suppressed, entry) { suppressed = push(suppressed, entry) }");
        program.close();
        program.close();
        Ok(())
    }

    /// Notes that a rule matched, and its analyst fields.
    fn matched(&self, program: &mut Program, place: &Place<'_>, rule: &Rule) {
        let id = text(&rule.id);
        program.open(format!("if !includes(matched, {id})"));
        program.line(format!("matched = push(matched, {id})"));
        if self.has_context() {
            self.context(program, place, rule);
        }
        program.close();
    }

    /// Notes that an exception suppresses the match at hand.
    fn suppress(
        &self,
        program: &mut Program,
        place: &Place<'_>,
        exception: &Exception,
        errors: &mut Vec<ExportError>,
    ) {
        let mut refuse = |field: Option<String>, reason: Reason| {
            errors.push(ExportError {
                place: Some(exception.place.clone()),
                subject: Subject::Exception(exception.id.clone()),
                field,
                advice: reason.advice(),
                reason,
            });
        };
        let condition = match &exception.ground {
            Ground::Unless(condition) => condition,
            Ground::Trusted(trusted) if trusted.is_empty() => return,
            Ground::Trusted(_) => {
                return refuse(
                    None,
                    Reason::Trust("it follows each party through the record"),
                );
            }
        };
        let in_force = match (exception.expires, self.now) {
            (None, _) => "is_empty(by)".to_owned(),
            (Some(expires), Now::Fixed(now)) if now < expires => "is_empty(by)".to_owned(),
            (Some(_), Now::Fixed(_)) => return,
            (Some(expires), Now::Running) => {
                // Whole seconds: the next full one, if there is a fraction.
                let seconds = expires.as_nanosecond().div_euclid(1_000_000_000);
                match expires.as_nanosecond().rem_euclid(1_000_000_000) {
                    0 => format!("is_empty(by) && now_s < {seconds}"),
                    rest => format!(
                        "is_empty(by) && (now_s < {seconds} || (now_s == {seconds} && now_ns < {rest}))"
                    ),
                }
            }
        };
        program.comment(&format!("Filter {}: {}", exception.id, exception.reason));
        program.open(format!("if {in_force}"));
        match program.condition(place, condition, self.now) {
            Ok(Truth::Always(true)) => {}
            Ok(Truth::Always(false)) => {
                program.line(format!("by = push(by, {})", text(&exception.id)))
            }
            Ok(Truth::If(expression)) => {
                program.line(format!(
                    "if !{expression} {{ by = push(by, {}) }}",
                    text(&exception.id)
                ));
            }
            Err((field, reason)) => refuse(field, reason),
        }
        program.close();
    }
}

/// The part of a condition that says soonest that a record cannot match.
fn guard(place: &Place<'_>, parts: &[&Condition]) -> Option<usize> {
    let named = |condition: &Condition| match condition {
        Condition::Test(predicate) => match (&predicate.field, &predicate.test) {
            (Field::Name(name), Test::Text(..) | Test::Bool(_)) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    };
    let cheap = |part: &Condition| {
        let name = named(part)?;
        let lookup = place.lookup(&name);
        let cheap =
            matches!(lookup.kind, FieldKind::Keyword | FieldKind::Flag) && !lookup.paths.is_empty();
        let telling = &place.schema.discriminating;
        let rank = telling
            .iter()
            .position(|known| *known == name)
            .unwrap_or(telling.len());
        cheap.then_some(rank)
    };
    let ranked = parts
        .iter()
        .enumerate()
        .filter_map(|(at, part)| Some((cheap(part)?, at)));
    ranked.min().map(|(_, at)| at)
}
