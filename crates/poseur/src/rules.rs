//! `poseur rules`: the loaded rules, as a list or one in plain words.

use poseur_rule::model::{Condition, LogSource, Rule};
use poseur_rule::normal::normal;

use crate::args::{self, Format, Sources};
use crate::diff;
use crate::error::Error;
use crate::json::{Object, array, object, texts};
use crate::load;
use crate::output;
use crate::terminal::{Colour, Paint, aligned, harmless};
use crate::words;

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(command: &args::Rules) -> Result<(), Error> {
    let text = match command {
        args::Rules::List { format, sources } => list(&rules(sources)?, *format),
        args::Rules::Show {
            id,
            format,
            sources,
        } => {
            let rules = rules(sources)?;
            show(&rules[find(&rules, id)?], *format)
        }
        args::Rules::Diff {
            left,
            right,
            format,
            sources,
        } => return diff::run(left, right, *format, sources),
    };
    output::print(&text)
}

/// The rules, which must all be usable.
fn rules(sources: &Sources) -> Result<Vec<Rule>, Error> {
    Ok(load::ready(sources)?.matcher.rules().to_vec())
}

/// The number of the rule with an id, or of the only one whose id begins so.
///
/// # Errors
/// If there is none, or several.
pub fn find(rules: &[Rule], id: &str) -> Result<usize, Error> {
    if let Some(exact) = rules.iter().position(|rule| rule.id == id) {
        return Ok(exact);
    }
    let begins = |rule: &Rule| {
        let start = rule.id.get(..id.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(id))
    };
    let found: Vec<usize> = (0..rules.len()).filter(|at| begins(&rules[*at])).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Error::Rule(format!(
            "no loaded rule has the id {id}: see `poseur rules list`"
        ))),
        several => {
            let ids: Vec<&str> = several.iter().map(|at| rules[*at].id.as_str()).collect();
            Err(Error::Rule(format!(
                "{} rules have ids that begin with {id}: {}",
                ids.len(),
                ids.join(", ")
            )))
        }
    }
}

/// The list.
pub fn list(rules: &[Rule], format: Format) -> Vec<u8> {
    if format == Format::Json {
        let mut out = Vec::new();
        array(&mut out, rules, |out, rule| {
            object(out, |o| metadata(rule, o))
        });
        out.push(b'\n');
        return out;
    }
    let mut rows = vec![
        ["ID", "LEVEL", "LANGUAGE", "TITLE", "FILE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for rule in rules {
        rows.push(vec![
            harmless(&rule.id).into_owned(),
            rule.level.as_str().to_owned(),
            rule.origin.language.as_str().to_owned(),
            harmless(&rule.title).into_owned(),
            place(rule),
        ]);
    }
    lines(&rows)
}

/// An aligned table whose first row is the headings.
pub fn lines(rows: &[Vec<String>]) -> Vec<u8> {
    let paint = Paint::stdout();
    let mut out = String::new();
    for (at, line) in aligned(rows).into_iter().enumerate() {
        match at {
            0 => out.push_str(&paint.of(Colour::Bold, line)),
            _ => out.push_str(&line),
        }
        out.push('\n');
    }
    out.into_bytes()
}

/// File and line of a rule.
pub fn place(rule: &Rule) -> String {
    let place = &rule.origin.place;
    harmless(&format!("{}:{}", place.file, place.line)).into_owned()
}

/// What is known of a rule, besides its condition.
fn metadata(rule: &Rule, o: &mut Object<'_>) {
    o.text("id", &rule.id);
    o.text("title", &rule.title);
    o.text("level", rule.level.as_str());
    match rule.risk_score {
        Some(score) => o.number("risk_score", score.into()),
        None => o.raw("risk_score", "null"),
    }
    o.text("language", rule.origin.language.as_str());
    o.text("file", &rule.origin.place.file);
    o.number("line", rule.origin.place.line as u64);
    o.maybe("status", rule.status.as_deref());
    o.maybe("author", rule.author.as_deref());
    o.text("description", &rule.description);
    texts(o.key("techniques"), &rule.techniques);
    texts(o.key("tactics"), &rule.tactics);
    texts(o.key("references"), &rule.references);
    texts(o.key("false_positives"), &rule.false_positives);
    object(o.key("log_source"), |o| {
        o.maybe("product", rule.log_source.product.as_deref());
        o.maybe("service", rule.log_source.service.as_deref());
        o.maybe("category", rule.log_source.category.as_deref());
        texts(o.key("indices"), &rule.log_source.indices);
        o.maybe("table", rule.log_source.table.as_deref());
    });
    texts(o.key("context"), &rule.fields);
    texts(o.key("fields"), words::fields(&rule.condition));
}

/// One rule.
pub fn show(rule: &Rule, format: Format) -> Vec<u8> {
    if format == Format::Json {
        let mut out = Vec::new();
        object(&mut out, |o| {
            metadata(rule, o);
            condition(&normal(&rule.condition), o.key("condition"));
        });
        out.push(b'\n');
        return out;
    }
    let paint = Paint::stdout();
    let mut out = format!("{}\n\n", paint.of(Colour::Bold, harmless(&rule.title)));
    let LogSource {
        product,
        service,
        category,
        indices,
        table,
    } = &rule.log_source;
    let source = [product, service, category, table].into_iter().flatten();
    let source: Vec<&str> = source.chain(indices).map(String::as_str).collect();
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![name.to_owned(), harmless(&value).into_owned()]);
        }
    };
    row("id", rule.id.clone());
    row("level", rule.level.as_str().to_owned());
    row(
        "risk score",
        rule.risk_score
            .map_or_else(String::new, |score| score.to_string()),
    );
    row("language", rule.origin.language.as_str().to_owned());
    row("file", place(rule));
    row("status", rule.status.clone().unwrap_or_default());
    row("author", rule.author.clone().unwrap_or_default());
    row("techniques", rule.techniques.join(", "));
    row("tactics", rule.tactics.join(", "));
    row("log source", source.join(", "));
    for reference in &rule.references {
        row("reference", reference.clone());
    }
    for cause in &rule.false_positives {
        row("benign", cause.clone());
    }
    out.push_str(&aligned(&rows).join("\n"));
    out.push('\n');
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            out.push_str(&format!("\n{}\n", paint.of(Colour::Bold, title)));
            lines
                .iter()
                .for_each(|line| out.push_str(&format!("  {line}\n")));
        }
    };
    let harmless_lines = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .map(|line| harmless(line).into_owned())
            .collect()
    };
    let description: Vec<String> = rule.description.lines().map(str::to_owned).collect();
    section("description", harmless_lines(&description));
    section("matches when", words::condition(&normal(&rule.condition)));
    section("looks at", harmless_lines(&words::fields(&rule.condition)));
    section("reports", harmless_lines(&rule.fields));
    out.into_bytes()
}

/// A condition for programs: `all`, `any`, `not`, `name` and `is`, or `field` and `test`.
fn condition(clause: &Condition, out: &mut Vec<u8>) {
    object(out, |o| match clause {
        Condition::All(parts) => array(o.key("all"), parts, |out, part| condition(part, out)),
        Condition::Any(parts) => array(o.key("any"), parts, |out, part| condition(part, out)),
        Condition::Not(part) => condition(part, o.key("not")),
        Condition::Named(name, part) => {
            o.text("name", name);
            condition(part, o.key("is"));
        }
        Condition::Nested {
            path,
            condition: part,
        } => {
            o.text("one_of", path);
            condition(part, o.key("satisfies"));
        }
        Condition::Test(predicate) => {
            o.text("field", predicate.field.label().as_bytes());
            o.text("test", words::tested(&predicate.test));
            o.text("keyword", poseur_tagger::tag::keyword(&predicate.test));
        }
    });
}
