//! `poseur rules diff`: do two rules have the same condition, and if not, what tells them apart?

mod compare;
mod draft;
mod literals;
mod search;

use std::path::Path;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::model::{Condition, Rule};
use poseur_rule::normal::normal;
use poseur_setup::Loaded;

use crate::args::{Format, Sources};
use crate::error::Error;
use crate::json::{array, object, texts};
use crate::load::{self, Clock};
use crate::output;
use crate::rules;
use crate::terminal::{Colour, Paint, aligned, harmless};
use crate::words;
use compare::{Line, Side};
use search::{Apart, Search};

/// Runs the command.
///
/// # Errors
/// [`Error::Different`] if the rules are different; others if they cannot be compared.
pub fn run(left: &str, right: &str, format: Format, sources: &Sources) -> Result<(), Error> {
    let mut loaded = None;
    let pair = [left, right].map(|name| rule(name, sources, &mut loaded));
    let [left, right] = pair;
    let pair = [left?, right?];
    let forms = [normal(&pair[0].condition), normal(&pair[1].condition)];
    let same = forms[0] == forms[1];
    let report = Report {
        lines: match same {
            true => Vec::new(),
            false => compare::lines(&forms[0], &forms[1]),
        },
        apart: match same {
            true => Apart::default(),
            false => {
                let now = Clock::new(sources).now();
                // Whole seconds are easier to read.
                let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
                Search::new(compiled(&pair, sources)?, now).run([&forms[0], &forms[1]])
            }
        },
        same,
        pair,
    };
    output::print(&match format {
        Format::Text => report.text(),
        Format::Json => report.json(),
    })?;
    match same {
        true => Ok(()),
        false => Err(Error::Different),
    }
}

/// A record that a rule matches, and one with a value less that it does not match; none if none is found.
///
/// # Errors
/// If the schemas cannot be loaded.
pub fn near(rule: &Rule, sources: &Sources, now: Timestamp) -> Result<Option<[String; 2]>, Error> {
    let never = Rule {
        id: format!("not-{}", rule.id),
        condition: Condition::Any(Vec::new()),
        ..rule.clone()
    };
    let search = Search::new(compiled(&[rule.clone(), never], sources)?, now);
    Ok(search.near([&normal(&rule.condition), &Condition::Any(Vec::new())]))
}

/// The rule in a file, or the loaded one with an id.
fn rule(name: &str, sources: &Sources, loaded: &mut Option<Vec<Rule>>) -> Result<Rule, Error> {
    let path = Path::new(name);
    if path.is_file() {
        let mut all = Loaded::default();
        let mut loader = all.loader(&sources.into());
        loader.path(path);
        let mut found = loader.finish();
        let (mut errors, _) = all.by_gravity();
        errors.append(&mut found.refused);
        if !errors.is_empty() {
            return Err(Error::Refused(errors));
        }
        let count = found.rules.len();
        return match found.rules.pop() {
            Some(rule) if count == 1 => Ok(rule),
            _ => Err(Error::Misused(format!(
                "{name} holds {count} rules: load it with --rules and give an id"
            ))),
        };
    }
    let rules = match loaded {
        Some(rules) => rules,
        None => loaded.insert(load::ready(sources)?.matcher.rules().to_vec()),
    };
    match rules::find(rules, name) {
        Ok(at) => Ok(rules[at].clone()),
        Err(Error::Rule(reason)) => Err(Error::Misused(reason)),
        Err(other) => Err(other),
    }
}

/// The two rules for all schemas, without exceptions.
fn compiled(pair: &[Rule; 2], sources: &Sources) -> Result<Matcher, Error> {
    let only = Sources {
        rules: Vec::new(),
        exceptions: Vec::new(),
        strict: true,
        ..sources.clone()
    };
    let mut loaded = poseur_setup::load(&(&only).into());
    loaded.rules = pair.to_vec();
    match loaded.compile(&sources.schema) {
        Some(matcher) if matcher.rules().len() == 2 => Ok(matcher),
        _ => Err(Error::Refused(loaded.by_gravity().0)),
    }
}

/// What was found out.
struct Report {
    pair: [Rule; 2],
    same: bool,
    lines: Vec<Line>,
    apart: Apart,
}

impl Report {
    fn text(&self) -> Vec<u8> {
        let paint = Paint::stdout();
        let rows = self.pair.iter().zip(["A", "B"]).map(|(rule, side)| {
            let cells = [side, &rule.id, &rule.title, &rules::place(rule)];
            cells.map(|cell| harmless(cell).into_owned()).to_vec()
        });
        let mut out: Vec<String> = aligned(&rows.collect::<Vec<_>>());
        out.push(String::new());
        let heading = |text: &str| paint.of(Colour::Bold, text.to_owned()).into_owned();
        if self.same {
            out.push(heading("the same condition: both match when"));
            let lines = words::condition(&normal(&self.pair[0].condition));
            out.extend(lines.iter().map(|line| format!("  {line}")));
        } else {
            out.push(heading("different conditions"));
            out.extend(self.lines.iter().map(|line| {
                match line.side {
                    Side::Both => format!("   {}", line.text),
                    Side::A => paint
                        .of(Colour::Red, format!(" A {}", line.text))
                        .into_owned(),
                    Side::B => paint
                        .of(Colour::Green, format!(" B {}", line.text))
                        .into_owned(),
                }
            }));
            for (side, record) in self.apart.records() {
                let other = if side == "A" { "B" } else { "A" };
                out.push(String::new());
                out.push(heading(&format!(
                    "{side} matches this record, {other} does not"
                )));
                out.push(format!("  {}", harmless(record)));
            }
            let tried = self.apart.tried;
            let none = match self.apart.records().count() {
                0 => Some(format!(
                    "no record that tells them apart is among the {tried} that were tried: they may \
                     still mean the same"
                )),
                1 => Some(format!(
                    "the other way round none is among the {tried} that were tried"
                )),
                _ => None,
            };
            if let Some(none) = none {
                out.extend([String::new(), none]);
            }
        }
        out.push(String::new());
        out.join("\n").into_bytes()
    }

    fn json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.truth("same", self.same);
            texts(o.key("rules"), self.pair.iter().map(|rule| &rule.id));
            array(o.key("differences"), &self.lines, |out, line| {
                object(out, |o| {
                    o.maybe("only", line.side.name());
                    o.text("text", &line.text);
                });
            });
            array(
                o.key("records"),
                self.apart.records(),
                |out, (side, record)| {
                    object(out, |o| {
                        o.text("matched_by", side);
                        o.raw("record", record);
                    });
                },
            );
            o.number("tried", self.apart.tried as u64);
        });
        out.push(b'\n');
        out
    }
}
