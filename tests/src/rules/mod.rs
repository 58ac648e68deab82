//! Kuery rules of the shape that the public ones have, by the hundred: to measure what a large rule set
//! costs, and to test that it changes nothing.
//!
//! A generated rule can be had as the model has it and as the TOML file it would be published in.

mod families;
mod query;
mod records;

use poseur_rule::error::Place;
use poseur_rule::model::{Language, Level, LogSource, Origin, Rule};

pub use self::query::{Query, Value};
use crate::traffic::rng::Rng;
use families::{Action, Family, Kind};

/// What rules to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How many.
    pub count: usize,
    /// Everything random follows from this.
    pub seed: u64,
    /// Share of rules, 0 to 1, for Office 365 audit records.
    pub o365: f64,
    /// Share of the Office 365 rules about operations that generated Teams traffic has; the others ask for
    /// operations that it lacks.
    pub met: f64,
    /// Share of the Office 365 rules without any literal that a matching record must hold, so that
    /// every record has to be looked at.
    pub unwitnessed: f64,
}

impl Default for Options {
    /// 500 rules, 5 % of them for Office 365, none of which Teams traffic comes near.
    fn default() -> Options {
        Options {
            count: 500,
            seed: 1,
            o365: 0.05,
            met: 0.0,
            unwitnessed: 0.0,
        }
    }
}

impl Options {
    /// The default rules, but one in two for Office 365 is about Teams operations, and one in five
    /// makes every record be looked at.
    pub fn walking() -> Options {
        Options {
            met: 0.5,
            unwitnessed: 0.2,
            ..Options::default()
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// A GUID.
    pub id: String,
    /// Its name.
    pub title: String,
    /// Index patterns.
    pub indices: Vec<String>,
    /// What must hold.
    pub query: Query,
    /// Fields for analysts.
    pub fields: Vec<&'static str>,
}

/// The operations of generated Teams traffic that are no candidates of the built-in rules.
const TEAMS: [&str; 4] = [
    "MessageSent",
    "MemberAdded",
    "ChatUpdated",
    "TeamsSessionStarted",
];

/// Makes rules.
pub fn generate(options: &Options) -> Vec<Generated> {
    let mut rng = Rng::new(options.seed);
    let all: u32 = families::OTHERS.iter().map(|family| family.share).sum();
    let rules = (0..options.count).map(|number| {
        let o365 = rng.chance(options.o365);
        let family = if o365 {
            &families::O365
        } else {
            let mut at = rng.below(all);
            let chosen = families::OTHERS.iter().find(|family| {
                let here = at < family.share;
                at = at.wrapping_sub(family.share);
                here
            });
            chosen.expect("the shares add up")
        };
        let mut made = rule(&mut rng, family, number);
        if o365 && rng.chance(options.unwitnessed) {
            made.query = unwitnessed(&mut rng);
        } else if o365 && rng.chance(options.met) {
            made.query = met(&mut rng);
        }
        made
    });
    rules.collect()
}

/// An operation that Teams traffic has, by users that it has not.
fn met(rng: &mut Rng) -> Query {
    let text = |text: &str| vec![Value::Text(text.to_owned())];
    Query::All(vec![
        Query::Has("data_stream.dataset", text("o365.audit")),
        Query::Has("event.provider", text("MicrosoftTeams")),
        Query::Has("event.action", text(rng.word(&TEAMS))),
        Query::Has("user.id", values(rng, Kind::Parts)),
    ])
}

/// Successes but those of Teams and some others: no text is in all records that match, because a record
/// without a result counts as one.
fn unwitnessed(rng: &mut Rng) -> Query {
    let but = Query::Any(vec![
        Query::Has("event.provider", vec![Value::Text("MicrosoftTeams".into())]),
        Query::Has("user.id", values(rng, Kind::Names)),
    ]);
    Query::All(vec![
        Query::Has(
            "data_stream.dataset",
            vec![Value::Text("o365.audit".into())],
        ),
        Query::Has("event.outcome", vec![Value::Text("success".into())]),
        Query::Not(Box::new(but)),
    ])
}

fn rule(rng: &mut Rng, family: &Family, number: usize) -> Generated {
    let (dataset_field, datasets) = family.dataset;
    let dataset = rng.word(datasets);
    let text = |text: &str| Value::Text(text.to_owned());
    let mut parts = vec![Query::Has(dataset_field, vec![text(dataset)])];
    for &(field, value) in family.always {
        parts.push(Query::Has(field, vec![text(value)]));
    }
    if !family.providers.is_empty() && rng.chance(0.8) {
        let provider = rng.word(family.providers);
        parts.push(Query::Has("event.provider", vec![text(provider)]));
    }
    if let Some(style) = family.action {
        let count = count(rng).min(12);
        let actions = (0..count).map(|_| Value::Text(action(rng, style)));
        parts.push(Query::Has("event.action", actions.collect()));
    }
    // Of fields of one product, those of its other datasets would contradict the rule's.
    let fits = |field: &str| {
        let of = |dataset: &&str| field.starts_with(*dataset);
        of(&dataset) || !datasets.iter().any(of)
    };
    let fields: Vec<_> = family
        .fields
        .iter()
        .filter(|(field, _)| fits(field))
        .collect();
    let least = usize::from(family.action.is_none());
    let wanted = least + rng.below(3) as usize;
    let mut chosen = Vec::new();
    for _ in 0..wanted {
        let &&(field, kind) = rng.pick(&fields);
        let has = Query::Has(field, values(rng, kind));
        if rng.chance(0.12) {
            let but = Query::Has(field, values(rng, kind));
            chosen.push(Query::Any(vec![has, but]));
        } else {
            chosen.push(has);
        }
    }
    // About half as many `not` as rules.
    if rng.chance(0.45) {
        let &&(field, kind) = rng.pick(&fields);
        chosen.push(Query::Not(Box::new(Query::Has(field, values(rng, kind)))));
    }
    parts.extend(chosen);
    let query = if parts.len() == 1 {
        parts.remove(0)
    } else {
        Query::All(parts)
    };
    let mut shown = vec!["@timestamp", "user.name", "source.ip", "event.action"];
    shown.extend(fields.iter().map(|(field, _)| *field));
    Generated {
        id: rng.guid().as_str().to_owned(),
        title: format!("Rule {number} about {dataset}: {}", word(rng)),
        indices: family
            .indices
            .iter()
            .map(|index| index.replace("{}", dataset))
            .collect(),
        query,
        // A third of the public rules lists fields.
        fields: if rng.chance(0.33) { shown } else { Vec::new() },
    }
}

/// How many values a list has: mostly few, now and then dozens, seldom hundreds.
fn count(rng: &mut Rng) -> u32 {
    match rng.below(1000) {
        0..550 => 1,
        550..850 => rng.range(2, 5),
        850..960 => rng.range(5, 10),
        960..996 => rng.range(10, 40),
        _ => rng.range(100, 350),
    }
}

fn values(rng: &mut Rng, kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Words => (0..count(rng).min(10))
            .map(|_| Value::Text(name(rng)))
            .collect(),
        Kind::Names => {
            let names = (0..count(rng)).map(|_| match rng.below(5) {
                0 => Value::Pattern(format!("{}*", word(rng))),
                1 => Value::Pattern(format!("*{}", word(rng))),
                _ => Value::Text(name(rng)),
            });
            names.collect()
        }
        Kind::Parts => {
            let parts = (0..count(rng)).map(|_| match rng.below(8) {
                0 => Value::Pattern(format!("{}*{}", word(rng), word(rng))),
                1 => Value::Pattern(format!("*{}*{}*", word(rng), word(rng))),
                2 => Value::Text(name(rng)),
                _ => Value::Pattern(format!("*{}*", word(rng))),
            });
            parts.collect()
        }
        Kind::One(of) => vec![Value::Text((*rng.pick(of)).to_owned())],
        Kind::Flag => vec![Value::Bool(rng.one_in(2))],
        Kind::Exists => vec![Value::Exists],
        Kind::Number => (0..count(rng).min(6))
            .map(|_| Value::Number(i64::from(rng.below(65_536))))
            .collect(),
        Kind::Networks => (0..count(rng).min(6))
            .map(|_| Value::Network([10, rng.below(256) as u8, 0, 0], 16))
            .collect(),
    }
}

/// A word that no traffic holds: three to four syllables.
fn word(rng: &mut Rng) -> String {
    const STARTS: [&str; 14] = [
        "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "t", "v", "z", "qu",
    ];
    const ENDS: [&str; 10] = ["ar", "ex", "il", "om", "ur", "az", "ev", "ix", "ok", "un"];
    let syllables = rng.range(3, 5);
    (0..syllables)
        .map(|_| [rng.word(&STARTS), rng.word(&ENDS)].concat())
        .collect()
}

fn capital(rng: &mut Rng) -> String {
    let word = word(rng);
    let (first, rest) = word.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

/// A name as systems have them.
fn name(rng: &mut Rng) -> String {
    match rng.below(5) {
        0 => word(rng),
        1 => capital(rng) + &capital(rng),
        2 => format!("{}-{}", word(rng), word(rng)),
        3 => format!(
            "{}.{}",
            word(rng),
            rng.word(&["exe", "com", "example", "sh"])
        ),
        _ => format!("{} {}", capital(rng), word(rng)),
    }
}

fn action(rng: &mut Rng, style: Action) -> String {
    const VERBS: [&str; 8] = [
        "Put", "Create", "Delete", "Update", "Attach", "Modify", "Disable", "Remove",
    ];
    let verb = rng.word(&VERBS);
    match style {
        Action::Camel => format!("{verb}{}{}", capital(rng), capital(rng)),
        Action::Cmdlet => format!("{}-{}", rng.word(&["Set", "New", "Remove"]), capital(rng)),
        Action::Dotted => format!("{}.{}.{}", word(rng), word(rng), verb.to_lowercase()),
        Action::Upper => format!("{}_{}", verb, word(rng)).to_uppercase(),
        Action::Words => format!("{} {} {}", verb, word(rng), word(rng)),
    }
}

impl Generated {
    /// The rule as the model has it.
    pub fn rule(&self) -> Rule {
        Rule {
            id: self.id.clone(),
            title: self.title.clone(),
            description: "Made up.".to_owned(),
            status: None,
            author: Some("Poseur".to_owned()),
            level: Level::Medium,
            risk_score: Some(47),
            techniques: vec!["T1098".to_owned()],
            tactics: vec!["persistence".to_owned()],
            references: Vec::new(),
            false_positives: Vec::new(),
            fields: self
                .fields
                .iter()
                .map(|field| (*field).to_owned())
                .collect(),
            log_source: LogSource {
                indices: self.indices.clone(),
                ..LogSource::default()
            },
            condition: self.query.condition(),
            origin: Origin {
                language: Language::Kuery,
                place: Place::new("generated", 0, 0),
            },
        }
    }

    /// The rule as a file of Elastic's form.
    pub fn toml(&self) -> String {
        let list = |texts: &[String]| {
            let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
            quoted.join(", ")
        };
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|field| (*field).to_owned())
            .collect();
        let investigation = if fields.is_empty() {
            String::new()
        } else {
            format!(
                "\n[rule.investigation_fields]\nfield_names = [{}]\n",
                list(&fields)
            )
        };
        format!(
            r#"[metadata]
creation_date = "2026/01/05"
maturity = "production"
updated_date = "2026/01/05"

[rule]
author = ["Poseur"]
description = """
Made up.
"""
from = "now-9m"
index = [{indices}]
language = "kuery"
license = "MIT OR Apache-2.0"
name = "{title}"
risk_score = 47
rule_id = "{id}"
severity = "medium"
tags = ["Tactic: Persistence"]
timestamp_override = "event.ingested"
type = "query"

query = '''
{query}
'''

[[rule.threat]]
framework = "MITRE ATT&CK"
[[rule.threat.technique]]
id = "T1098"
name = "Account Manipulation"
reference = "https://attack.mitre.org/techniques/T1098/"

[rule.threat.tactic]
id = "TA0003"
name = "Persistence"
reference = "https://attack.mitre.org/tactics/TA0003/"
{investigation}"#,
            indices = list(&self.indices),
            title = self.title,
            id = self.id,
            query = self.query,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_options_make_the_same_rules() {
        let options = Options::walking();
        assert_eq!(generate(&options), generate(&options));
        let other = Options { seed: 2, ..options };
        assert_ne!(generate(&other), generate(&Options::walking()));
    }

    #[test]
    fn a_query_reads_as_kuery() {
        let text = |text: &str| Value::Text(text.to_owned());
        let query = Query::All(vec![
            Query::Has("a.b", vec![text("x y"), Value::Pattern("*z".into())]),
            Query::Not(Box::new(Query::Has("c", vec![Value::Exists]))),
            Query::Any(vec![
                Query::Has("d", vec![Value::Bool(false)]),
                Query::Has("e", vec![text("\"\\")]),
            ]),
        ]);
        let expected = r#"a.b:("x y" or *z) and
  not (c:*) and
  (d:false or
  e:"\"\\")"#;
        assert_eq!(query.to_string(), expected);
    }
}
