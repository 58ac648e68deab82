//! The modifiers behind a field's name, and what they make of its values.

use super::encode::{self, Utf16};
use super::value;
use crate::model::{Case, Comparison, Condition, Field, Part, Pattern, Predicate, Relation, Test};
use crate::yaml::{Node, Reader, Scalar, Value, closest};

/// Every modifier that can be evaluated.
const KNOWN: [&str; 25] = [
    "all",
    "startswith",
    "endswith",
    "contains",
    "exists",
    "cased",
    "neq",
    "windash",
    "re",
    "i",
    "m",
    "s",
    "base64",
    "base64offset",
    "utf16le",
    "utf16be",
    "utf16",
    "wide",
    "lt",
    "lte",
    "gt",
    "gte",
    "cidr",
    "expand",
    "fieldref",
];

/// Modifiers of the specification that no test of the rule model answers.
const PARTS_OF_A_DATE: [&str; 6] = ["minute", "hour", "day", "week", "month", "year"];

/// What is done to a text before it becomes a pattern, in the order written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Dashes,
    Wide(Utf16),
    Base64,
    Base64Offset,
}

/// What kind of test the values are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Regex,
    Cidr,
    Compare(Comparison),
    Exists,
    FieldReference,
}

/// The modifiers of one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Modifiers {
    /// Every value must hold, not one of them.
    pub(super) all: bool,
    /// The field must not be so.
    pub(super) negated: bool,
    kind: Kind,
    relation: Option<Relation>,
    case: Case,
    steps: Vec<Step>,
    expand: bool,
    /// Letters of regular expression flags.
    flags: String,
}

/// A text on its way through the steps.
enum Stage {
    Parts(Vec<Part>),
    Bytes(Vec<u8>),
}

impl Modifiers {
    fn none() -> Modifiers {
        Modifiers {
            all: false,
            negated: false,
            kind: Kind::Plain,
            relation: None,
            case: Case::Ascii,
            steps: Vec::new(),
            expand: false,
            flags: String::new(),
        }
    }

    /// What a keyword of a list has: it may stand anywhere in a value.
    pub(super) fn keyword() -> Modifiers {
        Modifiers {
            relation: Some(Relation::Contains),
            ..Modifiers::none()
        }
    }

    /// Reads the modifiers of a key, `field|contains|all`. `None` after an error.
    pub(super) fn read(reader: &mut Reader<'_>, key: &Node) -> Option<Modifiers> {
        let errors_before = reader.errors.len();
        let text = key.key();
        let mut modifiers = Modifiers::none();
        let mut before: Vec<&str> = Vec::new();
        let mut words = text.split('|');
        let field = words.next().unwrap_or_default();
        let mut offset = field.len() + 1;
        for word in words {
            match fault(word, &before, field.trim().is_empty()) {
                Some(reason) => reader.error_within(key, offset, reason),
                None => modifiers.add(word),
            }
            before.push(word);
            offset += word.len() + 1;
        }
        if field.trim().is_empty() && modifiers.kind == Kind::Plain {
            modifiers.relation.get_or_insert(Relation::Contains);
        }
        (reader.errors.len() == errors_before).then_some(modifiers)
    }

    fn add(&mut self, word: &str) {
        match word {
            "all" => self.all = true,
            "neq" => self.negated = true,
            "contains" => self.relation = Some(Relation::Contains),
            "startswith" => self.relation = Some(Relation::StartsWith),
            "endswith" => self.relation = Some(Relation::EndsWith),
            "cased" => self.case = Case::Exact,
            "expand" => self.expand = true,
            "exists" => self.kind = Kind::Exists,
            "re" => self.kind = Kind::Regex,
            "i" | "m" | "s" => self.flags.push_str(word),
            "cidr" => self.kind = Kind::Cidr,
            "fieldref" => self.kind = Kind::FieldReference,
            "lt" => self.kind = Kind::Compare(Comparison::Less),
            "lte" => self.kind = Kind::Compare(Comparison::LessOrEqual),
            "gt" => self.kind = Kind::Compare(Comparison::Greater),
            "gte" => self.kind = Kind::Compare(Comparison::GreaterOrEqual),
            "windash" => self.steps.push(Step::Dashes),
            "wide" | "utf16le" => self.steps.push(Step::Wide(Utf16::Little)),
            "utf16be" => self.steps.push(Step::Wide(Utf16::Big)),
            "utf16" => self.steps.push(Step::Wide(Utf16::Marked)),
            "base64" => self.steps.push(Step::Base64),
            "base64offset" => self.steps.push(Step::Base64Offset),
            _ => {}
        }
    }

    /// What one value of the field asks for. `None` after an error.
    pub(super) fn value(
        &self,
        reader: &mut Reader<'_>,
        field: &Field,
        node: &Node,
    ) -> Option<Condition> {
        let Value::Scalar(scalar) = &node.value else {
            reader.error(
                node,
                format!(
                    "a value must be a text, a number, true, false or null, not {}",
                    node.kind()
                ),
            );
            return None;
        };
        match self.tests(field, scalar) {
            Ok(tests) => {
                let tests = tests.into_iter().map(|test| {
                    Condition::Test(Predicate {
                        field: field.clone(),
                        test,
                    })
                });
                let condition = Condition::one_or(tests, Condition::Any);
                let absent = self.kind == Kind::Exists && scalar.as_bool() == Some(false);
                Some(if absent {
                    Condition::Not(Box::new(condition))
                } else {
                    condition
                })
            }
            Err(reason) => {
                reader.error(node, reason);
                None
            }
        }
    }

    /// The tests of which one must hold.
    fn tests(&self, field: &Field, scalar: &Scalar) -> Result<Vec<Test>, String> {
        match self.kind {
            Kind::Exists => match scalar.as_bool() {
                Some(_) => Ok(vec![Test::Exists]),
                None => Err("`exists` takes true or false".into()),
            },
            Kind::Compare(comparison) => scalar
                .as_number_text()
                .and_then(value::number)
                .map(|limit| vec![Test::Compare(comparison, limit)])
                .ok_or_else(|| format!("`{}` is no number to compare with", scalar.text)),
            Kind::Cidr => {
                value::network(scalar.text.trim()).map(|network| vec![Test::Cidr(network)])
            }
            Kind::Regex => self.regex(scalar).map(|regex| vec![Test::Regex(regex)]),
            Kind::FieldReference => self.reference(scalar).map(|test| vec![test]),
            Kind::Plain => self.plain(field, scalar),
        }
    }

    fn regex(&self, scalar: &Scalar) -> Result<String, String> {
        if scalar.text.is_empty() {
            return Err("an empty regular expression fits everything".into());
        }
        let text = self.filled(&scalar.text)?;
        let regex = if self.flags.is_empty() {
            text
        } else {
            format!("(?{}){text}", self.flags)
        };
        match regex::bytes::Regex::new(&regex) {
            Ok(_) => Ok(regex),
            Err(error) => {
                // The crate draws the place over several lines; its last line says what is wrong.
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim();
                let last = last.strip_prefix("error: ").unwrap_or(last);
                Err(format!("the regular expression cannot be used: {last}"))
            }
        }
    }

    fn reference(&self, scalar: &Scalar) -> Result<Test, String> {
        let name = match scalar.as_text() {
            Some(name) if !name.trim().is_empty() => name.trim(),
            _ => return Err("`fieldref` takes the name of another field".into()),
        };
        if name.contains(['*', '?']) {
            return Err("the name of a field holds no wildcards".into());
        }
        Ok(Test::SameAs {
            field: name.to_owned(),
            relation: self.relation.unwrap_or(Relation::Equals),
            case: self.case,
        })
    }

    /// Tests of a value without a type modifier.
    fn plain(&self, field: &Field, scalar: &Scalar) -> Result<Vec<Test>, String> {
        let keyword = *field == Field::Any;
        let text_only = self.relation.is_some() || !self.steps.is_empty() || self.expand;
        if scalar.is_null() {
            return match (keyword, text_only) {
                (true, _) => Err("a keyword must not be empty".into()),
                (_, true) => Err(format!("{} cannot stand with null", self.needs_text())),
                _ => Ok(vec![Test::Null]),
            };
        }
        if let Some(truth) = scalar.as_bool().filter(|_| !keyword) {
            return if text_only || self.case == Case::Exact {
                Err(format!(
                    "{} needs a text: put `{}` in quotes if it is one",
                    self.needs_text(),
                    scalar.text
                ))
            } else {
                Ok(vec![Test::Bool(truth)])
            };
        }
        // In a field, an empty text stands in every value, and published rules use that. A keyword
        // like this would fit every record.
        if scalar.text.is_empty() && keyword {
            return Err("a keyword must not be empty".into());
        }
        let text = self.filled(&scalar.text)?;
        // A number is compared as it was written; no character of it is a wildcard.
        let mut stages = vec![Stage::Parts(value::parts(&text))];
        for step in &self.steps {
            stages = step.apply(stages)?;
        }
        stages
            .into_iter()
            .map(|stage| Ok(Test::Text(self.pattern(stage.into_parts()?), self.case)))
            .collect()
    }

    /// The modifiers that a text is needed for, for an error.
    fn needs_text(&self) -> &'static str {
        match (self.relation, self.steps.first()) {
            (Some(Relation::Contains), _) => "`contains`",
            (Some(Relation::StartsWith), _) => "`startswith`",
            (Some(Relation::EndsWith), _) => "`endswith`",
            (_, Some(Step::Dashes)) => "`windash`",
            (_, Some(_)) => "an encoding",
            _ if self.expand => "`expand`",
            _ => "`cased`",
        }
    }

    /// The text, without the escapes that `expand` brings.
    fn filled(&self, text: &str) -> Result<String, String> {
        if !self.expand {
            return Ok(text.to_owned());
        }
        value::without_placeholders(text).map_err(|name| {
            format!(
                "the placeholder %{name}% has no value: Poseur has no processing pipeline, write \
                 the values out"
            )
        })
    }

    fn pattern(&self, parts: Vec<Part>) -> Pattern {
        let (run_before, run_after) = match self.relation {
            None | Some(Relation::Equals) => (false, false),
            Some(Relation::Contains) => (true, true),
            Some(Relation::StartsWith) => (false, true),
            Some(Relation::EndsWith) => (true, false),
        };
        let before = run_before.then_some(Part::Run);
        let after = run_after.then_some(Part::Run);
        Pattern::new(before.into_iter().chain(parts).chain(after))
    }
}

/// What is wrong with a modifier behind those before it.
fn fault(word: &str, before: &[&str], keyword: bool) -> Option<String> {
    if PARTS_OF_A_DATE.contains(&word) {
        return Some(format!(
            "the modifier `{word}` (a part of a date) is not evaluated"
        ));
    }
    if !KNOWN.contains(&word) {
        let hint = closest(word, KNOWN).map_or_else(
            || format!("known are {}", KNOWN.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Some(format!("unknown modifier `{word}`: {hint}"));
    }
    if before.contains(&word) {
        return Some(format!("`{word}` stands here a second time"));
    }
    if matches!(word, "i" | "m" | "s") && !before.contains(&"re") {
        return Some(format!(
            "`{word}` is a flag of `re`, and must stand behind it"
        ));
    }
    if keyword && matches!(word, "exists" | "fieldref") {
        return Some(format!("`{word}` needs the name of a field before it"));
    }
    if let Some(other) = before.iter().find(|other| !compatible(other, word)) {
        return Some(format!("`{word}` cannot stand with `{other}`"));
    }
    let late = match word {
        "base64" | "base64offset" => ["contains", "startswith", "endswith"].as_slice(),
        "windash" | "wide" | "utf16" | "utf16le" | "utf16be" => &["base64", "base64offset"],
        _ => &[],
    };
    let late_for = before.iter().find(|other| late.contains(other)).copied();
    let late_for = late_for.or_else(|| {
        let wide = |other: &&&str| matches!(group(other), Group::Wide);
        before
            .iter()
            .filter(|_| word == "windash")
            .find(wide)
            .copied()
    });
    late_for.map(|other| format!("`{word}` must stand before `{other}`"))
}

/// Modifiers of which a field may have one, or that go together in the same way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// `all` and `neq`: they join values, whatever the values are.
    Joining,
    Anchor,
    Cased,
    Dashes,
    Wide,
    Base64,
    Expand,
    Regex,
    Flag,
    /// `cidr`, `lt`, …: the value is no text.
    Typed,
    Exists,
    FieldReference,
}

fn group(word: &str) -> Group {
    match word {
        "all" | "neq" => Group::Joining,
        "contains" | "startswith" | "endswith" => Group::Anchor,
        "cased" => Group::Cased,
        "windash" => Group::Dashes,
        "wide" | "utf16" | "utf16le" | "utf16be" => Group::Wide,
        "base64" | "base64offset" => Group::Base64,
        "expand" => Group::Expand,
        "re" => Group::Regex,
        "i" | "m" | "s" => Group::Flag,
        "exists" => Group::Exists,
        "fieldref" => Group::FieldReference,
        _ => Group::Typed,
    }
}

fn compatible(one: &str, other: &str) -> bool {
    use Group::*;
    match (group(one), group(other)) {
        (Exists, _) | (_, Exists) => false,
        (Joining | Flag, _) | (_, Joining | Flag) => true,
        (Typed, _) | (_, Typed) => false,
        (Regex, other) | (other, Regex) => other == Expand,
        (FieldReference, other) | (other, FieldReference) => matches!(other, Anchor | Cased),
        (one, other) => one != other,
    }
}

impl Step {
    fn apply(self, stages: Vec<Stage>) -> Result<Vec<Stage>, String> {
        let mut out = Vec::new();
        for stage in stages {
            match self {
                Step::Dashes => {
                    let forms = value::dash_forms(&stage.into_parts()?).ok_or_else(|| {
                        format!(
                            "`windash` makes more than {} forms of this",
                            value::MAX_FORMS
                        )
                    })?;
                    out.extend(forms.into_iter().map(Stage::Parts));
                }
                Step::Wide(form) => {
                    let text = String::from_utf8(stage.into_bytes()?)
                        .map_err(|_| "the value cannot be encoded twice".to_owned())?;
                    out.push(Stage::Bytes(encode::utf16(&text, form)));
                }
                Step::Base64 => {
                    let text = encode::base64(&stage.into_bytes()?);
                    out.push(Stage::Parts(vec![Part::Literal(text)]));
                }
                Step::Base64Offset => {
                    let texts = encode::base64_offsets(&stage.into_bytes()?).ok_or(
                        "the value is too short for `base64offset`: at some offsets nothing of it \
                         is left",
                    )?;
                    out.extend(texts.map(|text| Stage::Parts(vec![Part::Literal(text)])));
                }
            }
        }
        Ok(out)
    }
}

impl Stage {
    /// The bytes of a text without wildcards.
    fn into_bytes(self) -> Result<Vec<u8>, String> {
        match self {
            Stage::Bytes(bytes) => Ok(bytes),
            Stage::Parts(parts) => match Pattern::new(parts).as_equals() {
                Some(text) => Ok(text.as_bytes().to_vec()),
                None => Err("a value with wildcards cannot be encoded".into()),
            },
        }
    }

    fn into_parts(self) -> Result<Vec<Part>, String> {
        match self {
            Stage::Parts(parts) => Ok(parts),
            Stage::Bytes(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(vec![Part::Literal(text)]),
                Err(_) => Err(
                    "encoded like this the value is no text: `base64` or `base64offset` must \
                     follow"
                        .into(),
                ),
            },
        }
    }
}
