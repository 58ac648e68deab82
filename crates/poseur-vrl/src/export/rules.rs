//! The rules of one schema: a block for each.

use poseur_matcher::schema::{FieldKind, Schema};
use poseur_rule::exception::{Exception, Ground};
use poseur_rule::model::{Condition, Field, Rule, Test};

use super::Export;
use super::conditions::{Refused, all, conjuncts};
use super::error::{ExportError, Subject};
use super::program::{Program, text};
use super::reading::Place;
use super::tests::Truth;

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
            self.context_paths(program, &place);
        }
        if self.trusting().next().is_some() {
            program.line("");
            program.comment("Who may have satisfied a rule.");
            program.open("if !is_empty(hits)");
            if let Err((field, reason)) = program.people(&place) {
                errors.push(ExportError {
                    place: None,
                    subject: Subject::Schema(schema.name.clone()),
                    field,
                    advice: reason.advice(),
                    reason,
                });
            }
            program.close();
        }
    }

    fn rule(
        &self,
        program: &mut Program,
        place: &Place<'_>,
        rule: &Rule,
        errors: &mut Vec<ExportError>,
    ) -> Result<(), Refused> {
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
    ) -> Result<(), Refused> {
        if let Some(below) = &place.schema.below {
            let mut names = Vec::new();
            for part in parts {
                names_below(place, part, &mut names);
            }
            if names.len() > 1 {
                program.table(place, below, &names);
            }
        }
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
        self.matched(program, place, rule, errors)
    }

    /// Notes that a rule matched, whom its exceptions are asked about, and its analyst fields.
    fn matched(
        &self,
        program: &mut Program,
        place: &Place<'_>,
        rule: &Rule,
        errors: &mut Vec<ExportError>,
    ) -> Result<(), Refused> {
        let mut members = vec![format!("\"rule\": {}", text(&rule.id))];
        let concerning = || {
            let all = self.exceptions.iter();
            all.filter(|exception| exception.concerns(&rule.id))
        };
        if concerning().any(is_filter) {
            program.line("by = []");
            for exception in concerning() {
                self.filter(program, place, exception, errors);
            }
            members.push("\"by\": by".to_owned());
        }
        if self
            .trusting()
            .any(|(exception, _)| exception.concerns(&rule.id))
        {
            program.parties(place, rule, self.now)?;
            members.extend(["asked", "actors"].map(|name| format!("\"{name}\": {name}")));
        }
        program.line(format!("hits = push(hits, {{{}}})", members.join(", ")));
        if self.has_context() {
            self.derived_context(program, place, rule);
        }
        Ok(())
    }

    /// Sorts the matches of one payload, in `hits`, into `matched` and `suppressed`.
    pub(super) fn sort(&self, program: &mut Program, errors: &mut Vec<ExportError>) {
        program.line("");
        if self.has_context() {
            program.line("wanted = []");
        }
        if self.trusting().next().is_some() {
            self.read_people(program);
        }
        program.open("for_each(hits) -> |_, hit|");
        program.line("rule = to_string(get(hit, [\"rule\"]) ?? \"\") ?? \"\"");
        if !self.exceptions.is_empty() {
            program.line("by = array(get(hit, [\"by\"]) ?? []) ?? []");
            self.trust(program, errors);
            program.open("for_each(by) -> |_, exception|");
            program.line("entry = {\"rule\": rule, \"exception\": exception}");
            program
                .line("if !includes(suppressed, entry) { suppressed = push(suppressed, entry) }");
            program.close();
            program.open("if is_empty(by) && !includes(matched, rule)");
        } else {
            program.open("if !includes(matched, rule)");
        }
        program.line("matched = push(matched, rule)");
        if self.has_context() {
            self.wanted_context(program);
        }
        program.close();
        program.close();
        if self.has_context() {
            self.read_context(program);
        }
    }

    /// Notes that a filter suppresses the match at hand.
    fn filter(
        &self,
        program: &mut Program,
        place: &Place<'_>,
        exception: &Exception,
        errors: &mut Vec<ExportError>,
    ) {
        let Ground::Unless(condition) = &exception.ground else {
            return;
        };
        let Some(in_force) = self.in_force(exception) else {
            return;
        };
        let conditions = ["is_empty(by)".to_owned()].into_iter().chain(in_force);
        let conditions: Vec<String> = conditions.collect();
        program.comment(&format!("Filter {}: {}", exception.id, exception.reason));
        program.open(format!("if {}", conditions.join(" && ")));
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
            Err((field, reason)) => errors.push(ExportError {
                place: Some(exception.place.clone()),
                subject: Subject::Exception(exception.id.clone()),
                field,
                advice: reason.advice(),
                reason,
            }),
        }
        program.close();
    }
}

fn is_filter(exception: &Exception) -> bool {
    matches!(exception.ground, Ground::Unless(_))
}

/// The names in a condition that are first looked for below a path.
fn names_below<'c>(place: &Place<'_>, condition: &'c Condition, out: &mut Vec<&'c str>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| names_below(place, part, out));
        }
        Condition::Not(part) | Condition::Named(_, part) => names_below(place, part, out),
        Condition::Nested { .. } => {}
        Condition::Test(predicate) => {
            let name = match &predicate.field {
                Field::Name(name) => name,
                Field::Column(column) => &column.name,
                _ => return,
            };
            let lookup = place.lookup(name);
            if lookup.first && lookup.paths.len() > 1 && !out.contains(&name.as_str()) {
                out.push(name);
            }
        }
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
