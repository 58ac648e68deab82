//! `poseur explain`: why each rule did or did not match each record.
//!
//! Clauses are evaluated by the matcher's own plan, and what became of a rule is what a tagger
//! decides about the same line: an explanation cannot disagree with a tag.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_matcher::explain::{Explained, Explanation, RuleExplanation, What};
use poseur_matcher::record::{Handle, Unreadable};
use poseur_matcher::verdict::{Suppressed, Verdict};
use poseur_rule::exception::Exception;
use poseur_tagger::Lines;
use poseur_tagger::frames::Content;
use poseur_tagger::json::document::trim;
use poseur_tagger::tag::keyword;

use crate::args::{self, Format};
use crate::error::Error;
use crate::input::{Feed, Job};
use crate::json::{array, object, texts};
use crate::load::{self, Clock};
use crate::output::Output;
use crate::rules;
use crate::terminal::{self, Colour, Messages, Paint, harmless, harmless_bytes};
use crate::words;

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Explain) -> Result<(), Error> {
    let matcher = load::ready(&args.sources)?.matcher;
    let only = match &args.rule {
        Some(id) => Some(rules::find(matcher.rules(), id)?),
        None => None,
    };
    let output = Output::open(None, &args.files)?;
    let messages = Messages::new();
    let mut feed = Feed::new(&args.files, args.max_line, messages.clone());
    let mut explainer = Explainer {
        lines: Lines::new(matcher.clone()),
        matcher,
        clock: Clock::new(&args.sources),
        only,
        format: args.format,
        signs: Signs::new(Paint::stdout(), terminal::is_unicode()),
    };
    let names = feed.names();
    let mut out = BufWriter::new(output);
    let outcome = explainer.all(&mut feed, &names, &mut out);
    outcome.map_err(|error| out.get_ref().error(error))?;
    if messages.any_failed() {
        Err(Error::Inputs)
    } else {
        Ok(())
    }
}

/// Marks in front of clauses.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    paint: Paint,
    unicode: bool,
}

impl Signs {
    /// ✓ and ✗ in colours, or what there is instead.
    pub fn new(paint: Paint, unicode: bool) -> Signs {
        Signs { paint, unicode }
    }

    fn mark(self, holds: bool) -> String {
        let (sign, colour) = match (holds, self.unicode) {
            (true, true) => ("✓", Colour::Green),
            (false, true) => ("✗", Colour::Red),
            (true, false) => ("+", Colour::Green),
            (false, false) => ("-", Colour::Red),
        };
        self.paint.of(colour, sign).into_owned()
    }
}

/// Explains lines.
pub struct Explainer {
    matcher: Arc<Matcher>,
    lines: Lines,
    clock: Clock,
    only: Option<usize>,
    format: Format,
    signs: Signs,
}

/// Where a line is.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    line: u64,
}

/// What a tagger decided about a record.
#[derive(Debug, Clone)]
struct Decided {
    root: Handle,
    matches: Vec<usize>,
    suppressed: Vec<Suppressed>,
}

impl Explainer {
    /// Explains all lines of a feed, and hands on what is known whenever a frame ends.
    fn all(&mut self, feed: &mut Feed, names: &[String], out: &mut impl Write) -> io::Result<()> {
        let mut job = Job::default();
        while feed.next(&mut job) {
            let file = names[job.input].as_str();
            match job.frame.content() {
                Content::Lines => {
                    let lines = job.frame.bytes().split_inclusive(|byte| *byte == b'\n');
                    for (line, text) in (job.line..).zip(lines) {
                        self.line(
                            text.strip_suffix(b"\n").unwrap_or(text),
                            Place { file, line },
                            out,
                        )?;
                    }
                }
                Content::Long => {
                    let place = Place {
                        file,
                        line: job.line,
                    };
                    self.unreadable(Unreadable::TooLong, place, out)?;
                }
                Content::More => {}
            }
            out.flush()?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], place: Place<'_>, out: &mut impl Write) -> io::Result<()> {
        let (start, end) = trim(line);
        if start == end {
            return Ok(());
        }
        let now = self.clock.now();
        let records = match self.lines.explain(line, now) {
            Ok(records) => records,
            Err(reason) => return self.unreadable(reason, place, out),
        };
        let mut decided = Vec::new();
        self.lines.read(line, now, &mut |hit| {
            decided.push(Decided::new(hit.root, hit.verdict));
            Ok(())
        });
        let several = records.len() > 1;
        for (number, (root, judged)) in records.iter().enumerate() {
            let decided = decided.iter().find(|decided| decided.root == *root);
            let record = several.then_some(number as u64 + 1);
            let text = match self.format {
                Format::Text => self.text(place, record, judged, decided),
                Format::Json => self.json(place, number as u64 + 1, judged, decided),
            };
            out.write_all(&text)?;
        }
        Ok(())
    }

    fn unreadable(
        &self,
        reason: Unreadable,
        place: Place<'_>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let Place { file, line } = place;
        if self.format == Format::Text {
            let paint = self.signs.paint;
            let head = paint.of(Colour::Bold, format!("{}:{line}", harmless(file)));
            return writeln!(
                out,
                "{head}  {}",
                paint.of(Colour::Yellow, format!("unreadable: {reason}"))
            );
        }
        let mut text = Vec::new();
        object(&mut text, |o| {
            o.text("file", file);
            o.number("line", line);
            o.raw("record", "null");
            o.text("unreadable", reason.to_string());
            o.raw("judged", "[]");
        });
        text.push(b'\n');
        out.write_all(&text)
    }

    fn text(
        &self,
        place: Place<'_>,
        record: Option<u64>,
        judged: &[Explanation],
        decided: Option<&Decided>,
    ) -> Vec<u8> {
        let paint = self.signs.paint;
        let mut out = String::new();
        let Place { file, line } = place;
        let record = record.map_or_else(String::new, |record| format!(", record {record}"));
        let head = format!("{}:{line}{record}", harmless(file));
        if judged.is_empty() {
            let head = paint.of(Colour::Bold, head.as_str());
            out.push_str(&format!("{head}  holds nothing that is judged\n"));
        }
        for explanation in judged {
            let head = paint.of(Colour::Bold, head.as_str());
            out.push_str(&format!(
                "{head}  schema {}\n",
                harmless(&explanation.schema)
            ));
            for explained in &explanation.rules {
                if self.only.is_some_and(|only| only != explained.rule) {
                    continue;
                }
                let rule = &self.matcher.rules()[explained.rule];
                out.push_str(&format!(
                    "  {} {}  {}{}\n",
                    self.signs.mark(explained.holds),
                    harmless(&rule.id),
                    harmless(&rule.title),
                    paint.of(Colour::Bold, self.outcome(explained, decided)),
                ));
                self.clause(&explained.clause, "", false, 2, &mut out);
            }
        }
        out.into_bytes()
    }

    /// What became of a rule that is not tried, or whose condition holds.
    fn outcome(&self, explained: &RuleExplanation, decided: Option<&Decided>) -> String {
        let rule = explained.rule;
        if !explained.tried {
            return ": not tried, it is for other logs".to_owned();
        }
        if !explained.holds {
            return String::new();
        }
        let exceptions = self.exceptions(rule, decided).map(|exception| {
            format!(
                ": suppressed by the exception {} ({})",
                harmless(&exception.id),
                harmless(&exception.reason)
            )
        });
        let exceptions: String = exceptions.collect();
        match decided.is_some_and(|decided| decided.matches.contains(&rule)) {
            // Several payloads of one envelope may be judged differently.
            true => ": match".to_owned(),
            false => exceptions,
        }
    }

    fn exceptions<'a>(
        &'a self,
        rule: usize,
        decided: Option<&'a Decided>,
    ) -> impl Iterator<Item = &'a Exception> {
        let suppressed = decided.into_iter().flat_map(|decided| &decided.suppressed);
        suppressed
            .filter(move |suppressed| suppressed.rule == rule)
            .map(|suppressed| &self.matcher.exceptions()[suppressed.exception])
    }

    fn clauses(&self, clauses: &[Explained], depth: usize, out: &mut String) {
        let mut before = None;
        for clause in clauses {
            let field = match &clause.what {
                What::Predicate { id, .. } => Some(self.matcher.predicate(*id).field),
                _ => None,
            };
            self.clause(clause, "", field.is_some() && field == before, depth, out);
            before = field;
        }
    }

    /// One clause and what it consists of. The values of the `same_field` as in the line before are
    /// not told again.
    fn clause(
        &self,
        clause: &Explained,
        label: &str,
        same_field: bool,
        depth: usize,
        out: &mut String,
    ) {
        let mut line = |text: &str| {
            let mark = self.signs.mark(clause.holds);
            out.push_str(&format!("{}{mark} {label}{text}\n", "  ".repeat(depth)));
        };
        match &clause.what {
            What::Named(name, part) => {
                let label = format!("{label}{}: ", harmless(name));
                self.clause(part, &label, same_field, depth, out);
            }
            What::All(parts) | What::Any(parts) if parts.len() == 1 => {
                self.clause(&parts[0], label, same_field, depth, out);
            }
            What::All(parts) => {
                line(if parts.is_empty() { "always" } else { "all of" });
                self.clauses(parts, depth + 1, out);
            }
            What::Any(parts) => {
                line(if parts.is_empty() {
                    "never"
                } else {
                    "at least one of"
                });
                self.clauses(parts, depth + 1, out);
            }
            What::Not(part) => {
                line("not");
                self.clause(part, "", false, depth + 1, out);
            }
            What::Nested {
                path,
                objects,
                object,
            } => {
                let path = harmless(path);
                match objects {
                    0 => line(&format!("an object of {path}: there is none")),
                    1 => line(&format!("an object of {path}")),
                    count => line(&format!("one of the {count} objects of {path}")),
                }
                if let Some(object) = object {
                    self.clause(object, "", false, depth + 1, out);
                }
            }
            What::Predicate { id, values, more } => {
                let predicate = &self.matcher.predicate(*id).predicate;
                let values = match values.as_slice() {
                    _ if same_field => "the same".to_owned(),
                    [] => "no value".to_owned(),
                    values => {
                        let mut shown: Vec<String> = values
                            .iter()
                            .map(|value| value_text(value, self.signs.unicode))
                            .collect();
                        if *more {
                            shown.push("and more".to_owned());
                        }
                        shown.join(", ")
                    }
                };
                let arrow = if self.signs.unicode { "←" } else { "<-" };
                let values = self
                    .signs
                    .paint
                    .of(Colour::Dim, format!("{arrow} {values}"));
                line(&format!(
                    "{}  {values}",
                    words::predicate(&predicate.field, &predicate.test)
                ));
            }
        }
    }

    fn json(
        &self,
        place: Place<'_>,
        record: u64,
        judged: &[Explanation],
        decided: Option<&Decided>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.text("file", place.file);
            o.number("line", place.line);
            o.number("record", record);
            o.raw("unreadable", "null");
            array(o.key("judged"), judged, |out, explanation| {
                object(out, |o| {
                    o.text("schema", &explanation.schema);
                    let wanted = |rule: usize| self.only.is_none_or(|only| only == rule);
                    let rules = explanation
                        .rules
                        .iter()
                        .filter(|explained| wanted(explained.rule));
                    array(o.key("rules"), rules, |out, explained| {
                        let rule = &self.matcher.rules()[explained.rule];
                        let matched = decided
                            .is_some_and(|decided| decided.matches.contains(&explained.rule));
                        object(out, |o| {
                            o.text("rule", &rule.id);
                            o.text("title", &rule.title);
                            o.truth("tried", explained.tried);
                            o.truth("holds", explained.holds);
                            o.truth("matched", explained.holds && matched);
                            let exceptions = self.exceptions(explained.rule, decided);
                            let exceptions = exceptions.filter(|_| explained.holds);
                            array(o.key("suppressed_by"), exceptions, |out, exception| {
                                object(out, |o| {
                                    o.text("exception", &exception.id);
                                    o.text("reason", &exception.reason);
                                });
                            });
                            self.clause_json(&explained.clause, o.key("clause"));
                        });
                    });
                });
            });
        });
        out.push(b'\n');
        out
    }

    fn clause_json(&self, clause: &Explained, out: &mut Vec<u8>) {
        object(out, |o| {
            o.truth("holds", clause.holds);
            match &clause.what {
                What::All(parts) => {
                    array(o.key("all"), parts, |out, part| self.clause_json(part, out));
                }
                What::Any(parts) => {
                    array(o.key("any"), parts, |out, part| self.clause_json(part, out));
                }
                What::Not(part) => self.clause_json(part, o.key("not")),
                What::Nested {
                    path,
                    objects,
                    object,
                } => {
                    o.text("objects_of", path);
                    o.number("count", *objects as u64);
                    if let Some(object) = object {
                        self.clause_json(object, o.key("object"));
                    }
                }
                What::Named(name, part) => {
                    o.text("name", name);
                    self.clause_json(part, o.key("is"));
                }
                What::Predicate { id, values, more } => {
                    let predicate = &self.matcher.predicate(*id).predicate;
                    o.text("field", predicate.field.label().as_bytes());
                    o.text("test", words::tested(&predicate.test));
                    o.text("keyword", keyword(&predicate.test));
                    texts(o.key("values"), values);
                    o.truth("more", *more);
                }
            }
        });
    }
}

impl Decided {
    fn new(root: Handle, verdict: &Verdict) -> Decided {
        Decided {
            root,
            matches: verdict.rules().collect(),
            suppressed: verdict.suppressed.clone(),
        }
    }
}

/// Longer values are cut: a record's whole text may be one value.
const LONGEST_VALUE: usize = 200;

fn value_text(value: &str, unicode: bool) -> String {
    let value = harmless_bytes(value.as_bytes());
    match value.char_indices().nth(LONGEST_VALUE) {
        None => format!("\"{value}\""),
        Some((end, _)) => format!("\"{}\"{}", &value[..end], if unicode { "…" } else { "..." }),
    }
}
