//! A rule document: metadata, detection and Poseur's own keys.

use std::time::Duration;

use super::detection;
use crate::model::{
    Comparison, Condition, Field, Language, Level, LogSource, MAX_DEPTH, Moment, Origin, Predicate,
    Rule, Test,
};
use crate::yaml::{Node, Reader, closest};

/// Reads a rule. `None` after an error.
pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Option<Rule> {
    let errors_before = reader.errors.len();
    let id = required(reader, document, "id");
    let title = required(reader, document, "title");
    let level = level(reader, document);
    let (techniques, tactics) = tags(reader, document);
    let own = own_keys(reader, document);
    let log_source = log_source(reader, document);
    let condition = match document.entry("detection") {
        Some((_, detection)) => detection::read(reader, detection, "`detection`", &["condition"]),
        None => {
            reader.error(
                document,
                "`detection` is missing: it holds the selections and the condition of a rule",
            );
            None
        }
    };
    let rule = Rule {
        id: id?,
        title: title?,
        description: optional(reader, document, "description").unwrap_or_default(),
        status: optional(reader, document, "status"),
        author: author(reader, document),
        level,
        risk_score: own.risk_score,
        techniques,
        tactics,
        references: texts(reader, document, "references"),
        false_positives: texts(reader, document, "falsepositives"),
        fields: texts(reader, document, "fields"),
        log_source: log_source.unwrap_or_default(),
        condition: own.window(condition?),
        origin: Origin {
            language: Language::Sigma,
            place: document.place(reader.file),
        },
    };
    if rule.condition.depth() > MAX_DEPTH {
        reader.error(
            document,
            format!("the rule nests deeper than {MAX_DEPTH} levels"),
        );
    }
    (reader.errors.len() == errors_before).then_some(rule)
}

/// The text under a key that must be there.
pub(super) fn required(reader: &mut Reader<'_>, document: &Node, key: &str) -> Option<String> {
    match document.get(key) {
        Some(node) => {
            let text = reader.text(node, &format!("`{key}`"))?;
            Some(text.trim().to_owned())
        }
        None => {
            reader.error(document, format!("`{key}` is missing"));
            None
        }
    }
}

/// The text under a key; `None` also where nothing is written behind it.
pub(super) fn optional(reader: &mut Reader<'_>, document: &Node, key: &str) -> Option<String> {
    let node = document.get(key).filter(|node| !node.is_null())?;
    if node
        .as_scalar()
        .is_some_and(|scalar| scalar.text.trim().is_empty())
    {
        return None;
    }
    let text = reader.text(node, &format!("`{key}`"))?;
    Some(text.trim().to_owned())
}

/// Authors as one text: some files write a list.
pub(super) fn author(reader: &mut Reader<'_>, document: &Node) -> Option<String> {
    let authors = texts(reader, document, "author");
    (!authors.is_empty()).then(|| authors.join(", "))
}

fn texts(reader: &mut Reader<'_>, document: &Node, key: &str) -> Vec<String> {
    document.get(key).map_or_else(Vec::new, |node| {
        reader
            .texts(node, &format!("`{key}`"))
            .into_iter()
            .map(|(_, text)| text.trim().to_owned())
            .collect()
    })
}

fn level(reader: &mut Reader<'_>, document: &Node) -> Level {
    const WORDS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
    let Some(node) = document.get("level").filter(|node| !node.is_null()) else {
        return Level::default();
    };
    let Some(word) = reader.text(node, "`level`") else {
        return Level::default();
    };
    Level::from_word(word.trim()).unwrap_or_else(|| {
        let hint = closest(word, WORDS).map_or_else(
            || format!("known are {}", WORDS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        reader.error(node, format!("unknown level `{word}`: {hint}"));
        Level::default()
    })
}

/// The techniques and tactics among the tags. Tags of other namespaces have no meaning here.
fn tags(reader: &mut Reader<'_>, document: &Node) -> (Vec<String>, Vec<String>) {
    let (mut techniques, mut tactics) = (Vec::new(), Vec::new());
    for tag in texts(reader, document, "tags") {
        let tag = tag.to_ascii_lowercase();
        let Some(name) = tag.strip_prefix("attack.") else {
            continue;
        };
        if is_technique(name) {
            add(&mut techniques, name.to_ascii_uppercase());
        } else if name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b"-_".contains(&b))
        {
            // Groups (`g0016`), software (`s0154`) and data sources (`ds0015`) carry digits.
            add(&mut tactics, name.replace('_', "-"));
        }
    }
    (techniques, tactics)
}

fn add(names: &mut Vec<String>, name: String) {
    if !name.is_empty() && !names.contains(&name) {
        names.push(name);
    }
}

/// `t1566` or `t1566.003`.
fn is_technique(name: &str) -> bool {
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let Some(number) = name.strip_prefix('t') else {
        return false;
    };
    match number.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(number, 4),
    }
}

/// The log source, which the specification requires of rules and filters.
pub(super) fn log_source(reader: &mut Reader<'_>, document: &Node) -> Option<LogSource> {
    let Some(node) = document.get("logsource") else {
        reader.error(
            document,
            "`logsource` is missing: it says what kind of log the document is for",
        );
        return None;
    };
    reader.map(node, "`logsource`")?;
    let source = LogSource {
        product: optional(reader, node, "product"),
        service: optional(reader, node, "service"),
        category: optional(reader, node, "category"),
        ..LogSource::default()
    };
    if source == LogSource::default() {
        reader.error(
            node,
            "`logsource` must give a product, a service or a category",
        );
    }
    Some(source)
}

/// What stands below `poseur:`, which is Poseur's own.
#[derive(Default)]
struct OwnKeys {
    risk_score: Option<u8>,
    max_age: Option<Duration>,
    time_field: Option<String>,
}

impl OwnKeys {
    /// The condition, within the time window if the rule has one.
    fn window(&self, condition: Condition) -> Condition {
        let Some(age) = self.max_age else {
            return condition;
        };
        let time_field = self.time_field.as_deref().unwrap_or("@timestamp");
        let window = Condition::Test(Predicate {
            field: Field::Name(time_field.to_owned()),
            test: Test::Time(
                Comparison::Greater,
                Moment::FromNow(-(age.as_nanos() as i128)),
            ),
        });
        match condition {
            Condition::All(mut parts) => {
                parts.push(window);
                Condition::All(parts)
            }
            other => Condition::All(vec![other, window]),
        }
    }
}

fn own_keys(reader: &mut Reader<'_>, document: &Node) -> OwnKeys {
    let mut own = OwnKeys::default();
    let Some(node) = document.get("poseur") else {
        return own;
    };
    let Some(entries) = reader.map(node, "`poseur`") else {
        return own;
    };
    reader.known_keys(
        entries,
        &["risk_score", "max_age", "time_field"],
        "`poseur`",
    );
    if let Some(score) = node.get("risk_score") {
        own.risk_score = score
            .as_scalar()
            .and_then(|scalar| scalar.as_number_text())
            .and_then(|digits| digits.parse().ok())
            .filter(|score| *score <= 100);
        if own.risk_score.is_none() {
            reader.error(score, "`risk_score` must be a whole number from 0 to 100");
        }
    }
    if let Some(age) = node.get("max_age") {
        own.max_age = age.as_scalar().and_then(|scalar| duration(&scalar.text));
        if own.max_age.is_none() {
            reader.error(
                age,
                "`max_age` must be a number and a unit, such as 30d, 12h, 45m or 90s",
            );
        }
    }
    if let Some((key, value)) = node.entry("time_field") {
        own.time_field = reader.text(value, "`time_field`").map(str::to_owned);
        if node.get("max_age").is_none() {
            reader.error(key, "`time_field` has no meaning without `max_age`");
        }
    }
    own
}

/// `30d`, `12h`, `45m` or `90s`; more than zero.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds: u64 = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    // A hundred years is beyond any log, and keeps every sum with a clock in range.
    count
        .checked_mul(seconds)
        .filter(|total| (1..=100 * 366 * 86_400).contains(total))
        .map(Duration::from_secs)
}
