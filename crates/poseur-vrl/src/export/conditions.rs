//! Conditions of rules, as VRL expressions.

use poseur_rule::model::{Case, Condition, Field, Pattern, Predicate, Test};

use super::error::Reason;
use super::program::{Program, join};
use super::reading::Place;
use super::tests::{Now, Truth};

/// Why a condition cannot be exported, and the field.
pub(super) type Refused = (Option<String>, Reason);

impl Program {
    /// Whether a condition holds. What must be computed before is written.
    pub fn condition(
        &mut self,
        place: &Place<'_>,
        condition: &Condition,
        now: Now,
    ) -> Result<Truth, Refused> {
        match condition {
            Condition::All(parts) => {
                let parts: Result<Vec<Truth>, Refused> = parts
                    .iter()
                    .map(|part| self.condition(place, part, now))
                    .collect();
                Ok(all(parts?))
            }
            Condition::Any(parts) => self.any_part(place, parts, now),
            Condition::Not(part) => Ok(self.condition(place, part, now)?.negated()),
            Condition::Named(name, part) => match self.condition(place, part, now)? {
                Truth::If(expression) => {
                    let variable = self.variable(name);
                    self.line(format!("{variable} = {expression}"));
                    self.know(named(place, condition), &variable);
                    Ok(Truth::If(variable))
                }
                constant => Ok(constant),
            },
            Condition::Test(predicate) => self
                .predicate(place, predicate, now)
                .map_err(|reason| (Some(predicate.field.label().into_owned()), reason)),
            Condition::Nested { path, condition } => self.nested(place, path, condition, now),
        }
    }

    /// The same of a condition that may have been asked before.
    pub fn known_condition(
        &mut self,
        place: &Place<'_>,
        condition: &Condition,
        now: Now,
    ) -> Result<Truth, Refused> {
        match self.known(&named(place, condition)) {
            Some(variable) => Ok(Truth::If(variable)),
            None => self.condition(place, condition, now),
        }
    }

    /// Tests of the texts of one field are made together.
    fn any_part(
        &mut self,
        place: &Place<'_>,
        parts: &[Condition],
        now: Now,
    ) -> Result<Truth, Refused> {
        let mut truths = Vec::new();
        let mut done = vec![false; parts.len()];
        for (at, part) in parts.iter().enumerate() {
            if std::mem::replace(&mut done[at], true) {
                continue;
            }
            let Some((field, first, case)) = plain(part) else {
                truths.push(self.condition(place, part, now)?);
                continue;
            };
            let mut patterns = vec![first];
            for (other, part) in parts.iter().enumerate().skip(at + 1) {
                match plain(part) {
                    Some((same, pattern, folds)) if same == field && folds == case => {
                        patterns.push(pattern);
                        done[other] = true;
                    }
                    _ => {}
                }
            }
            let refused = |reason| (Some(field.label().into_owned()), reason);
            let values = self.values(place, field).map_err(refused)?;
            truths.push(self.text_test(&values, &patterns, case).map_err(refused)?);
        }
        Ok(any(truths))
    }

    fn nested(
        &mut self,
        place: &Place<'_>,
        path: &str,
        condition: &Condition,
        now: Now,
    ) -> Result<Truth, Refused> {
        let lookup = place.lookup(path);
        let found = self.raw_exact(place, &lookup, false);
        let holds = self.variable(&format!("{path} holds"));
        let element = self.variable("element");
        self.line(format!("{holds} = false"));
        self.open(format!(
            "for_each(filter(flatten({found})) -> |_, value| {{ is_object(value) }}) -> |_, value|"
        ));
        self.line(format!("{element} = object(value) ?? {{}}"));
        let inner = Place {
            schema: place.schema,
            object: Some(path.to_owned()),
            root: element,
        };
        match self.condition(&inner, condition, now)? {
            Truth::Always(false) => {}
            Truth::Always(true) => self.line(format!("{holds} = true")),
            Truth::If(expression) => self.line(format!("if {expression} {{ {holds} = true }}")),
        }
        self.close();
        Ok(Truth::If(holds))
    }
}

/// How a program remembers the outcome of a named condition: by where it stands.
fn named(place: &Place<'_>, condition: &Condition) -> String {
    format!("condition {} {condition:p}", place.root)
}

/// A plain test of a field's text.
fn plain(condition: &Condition) -> Option<(&Field, &Pattern, Case)> {
    match condition {
        Condition::Test(Predicate {
            field: field @ (Field::Name(_) | Field::Any),
            test: Test::Text(pattern, case),
        }) => Some((field, pattern, *case)),
        _ => None,
    }
}

/// All hold.
pub(super) fn all(parts: Vec<Truth>) -> Truth {
    joined(parts, true, "&&")
}

/// One holds.
pub(super) fn any(parts: Vec<Truth>) -> Truth {
    joined(parts, false, "||")
}

fn joined(parts: Vec<Truth>, neutral: bool, operator: &str) -> Truth {
    let mut expressions = Vec::new();
    for part in parts {
        match part {
            Truth::Always(value) if value == neutral => {}
            Truth::Always(value) => return Truth::Always(value),
            Truth::If(expression) if expressions.contains(&expression) => {}
            Truth::If(expression) => expressions.push(expression),
        }
    }
    match expressions.is_empty() {
        true => Truth::Always(neutral),
        false => Truth::If(join(&expressions, operator)),
    }
}

/// The parts of a condition that must all hold, names aside.
pub(super) fn conjuncts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::All(parts) => parts.iter().flat_map(conjuncts).collect(),
        Condition::Named(_, part) if matches!(**part, Condition::All(_) | Condition::Test(_)) => {
            conjuncts(part)
        }
        other => vec![other],
    }
}
