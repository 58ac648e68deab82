//! What is written into a matched record, as JSON.

use std::ops::Range;

use poseur_matcher::json::{quoted, string};
use poseur_matcher::verdict::Match;
use poseur_matcher::{Matcher, Verdict};
use poseur_rule::model::{Level, Test, Words};

/// How a tag looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// One key that holds everything.
    #[default]
    Namespace,
    /// The fields of Elastic Common Schema.
    Ecs,
    /// One key that holds the rules' ids.
    Minimal,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagOptions {
    /// How the tag looks.
    pub style: Style,
    /// The top-level key; in `ecs` style, the word added to `tags`.
    pub key: String,
}

impl Default for TagOptions {
    fn default() -> Self {
        TagOptions {
            style: Style::Namespace,
            key: "poseur".to_owned(),
        }
    }
}

/// Writes tags for the verdicts of one matcher. Everything about a rule that does not depend on
/// the record is rendered once.
#[derive(Debug, Clone)]
pub struct TagWriter {
    /// How the tag looks.
    pub style: Style,
    /// The key, as the operator gave it.
    pub key: String,
    /// `"key":`
    key_json: Vec<u8>,
    rules: Vec<RuleJson>,
    exceptions: Vec<ExceptionJson>,
    /// By predicate: `{"field":"…","value":` and `,"keyword":"…"}`.
    predicates: Vec<(Vec<u8>, Vec<u8>)>,
    /// `,"name":`
    context: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct RuleJson {
    id: Vec<u8>,
    title: Vec<u8>,
    level: Level,
    risk_score: Option<u8>,
    techniques: Vec<Vec<u8>>,
    /// `{"rule":…,"title":…,"on":[`
    found: Vec<u8>,
    /// What [`TagWriter::head`] makes of a verdict where this rule alone has matched.
    alone: Vec<u8>,
}

#[derive(Debug, Clone)]
struct ExceptionJson {
    id: Vec<u8>,
    reason: Vec<u8>,
}

fn json(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    string(text.as_bytes(), &mut out);
    out
}

/// What a predicate looks for, as an analyst would put it.
pub fn keyword(test: &Test) -> String {
    match test {
        Test::Text(pattern, _) => pattern.keyword(),
        Test::Bool(value) => value.to_string(),
        Test::Null => "null".to_owned(),
        Test::Exists => "*".to_owned(),
        Test::Compare(comparison, limit) => {
            format!("{} {limit}", comparison.as_str())
        }
        Test::Regex(pattern) => pattern.clone(),
        Test::Cidr(network) => format!("{}/{}", network.address, network.prefix),
        Test::SameAs { field, .. } => field.clone(),
        Test::Ordered(comparison, limit) => format!("{} {limit}", comparison.as_str()),
        Test::Time(comparison, moment) => format!("{} {moment}", comparison.as_str()),
        Test::Within { from, to } => format!(">= {from} < {to}"),
        Test::Term { text, .. } => text.clone(),
        Test::Words(Words::Any(text) | Words::Phrase(text)) => text.clone(),
        Test::Words(Words::Fits(pattern)) => pattern.keyword(),
    }
}

impl TagWriter {
    /// For the verdicts of a matcher.
    pub fn new(matcher: &Matcher, options: TagOptions) -> TagWriter {
        let key_json = |name: &str| {
            let mut out = json(name);
            out.push(b':');
            out
        };
        let rules = matcher.rules().iter().map(|rule| {
            let (id, title) = (json(&rule.id), json(&rule.title));
            let techniques = rule.techniques.iter();
            RuleJson {
                found: [b"{\"rule\":", &id[..], b",\"title\":", &title, b",\"on\":["].concat(),
                id,
                title,
                level: rule.level,
                risk_score: rule.risk_score,
                techniques: techniques.map(|technique| json(technique)).collect(),
                alone: Vec::new(),
            }
        });
        let exceptions = matcher.exceptions().iter().map(|exception| ExceptionJson {
            id: json(&exception.id),
            reason: json(&exception.reason),
        });
        let predicates = (0..matcher.size().0 as u32).map(|id| {
            let predicate = &matcher.predicate(id).predicate;
            let mut before = b"{\"field\":".to_vec();
            string(predicate.field.label().as_bytes(), &mut before);
            before.extend_from_slice(b",\"value\":");
            let mut after = b",\"keyword\":".to_vec();
            string(keyword(&predicate.test).as_bytes(), &mut after);
            after.push(b'}');
            (before, after)
        });
        let context = matcher.context_names().iter();
        let mut writer = TagWriter {
            style: options.style,
            key_json: key_json(&options.key),
            key: options.key,
            rules: rules.collect(),
            exceptions: exceptions.collect(),
            predicates: predicates.collect(),
            context: context
                .map(|name| [b",", &key_json(name)[..]].concat())
                .collect(),
        };
        for rule in 0..writer.rules.len() {
            let mut verdict = Verdict::default();
            verdict.matches.push(Match { rule, on: 0..0 });
            let mut alone = Vec::new();
            writer.head(&verdict, &mut alone);
            writer.rules[rule].alone = alone;
        }
        writer
    }

    /// Appends `"key":`.
    pub fn key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key_json);
    }

    /// Appends the value of the key, for the styles that have one.
    pub fn value(&self, verdict: &Verdict, out: &mut Vec<u8>) {
        match verdict.matches.as_slice() {
            [only] => out.extend_from_slice(&self.rules[only.rule].alone),
            _ => self.head(verdict, out),
        }
        if self.style == Style::Namespace {
            self.details(verdict, out);
        }
        out.push(b'}');
    }

    /// What follows from the rules that matched alone.
    fn head(&self, verdict: &Verdict, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"rules\":");
        self.rule_list(verdict, |rule| &rule.id, out);
        if self.style != Style::Namespace {
            return;
        }
        if let Some(level) = self.matched(verdict).map(|rule| rule.level).max() {
            out.extend_from_slice(b",\"level\":\"");
            out.extend_from_slice(level.as_str().as_bytes());
            out.push(b'"');
        }
        if let Some(score) = self.risk_score(verdict) {
            out.extend_from_slice(b",\"risk_score\":");
            number(score, out);
        }
        let start = out.len();
        out.extend_from_slice(b",\"technique\":");
        if !self.technique_list(verdict, |_| true, out) {
            out.truncate(start);
        }
        if !verdict.matches.is_empty() {
            out.extend_from_slice(b",\"matches\":[");
        }
    }

    fn details(&self, verdict: &Verdict, out: &mut Vec<u8>) {
        let texts = Texts::new(verdict);
        if !verdict.matches.is_empty() {
            for (at, found) in verdict.matches.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(&self.rules[found.rule].found);
                for (at, satisfied) in verdict.on[found.on.clone()].iter().enumerate() {
                    let (before, after) = &self.predicates[satisfied.predicate as usize];
                    if at > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(before);
                    texts.string(&satisfied.value, out);
                    out.extend_from_slice(after);
                }
                out.extend_from_slice(b"]}");
            }
            out.push(b']');
        }
        if !verdict.context.is_empty() {
            out.extend_from_slice(b",\"context\":{");
            for (at, (name, value)) in verdict.context.iter().enumerate() {
                let name = &self.context[*name];
                out.extend_from_slice(if at == 0 { &name[1..] } else { name });
                texts.json(value, out);
            }
            out.push(b'}');
        }
        if !verdict.suppressed.is_empty() {
            let mut separator: &[u8] = b",\"suppressed\":[";
            for suppressed in &verdict.suppressed {
                let exception = &self.exceptions[suppressed.exception];
                out.extend_from_slice(separator);
                separator = b",";
                out.extend_from_slice(b"{\"rule\":");
                out.extend_from_slice(&self.rules[suppressed.rule].id);
                out.extend_from_slice(b",\"exception\":");
                out.extend_from_slice(&exception.id);
                out.extend_from_slice(b",\"reason\":");
                out.extend_from_slice(&exception.reason);
                out.push(b'}');
            }
            out.push(b']');
        }
    }

    fn matched<'a>(&'a self, verdict: &'a Verdict) -> impl Iterator<Item = &'a RuleJson> {
        verdict.rules().map(|rule| &self.rules[rule])
    }

    fn risk_score(&self, verdict: &Verdict) -> Option<u8> {
        self.matched(verdict)
            .filter_map(|rule| rule.risk_score)
            .max()
    }

    /// The distinct techniques of the matched rules.
    fn techniques(&self, verdict: &Verdict, mut visit: impl FnMut(&[u8])) {
        for (at, rule) in self.matched(verdict).enumerate() {
            for technique in &rule.techniques {
                let before = self.matched(verdict).take(at);
                if !before
                    .flat_map(|rule| &rule.techniques)
                    .any(|known| known == technique)
                {
                    visit(technique);
                }
            }
        }
    }

    /// Appends the wanted techniques as a list; `false` if there are none.
    fn technique_list(
        &self,
        verdict: &Verdict,
        wanted: impl Fn(&[u8]) -> bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut any = false;
        out.push(b'[');
        self.techniques(verdict, |technique| {
            if wanted(technique) {
                if any {
                    out.push(b',');
                }
                any = true;
                out.extend_from_slice(technique);
            }
        });
        out.push(b']');
        any
    }

    fn rule_list(&self, verdict: &Verdict, of: fn(&RuleJson) -> &Vec<u8>, out: &mut Vec<u8>) {
        out.push(b'[');
        for (at, rule) in self.matched(verdict).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(of(rule));
        }
        out.push(b']');
    }

    /// Appends the word for `tags`, as a JSON string.
    pub fn ecs_word(&self, verdict: &Verdict, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key_json[..self.key_json.len() - 2]);
        if verdict.matches.is_empty() {
            out.extend_from_slice(b"-suppressed");
        }
        out.push(b'"');
    }

    /// Whether a text is the word for `tags`.
    pub fn is_ecs_word(&self, verdict: &Verdict, text: &[u8]) -> bool {
        let key = match verdict.matches.is_empty() {
            true => text.strip_suffix(b"-suppressed"),
            false => Some(text),
        };
        key == Some(self.key.as_bytes())
    }

    /// Appends `"name":value` for an ECS field of [`ECS_FIELDS`]; `false` if there is no value.
    pub fn ecs_field(&self, name: &str, verdict: &Verdict, out: &mut Vec<u8>) -> bool {
        if verdict.matches.is_empty() {
            return false;
        }
        let start = out.len();
        string(name.as_bytes(), out);
        out.push(b':');
        let mut any = true;
        match name {
            "rule.id" => self.rule_list(verdict, |rule| &rule.id, out),
            "rule.name" => self.rule_list(verdict, |rule| &rule.title, out),
            "threat.framework" => string(b"MITRE ATT&CK", out),
            "event.risk_score" => match self.risk_score(verdict) {
                Some(score) => number(score, out),
                None => any = false,
            },
            _ => {
                let sub = name == "threat.technique.subtechnique.id";
                let wanted = |technique: &[u8]| technique.contains(&b'.') == sub;
                any = self.technique_list(verdict, wanted, out);
            }
        }
        if !any {
            out.truncate(start);
        }
        any
    }
}

/// The ECS fields a tag may write, besides `tags`.
pub const ECS_FIELDS: [&str; 6] = [
    "rule.id",
    "rule.name",
    "threat.framework",
    "threat.technique.id",
    "threat.technique.subtechnique.id",
    "event.risk_score",
];

fn number(value: u8, out: &mut Vec<u8>) {
    use std::io::Write;
    let _ = write!(out, "{value}");
}

/// The texts of a verdict, as valid UTF-8.
struct Texts<'a> {
    verdict: &'a Verdict,
    /// All of them, if they are valid: nearly all are, and finding that out for all at once is much
    /// quicker than for one after another.
    valid: Option<&'a str>,
}

impl<'a> Texts<'a> {
    fn new(verdict: &'a Verdict) -> Texts<'a> {
        let valid = simdutf8::basic::from_utf8(verdict.texts()).ok();
        Texts { verdict, valid }
    }

    /// A text that is known to be valid. One that begins or ends within a character is not.
    fn valid(&self, text: &Range<usize>) -> Option<&'a str> {
        self.valid?.get(text.clone())
    }

    /// Appends a text as a JSON string.
    fn string(&self, text: &Range<usize>, out: &mut Vec<u8>) {
        match self.valid(text) {
            Some(text) => quoted(text.as_bytes(), out),
            None => string(self.verdict.text(text), out),
        }
    }

    /// Appends JSON taken from a record, with what is not UTF-8 in its strings replaced.
    fn json(&self, text: &Range<usize>, out: &mut Vec<u8>) {
        match self.valid(text) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => valid_utf8(self.verdict.text(text), out),
        }
    }
}

/// Appends a text with what is not UTF-8 in it replaced.
fn valid_utf8(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
}
