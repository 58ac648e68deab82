//! `rsigma-eval`, the engine of rsigma, with the same rules.

use std::fmt::Write;

use poseur_tests::rules::{Generated, Options, Query, Value as Wanted};
use rsigma_eval::{Engine, JsonEvent};
use rsigma_parser::{LogSource, parse_sigma_yaml};
use serde_json::Value;

use super::tree::{Task, Writes, contender};
use crate::contender::Contender;
use crate::rules::others;

/// Rule A for raw records.
pub const RULE_A: &str = include_str!("../../rules/rule-a.yml");
/// Rule B for streamed records, without its time window.
pub const RULE_B: &str = include_str!("../../rules/rule-b.yml");

/// Records are parsed with serde_json, as rsigma does it; all rules are evaluated; what matched is written.
pub fn sigma(task: &Task, rules: &[String]) -> Contender {
    let engine = engine(rules);
    let name = "rsigma-eval, parse, evaluate, write matches";
    let judge = move |record: &mut Value| !engine.evaluate(&JsonEvent::borrow(record)).is_empty();
    contender(name, task, Writes::Matches, judge)
}

/// The same, and the engine is told that all records are from Microsoft 365, so that it leaves out the
/// rules for other products. The tagger finds that out by itself.
pub fn sigma_told(task: &Task, rules: &[String]) -> Contender {
    let engine = engine(rules);
    let source = LogSource {
        product: Some("m365".to_owned()),
        ..LogSource::default()
    };
    let name = "rsigma-eval, told the product, parse, evaluate, write matches";
    let judge = move |record: &mut Value| {
        let event = JsonEvent::borrow(record);
        !engine.evaluate_pruned(&event, &source).is_empty()
    };
    contender(name, task, Writes::Matches, judge)
}

fn engine(rules: &[String]) -> Engine {
    let mut engine = Engine::new();
    for text in rules {
        let read = parse_sigma_yaml(text).expect("a Sigma rule");
        assert!(read.errors.is_empty(), "{:?}\n{text}", read.errors);
        engine.add_collection(&read).expect("a rule that compiles");
    }
    assert_eq!(engine.rule_count(), rules.len());
    engine
}

/// Rule A and the generated rules that make five hundred with rule B, as Sigma documents for raw records.
pub fn five_hundred(options: Options) -> Vec<String> {
    let rules = others(options);
    let built_in = [RULE_A, RULE_B].map(str::to_owned);
    built_in
        .into_iter()
        .chain(rules.iter().map(document))
        .collect()
}

fn document(rule: &Generated) -> String {
    let Generated { id, title, .. } = rule;
    let product = product(&rule.query);
    let mut writer = Writer {
        raw: product == "m365",
        ..Writer::default()
    };
    let condition = writer.condition(&rule.query);
    let selections = writer.selections;
    format!(
        "title: '{title}'\nid: {id}\nlogsource:\n  product: {product}\ndetection:\n{selections}  \
         condition: {condition}\nlevel: medium\n"
    )
}

/// The product a rule is for: the first part of its data set's name.
fn product(query: &Query) -> String {
    let Query::All(parts) = query else {
        return "other".to_owned();
    };
    let dataset = parts.iter().find_map(|part| match part {
        Query::Has("data_stream.dataset" | "event.dataset", values) => values.first(),
        _ => None,
    });
    match dataset {
        Some(Wanted::Text(name)) if name == "o365.audit" => "m365".to_owned(),
        Some(Wanted::Text(name)) => name.split('.').next().unwrap_or(name).to_owned(),
        _ => "other".to_owned(),
    }
}

/// Writes a selection for every test of a field.
#[derive(Default)]
struct Writer {
    /// Fields get the names that they have in raw Office 365 records. Of the other products' rules they
    /// keep theirs: raw records have none of them.
    raw: bool,
    selections: String,
    count: usize,
}

impl Writer {
    /// The condition on the selections that are written for a query.
    fn condition(&mut self, query: &Query) -> String {
        match query {
            Query::All(parts) => self.joined(parts, " and "),
            Query::Any(parts) => self.joined(parts, " or "),
            Query::Not(part) => format!("not {}", self.condition(part)),
            Query::Has(field, values) if self.raw => {
                let (field, values, negated) = raw(field, values);
                let not = if negated { "not " } else { "" };
                not.to_owned() + &self.selection(field, &values)
            }
            Query::Has(field, values) => self.selection(field, values),
        }
    }

    fn joined(&mut self, parts: &[Query], word: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.condition(part)).collect();
        format!("({})", parts.join(word))
    }

    fn selection(&mut self, field: &str, values: &[Wanted]) -> String {
        let modifier = match values.first() {
            Some(Wanted::Text(_) | Wanted::Pattern(_)) => "|cased",
            Some(Wanted::Exists) => "|exists",
            Some(Wanted::Network(..)) => "|cidr",
            Some(Wanted::Bool(_) | Wanted::Number(_)) | None => "",
        };
        let list: Vec<String> = values.iter().map(value).collect();
        let list = match list.as_slice() {
            [one] => one.clone(),
            list => format!("[{}]", list.join(", ")),
        };
        let name = format!("s{}", self.count);
        self.count += 1;
        // Writing to a string does not fail.
        let _ = writeln!(self.selections, "  {name}:\n    {field}{modifier}: {list}");
        name
    }
}

/// A test of an ECS field as one of the raw record: its field and values, and whether they must not hold.
fn raw<'q>(field: &'q str, values: &[Wanted]) -> (&'q str, Vec<Wanted>, bool) {
    let text = |text: &str| Wanted::Text(text.to_owned());
    let failures = || ["Failed", "failed", "False", "false"].map(text).to_vec();
    let same = |field| (field, values.to_vec(), false);
    match field {
        // Every raw record is of this data set, and shows it by this key.
        "data_stream.dataset" => ("Operation", vec![Wanted::Exists], false),
        "event.outcome" => ("ResultStatus", failures(), values == [text("success")]),
        "event.action" => same("Operation"),
        "event.provider" => same("Workload"),
        "user.id" | "user.email" => same("UserId"),
        field => same(field.strip_prefix("o365.audit.").unwrap_or(field)),
    }
}

/// A value in a list of YAML's flow style.
fn value(value: &Wanted) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match value {
        Wanted::Text(text) => {
            let mut escaped = text.replace('\\', "\\\\");
            for wildcard in ['*', '?'] {
                escaped = escaped.replace(wildcard, &format!("\\{wildcard}"));
            }
            quoted(&escaped)
        }
        Wanted::Pattern(text) => quoted(text),
        Wanted::Exists => "true".to_owned(),
        Wanted::Bool(truth) => truth.to_string(),
        Wanted::Number(number) => number.to_string(),
        Wanted::Network([a, b, c, d], bits) => quoted(&format!("{a}.{b}.{c}.{d}/{bits}")),
    }
}
