//! A rule file: the tables `[rule]` and `[metadata]`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::filter;
use super::lower::shortened;
use super::source::Source;
use crate::error::{LoadError, Place};
use crate::model::{Condition, Language, Level, LogSource, Origin, Rule};
use crate::types::Types;
use crate::yaml::closest;

pub(super) type Item<'t> = Spanned<DeValue<'t>>;

/// Reads the rule of a file.
pub(super) fn read(file: &str, text: &str, types: &Types) -> Result<Rule, Vec<LoadError>> {
    let source = Source {
        file,
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
    };
    let document = parse(source).map_err(|error| vec![error])?;
    let Some(item) = document.get("rule") else {
        let reason = "the file has no table `[rule]`: is it a rule of Elastic's?";
        return Err(vec![LoadError::new(Place::new(file, 0, 0), reason)]);
    };
    let Some(rule) = item.get_ref().as_table() else {
        let reason = format!("`rule` must be a table, not {}", kind(item));
        return Err(vec![source.error(item.span().start, reason)]);
    };
    let at = item.span().start;
    if let Err(error) = is_kuery(source, rule, at) {
        return Err(vec![error]);
    }
    let mut reader = Reader {
        source,
        errors: Vec::new(),
    };
    let id = reader.required(rule, "rule_id", at);
    let title = reader.required(rule, "name", at);
    let condition = reader.condition(rule, at, types);
    let (techniques, tactics) = reader.threats(rule);
    let authors = reader.texts(rule, "author");
    let rule = Rule {
        id: id.unwrap_or_default(),
        title: title.unwrap_or_default(),
        description: reader.optional(rule, "description").unwrap_or_default(),
        status: reader
            .table(&document, "metadata")
            .and_then(|metadata| reader.optional(metadata, "maturity")),
        author: (!authors.is_empty()).then(|| authors.join(", ")),
        level: reader.level(rule),
        risk_score: reader.risk_score(rule),
        techniques,
        tactics,
        references: reader.texts(rule, "references"),
        false_positives: reader.texts(rule, "false_positives"),
        fields: reader
            .table(rule, "investigation_fields")
            .map_or_else(Vec::new, |fields| reader.texts(fields, "field_names")),
        log_source: LogSource {
            indices: reader.texts(rule, "index"),
            ..LogSource::default()
        },
        condition: condition.unwrap_or(Condition::All(Vec::new())),
        origin: Origin {
            language: Language::Kuery,
            place: source.error(at, "").place,
        },
    };
    if reader.errors.is_empty() {
        return Ok(rule);
    }
    reader.errors.sort_by(|a, b| a.place.cmp(&b.place));
    Err(reader.errors)
}

fn parse<'f>(source: Source<'f>) -> Result<DeTable<'f>, LoadError> {
    match DeTable::parse(source.text) {
        Ok(document) => Ok(document.into_inner()),
        Err(error) => {
            let at = error.span().map_or(source.text.len(), |span| span.start);
            let message: Vec<&str> = error.message().split_whitespace().collect();
            Err(source.error(at, format!("this is not TOML: {}", message.join(" "))))
        }
    }
}

/// Refuses what is no kuery query on single records, in one line that says what it is.
fn is_kuery(source: Source<'_>, rule: &DeTable<'_>, at: usize) -> Result<(), LoadError> {
    let word = |key: &str| -> Result<Option<(usize, &str)>, LoadError> {
        let Some(item) = rule.get(key) else {
            return Ok(None);
        };
        let start = item.span().start;
        match item.get_ref().as_str() {
            Some(word) => Ok(Some((start, word))),
            None => {
                let reason = format!("`{key}` must be a text, not {}", kind(item));
                Err(source.error(start, reason))
            }
        }
    };
    let (kind, language) = (word("type")?, word("language")?);
    let Some((kind_at, kind)) = kind else {
        let reason = "`type` is missing: rules of the type `query` can be loaded";
        return Err(source.error(at, reason));
    };
    let why = match kind {
        "query" => match language {
            // Without a language, a query is kuery.
            None | Some((_, "kuery")) => return Ok(()),
            Some(_) => "that is another query language",
        },
        "eql" | "esql" => "that is another query language",
        "threshold" => "it counts records, and Poseur judges each record alone",
        "new_terms" => {
            "it looks for values that earlier records do not have, and Poseur judges each record alone"
        }
        "threat_match" => {
            "it compares records with a list of indicators, and Poseur judges each record alone"
        }
        "machine_learning" => {
            "it reads the results of an anomaly job, and Poseur judges each record alone"
        }
        "saved_query" => "its query is kept in Kibana, not in the file",
        _ => "that is no type that Poseur knows",
    };
    let at = match language {
        Some((at, _)) if kind == "query" => at,
        _ => kind_at,
    };
    let language = match language {
        Some((_, language)) => format!(" in the language `{}`", shortened(language)),
        None => String::new(),
    };
    Err(source.error(
        at,
        format!(
            "a rule of the type `{}`{language}: {why}; rules of the type `query` in the language \
             `kuery` can be loaded",
            shortened(kind)
        ),
    ))
}

/// What a value is, as an error says it.
pub(super) fn kind(item: &Item<'_>) -> &'static str {
    match item.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Reads values and collects what is wrong with them: at most one error for each key.
struct Reader<'f> {
    source: Source<'f>,
    errors: Vec<LoadError>,
}

impl Reader<'_> {
    fn error(&mut self, at: Range<usize>, reason: impl Into<String>) {
        self.errors.push(self.source.error(at.start, reason));
    }

    /// A text that must be there and not be empty. `at` is where its table begins.
    fn required(&mut self, table: &DeTable<'_>, key: &str, at: usize) -> Option<String> {
        let Some(item) = table.get(key) else {
            self.error(at..at, format!("`{key}` is missing"));
            return None;
        };
        let text = self.text(item, key)?.trim();
        if text.is_empty() {
            self.error(item.span(), format!("`{key}` must not be empty"));
            return None;
        }
        Some(text.to_owned())
    }

    /// The text under a key; none if it is blank.
    fn optional(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let text = self.text(table.get(key)?, key)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn text<'t>(&mut self, item: &'t Item<'_>, key: &str) -> Option<&'t str> {
        let text = item.get_ref().as_str();
        if text.is_none() {
            let reason = format!("`{key}` must be a text, not {}", kind(item));
            self.error(item.span(), reason);
        }
        text
    }

    /// The texts under a key: a list, or one that stands for a list of one.
    fn texts(&mut self, table: &DeTable<'_>, key: &str) -> Vec<String> {
        let Some(item) = table.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = item.get_ref() else {
            let text = self.text(item, key);
            return text
                .into_iter()
                .map(|text| text.trim().to_owned())
                .collect();
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            let Some(text) = item.get_ref().as_str() else {
                let reason = format!("each of `{key}` must be a text, not {}", kind(item));
                self.error(item.span(), reason);
                break;
            };
            texts.push(text.trim().to_owned());
        }
        texts
    }

    fn table<'t, 'v>(&mut self, table: &'t DeTable<'v>, key: &str) -> Option<&'t DeTable<'v>> {
        let item = table.get(key)?;
        let inner = item.get_ref().as_table();
        if inner.is_none() {
            let reason = format!("`{key}` must be a table, not {}", kind(item));
            self.error(item.span(), reason);
        }
        inner
    }

    /// The tables of a list; none, and an error, if something in it is no table.
    fn tables<'t, 'v>(&mut self, table: &'t DeTable<'v>, key: &str) -> Vec<&'t DeTable<'v>> {
        let Some(item) = table.get(key) else {
            return Vec::new();
        };
        let tables = item.get_ref().as_array().and_then(|items| {
            let tables = items.iter().map(|item| item.get_ref().as_table());
            tables.collect::<Option<Vec<_>>>()
        });
        tables.unwrap_or_else(|| {
            self.error(item.span(), format!("`{key}` must be a list of tables"));
            Vec::new()
        })
    }

    fn level(&mut self, rule: &DeTable<'_>) -> Level {
        const WORDS: [&str; 4] = ["low", "medium", "high", "critical"];
        let Some(item) = rule.get("severity") else {
            return Level::default();
        };
        let Some(word) = self.text(item, "severity") else {
            return Level::default();
        };
        Level::from_word(word.trim()).unwrap_or_else(|| {
            let hint = closest(word, WORDS).map_or_else(
                || format!("known are {}", WORDS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let word = shortened(word);
            self.error(item.span(), format!("unknown severity `{word}`: {hint}"));
            Level::default()
        })
    }

    fn risk_score(&mut self, rule: &DeTable<'_>) -> Option<u8> {
        let item = rule.get("risk_score")?;
        let score = item.get_ref().as_integer();
        let score = score.and_then(|score| u8::from_str_radix(score.as_str(), score.radix()).ok());
        let score = score.filter(|score| *score <= 100);
        if score.is_none() {
            let reason = "`risk_score` must be a whole number from 0 to 100";
            self.error(item.span(), reason);
        }
        score
    }

    /// Techniques and tactics of ATT&CK. Other frameworks have no meaning here.
    fn threats(&mut self, rule: &DeTable<'_>) -> (Vec<String>, Vec<String>) {
        let (mut techniques, mut tactics) = (Vec::new(), Vec::new());
        for threat in self.tables(rule, "threat") {
            let framework = threat
                .get("framework")
                .and_then(|item| item.get_ref().as_str());
            if framework.is_some_and(|name| name != "MITRE ATT&CK") {
                continue;
            }
            if let Some(tactic) = self.table(threat, "tactic")
                && let Some(name) = self.optional(tactic, "name")
            {
                add(&mut tactics, name.to_lowercase().replace(' ', "-"));
            }
            for technique in self.tables(threat, "technique") {
                let id = self.optional(technique, "id");
                id.into_iter()
                    .for_each(|id| add(&mut techniques, id.to_uppercase()));
                for sub in self.tables(technique, "subtechnique") {
                    let id = self.optional(sub, "id");
                    id.into_iter()
                        .for_each(|id| add(&mut techniques, id.to_uppercase()));
                }
            }
            if !self.errors.is_empty() {
                break;
            }
        }
        (techniques, tactics)
    }

    /// What the query asks, and what the filters ask besides.
    fn condition(&mut self, rule: &DeTable<'_>, at: usize, types: &Types) -> Option<Condition> {
        let query = match rule.get("query") {
            Some(item) => self.query(item, types),
            None => {
                self.error(
                    at..at,
                    "`query` is missing: write `query = \"\"` for a rule that always holds",
                );
                None
            }
        };
        let mut parts = Vec::new();
        if let Some(item) = rule.get("filters") {
            match filter::conditions(item, types) {
                Ok(filters) => parts = filters,
                Err((at, reason)) => {
                    self.errors.push(self.source.error(at, reason));
                }
            }
        }
        parts.insert(0, query?);
        Some(match parts.len() {
            1 => parts.remove(0),
            _ => Condition::All(parts),
        })
    }

    fn query(&mut self, item: &Item<'_>, types: &Types) -> Option<Condition> {
        let query = self.text(item, "query")?;
        match super::condition(query, types) {
            Ok(condition) => Some(condition),
            Err((offset, reason)) => {
                let error = self.source.error_within(item.span(), query, offset, reason);
                self.errors.push(error);
                None
            }
        }
    }
}

fn add(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}
