//! A search for records that one rule matches and another does not.
//!
//! Records are put together from what the conditions ask for: first one for each test, so that the
//! rest of the condition holds; then by chance, from a fixed seed. What is found is made smaller as
//! long as it still tells the rules apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::model::{Condition, Predicate};
use poseur_tagger::Lines;

use super::draft::{Draft, Value};
use super::literals;

/// Most records that are put together for each of the two rules; half of them by system, the others by
/// chance.
const MOST: usize = 20_000;
/// For large conditions fewer, so that no more tests than this are gone through.
const MOST_TESTS: usize = 50_000_000;
/// Judged together.
const BATCH: usize = 256;

/// What was found.
#[derive(Debug, Default)]
pub struct Apart {
    /// Matched by the first rule only, and by the second only.
    only: [Option<String>; 2],
    /// How many records were tried.
    pub tried: usize,
}

impl Apart {
    /// The records, each with the side that matches it.
    pub fn records(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let sides = ["A", "B"].into_iter().zip(&self.only);
        sides.filter_map(|(side, record)| Some((side, record.as_deref()?)))
    }
}

/// Judges records by two rules.
pub struct Search {
    lines: Lines,
    now: Timestamp,
    tried: usize,
}

/// What records are put together from.
struct Material {
    /// Values to try, by field.
    pool: BTreeMap<String, Vec<Value>>,
    /// Where conditions want one and the same object.
    paths: Vec<String>,
    now: Timestamp,
}

impl Search {
    /// For a matcher of two rules, as of `now`.
    pub fn new(matcher: Matcher, now: Timestamp) -> Search {
        Search {
            lines: Lines::new(Arc::new(matcher)).check_all(),
            now,
            tried: 0,
        }
    }

    /// Searches a record for each of the two conditions of the rules, in normal form, that the other
    /// does not match.
    pub fn run(mut self, conditions: [&Condition; 2]) -> Apart {
        let mut material = Material {
            pool: BTreeMap::new(),
            paths: Vec::new(),
            now: self.now,
        };
        for condition in conditions {
            material.gather(condition);
        }
        let only = [0, 1].map(|side| self.one_sided(side, conditions[side], &material));
        Apart {
            only,
            tried: self.tried,
        }
    }

    /// A record that the first rule matches and the second does not, and one with a value less, which the first
    /// does not match either.
    pub fn near(mut self, conditions: [&Condition; 2]) -> Option<[String; 2]> {
        let mut material = Material {
            pool: BTreeMap::new(),
            paths: Vec::new(),
            now: self.now,
        };
        material.gather(conditions[0]);
        let draft = self.smallest(0, conditions[0], &material)?;
        let less = draft
            .smaller()
            .into_iter()
            .find(|less| !less.fields.is_empty());
        Some([text(&draft), text(&less.unwrap_or_default())])
    }

    /// A record that only the rule of a side matches.
    fn one_sided(
        &mut self,
        side: usize,
        condition: &Condition,
        material: &Material,
    ) -> Option<String> {
        self.smallest(side, condition, material)
            .map(|draft| text(&draft))
    }

    fn smallest(
        &mut self,
        side: usize,
        condition: &Condition,
        material: &Material,
    ) -> Option<Draft> {
        let systematic = Systematic::new(condition, material);
        let tests = systematic.tests.len().max(1);
        let half = (MOST_TESTS / tests).clamp(BATCH, MOST) / 2;
        let systematic = systematic.take(half);
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let random = (0..half).map(|_| material.by_chance(condition, &mut dice));
        let mut drafts = systematic.chain(random);
        loop {
            let batch: Vec<Draft> = drafts.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return None;
            }
            let verdicts = self.judge(&batch);
            let found = batch.into_iter().zip(verdicts);
            let found = found.filter(|(_, verdict)| verdict[side] && !verdict[1 - side]);
            let smallest = found.min_by_key(|(draft, _)| text(draft).len());
            if let Some((draft, _)) = smallest {
                return Some(self.shrink(draft, side));
            }
        }
    }

    /// Takes away what is not needed.
    fn shrink(&mut self, mut draft: Draft, side: usize) -> Draft {
        loop {
            let smaller = draft.smaller();
            let verdicts = self.judge(&smaller);
            let found = smaller.into_iter().zip(verdicts);
            let mut found = found.filter(|(_, verdict)| verdict[side] && !verdict[1 - side]);
            match found.next() {
                Some((less, _)) => draft = less,
                None => return draft,
            }
        }
    }

    /// Whether each rule matches, for each record.
    fn judge(&mut self, drafts: &[Draft]) -> Vec<[bool; 2]> {
        self.tried += drafts.len();
        let mut buffer = Vec::new();
        let mut starts = Vec::new();
        for draft in drafts {
            starts.push(buffer.len());
            draft.write(&mut buffer);
            buffer.push(b'\n');
        }
        let mut verdicts = vec![[false; 2]; drafts.len()];
        self.lines.read(&buffer, self.now, &mut |hit| {
            let number = starts.partition_point(|start| *start <= hit.line.start);
            for rule in hit.verdict.rules() {
                verdicts[number - 1][rule] = true;
            }
            Ok(())
        });
        verdicts
    }
}

impl Material {
    /// Collects what a condition asks for.
    fn gather(&mut self, condition: &Condition) {
        /// More values of one field than this tell nothing more.
        const MOST_VALUES: usize = 4096;
        each_test(condition, &mut |predicate| {
            for (field, values) in literals::of(predicate, self.now) {
                let known = self.pool.entry(field).or_default();
                for value in values {
                    if known.len() < MOST_VALUES && !known.contains(&value) {
                        known.push(value);
                    }
                }
            }
        });
        nested_paths(condition, &mut self.paths);
    }

    /// A record that satisfies a condition some way, with a few fields changed.
    fn by_chance(&self, condition: &Condition, dice: &mut Dice) -> Draft {
        let mut draft = Draft::default();
        let mut any = |parts: &[Condition]| dice.below(parts.len());
        satisfy(condition, self.now, "", &mut any, &mut draft);
        match dice.below(4) {
            0 => draft = joined(&draft),
            1 => draft = self.scattered(&draft),
            _ => {}
        }
        let fields: Vec<&String> = self.pool.keys().collect();
        if fields.is_empty() {
            return draft;
        }
        for _ in 0..dice.below(4) {
            let field = fields[dice.below(fields.len())];
            let values = &self.pool[field];
            let value = values.get(dice.below(values.len())).cloned();
            match (dice.below(4), value) {
                (0, _) | (_, None) => {
                    draft.fields.remove(field);
                }
                (1, Some(value)) => draft.add(field, value),
                (_, Some(value)) => draft.set(field, value),
            }
        }
        draft
    }

    /// The same values with those below a path in an object of their own each.
    fn scattered(&self, draft: &Draft) -> Draft {
        let mut out = Draft::default();
        for (field, values) in &draft.fields {
            let path = self
                .paths
                .iter()
                .find(|path| relative(field, path) != field);
            for value in values {
                match path {
                    Some(path) => {
                        let mut object = Draft::default();
                        object.set(relative(field, path), value.clone());
                        out.add(path, Value::Object(object));
                    }
                    None => out.add(field, value.clone()),
                }
            }
        }
        out
    }
}

/// The paths at which conditions want one object.
fn nested_paths(condition: &Condition, paths: &mut Vec<String>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| nested_paths(part, paths));
        }
        Condition::Not(part) | Condition::Named(_, part) => nested_paths(part, paths),
        Condition::Nested { path, condition } => {
            // The innermost first: a field is scattered below it.
            nested_paths(condition, paths);
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        Condition::Test(_) => {}
    }
}

fn text(draft: &Draft) -> String {
    let mut out = Vec::new();
    draft.write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn each_test<'c>(condition: &'c Condition, visit: &mut dyn FnMut(&'c Predicate)) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| each_test(part, visit));
        }
        Condition::Not(part)
        | Condition::Named(_, part)
        | Condition::Nested {
            condition: part, ..
        } => each_test(part, visit),
        Condition::Test(predicate) => visit(predicate),
    }
}

/// Puts together what satisfies a condition. `choose` picks one of so many alternatives.
fn satisfy(
    condition: &Condition,
    now: Timestamp,
    below: &str,
    choose: &mut dyn FnMut(&[Condition]) -> usize,
    draft: &mut Draft,
) {
    match condition {
        Condition::All(parts) => {
            for part in parts {
                satisfy(part, now, below, choose, draft);
            }
        }
        Condition::Any(parts) => {
            if let Some(part) = parts.get(choose(parts)) {
                satisfy(part, now, below, choose, draft);
            }
        }
        Condition::Named(_, part) => satisfy(part, now, below, choose, draft),
        // What must not be there is left out.
        Condition::Not(_) => {}
        Condition::Nested { path, condition } => {
            let mut object = Draft::default();
            satisfy(condition, now, path, choose, &mut object);
            draft.add(relative(path, below), Value::Object(object));
        }
        Condition::Test(predicate) => {
            if predicate.test == poseur_rule::model::Test::Null {
                return;
            }
            for (field, values) in literals::of(predicate, now) {
                if let Some(value) = values.into_iter().next() {
                    draft.add(relative(&field, below), value);
                }
            }
        }
    }
}

/// A field's name in an object that is at a path.
fn relative<'f>(field: &'f str, path: &str) -> &'f str {
    let rest = field.strip_prefix(path);
    let rest = rest.and_then(|rest| rest.strip_prefix('.'));
    rest.unwrap_or(field)
}

/// For each test of a condition a record that needs it, then the same with other values in its field.
struct Systematic<'a> {
    condition: &'a Condition,
    material: &'a Material,
    tests: Vec<&'a Predicate>,
    test: usize,
    base: Draft,
    /// Variations of the base that are still to come.
    waiting: Vec<Draft>,
}

impl<'a> Systematic<'a> {
    fn new(condition: &'a Condition, material: &'a Material) -> Systematic<'a> {
        let mut tests = Vec::new();
        each_test(condition, &mut |predicate| tests.push(predicate));
        Systematic {
            condition,
            material,
            tests,
            test: 0,
            base: Draft::default(),
            waiting: Vec::new(),
        }
    }
}

impl Iterator for Systematic<'_> {
    type Item = Draft;

    fn next(&mut self) -> Option<Draft> {
        /// Values that are tried in the place of the one that is asked for.
        const VARIATIONS: usize = 24;
        if let Some(draft) = self.waiting.pop() {
            return Some(draft);
        }
        let test = *self.tests.get(self.test)?;
        self.test += 1;
        let mut towards = |parts: &[Condition]| {
            let has = |part: &Condition| {
                let mut found = false;
                each_test(part, &mut |known| found |= known == test);
                found
            };
            parts.iter().position(has).unwrap_or(0)
        };
        self.base = Draft::default();
        let Material { pool, now, .. } = self.material;
        satisfy(self.condition, *now, "", &mut towards, &mut self.base);
        for (field, values) in literals::of(test, *now) {
            let mut without = self.base.clone();
            without.fields.remove(&field);
            self.waiting.push(without);
            let others = pool.get(&field).into_iter().flatten();
            for value in values.iter().chain(others).take(VARIATIONS) {
                let mut other = self.base.clone();
                other.set(&field, value.clone());
                self.waiting.push(other);
            }
        }
        // What only the other condition names may be what it wants not to be there.
        for (field, values) in pool.iter().take(VARIATIONS) {
            if !self.base.fields.contains_key(field)
                && let Some(value) = values.first()
            {
                let mut more = self.base.clone();
                more.set(field, value.clone());
                self.waiting.push(more);
            }
        }
        // The first to come is the last of these.
        self.waiting.push(joined(&self.base));
        self.waiting.push(self.material.scattered(&self.base));
        self.waiting.push(self.base.clone());
        self.waiting.pop()
    }
}

/// Several texts of a field as one text.
fn joined(draft: &Draft) -> Draft {
    let mut draft = draft.clone();
    for values in draft.fields.values_mut().filter(|values| values.len() > 1) {
        let texts: Option<Vec<&str>> = values
            .iter()
            .map(|value| match value {
                Value::Json(json) => json.strip_prefix('"')?.strip_suffix('"'),
                Value::Object(_) => None,
            })
            .collect();
        if let Some(texts) = texts {
            *values = vec![Value::Json(format!("\"{}\"", texts.join(" ")))];
        }
    }
    draft
}

/// Numbers that look random and are always the same: a xorshift generator.
struct Dice(u64);

impl Dice {
    /// A number below a limit; 0 for the limit 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        match limit {
            0 => 0,
            limit => (self.0 % limit as u64) as usize,
        }
    }
}
