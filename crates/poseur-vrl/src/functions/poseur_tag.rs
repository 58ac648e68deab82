//! `poseur_tag`: a record with its tag.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use memchr::memmem::Finder;
use poseur_matcher::record::{Handle, Unreadable};
use poseur_tagger::splice::{Edit, Edits, Splicer, Target};
use poseur_tagger::tag::{ECS_FIELDS, TagWriter};
use poseur_tagger::{Style, TagOptions};
use vrl::compiler::function::{
    ArgumentList, Compiled, EnumVariant, Example, FunctionCompileContext,
};
use vrl::compiler::state::TypeState;
use vrl::compiler::value::kind;
use vrl::compiler::{
    Context, Expression, Function, FunctionExpression, Parameter, Resolved, TypeDef,
};
use vrl::example;
use vrl::value::kind::{Collection, Field};
use vrl::value::{Kind, ObjectMap, Value};

use super::CATEGORY;
use super::arguments::{Literals, PARAMETERS};
use super::judge::Judge;
use super::poseur_match::{closed, parsed, verdict};
use super::record::ValueRecord;

/// The function `poseur_tag`.
#[derive(Debug, Clone, Copy)]
pub struct PoseurTag;

const STYLES: &[EnumVariant] = &[
    EnumVariant {
        value: "namespace",
        description: "One key that holds everything.",
    },
    EnumVariant {
        value: "ecs",
        description: "Fields of the Elastic Common Schema.",
    },
    EnumVariant {
        value: "minimal",
        description: "One key that holds the ids of the rules.",
    },
];

const TAG_PARAMETERS: [Parameter; PARAMETERS.len() + 2] = {
    let style = Parameter::optional(
        "style",
        kind::BYTES,
        "How the tag looks: `namespace`, unless given.",
    )
    .enum_variants(STYLES);
    let key = Parameter::optional(
        "key",
        kind::BYTES,
        "The top-level key that the tag is written to, `poseur` unless given; with `style: \"ecs\"` the word in `tags`.",
    );
    let mut all = [style; PARAMETERS.len() + 2];
    let mut at = 0;
    while at < PARAMETERS.len() {
        all[at] = PARAMETERS[at];
        at += 1;
    }
    all[PARAMETERS.len() + 1] = key;
    all
};

const EXAMPLES: &[Example] = &[
    example! {
        title: "Only the rules' ids",
        source: r#"poseur_tag(., style: "minimal", at: "2026-11-20T12:00:00Z")"#,
        input: r#"{"IsExternalThread": true, "RecipientDetails": "Help Desk", "Timestamp": "2026-11-19T08:00:00Z"}"#,
        result: Ok(r#"{
            "IsExternalThread": true, "RecipientDetails": "Help Desk", "Timestamp": "2026-11-19T08:00:00Z",
            "poseur": {"rules": ["389ead4a-6dfe-47e1-9236-165eb08f1017"]}
        }"#),
    },
    example! {
        title: "Each record of a batch by itself, under another key",
        source: r#"poseur_tag(., style: "minimal", key: "detection", at: "2026-11-20T12:00:00Z")"#,
        input: r#"{"records": [
            {"IsExternalThread": false},
            {"IsExternalThread": true, "RecipientDetails": "Help Desk", "Timestamp": "2026-11-19T08:00:00Z"}
        ]}"#,
        result: Ok(r#"{"records": [
            {"IsExternalThread": false},
            {
                "IsExternalThread": true, "RecipientDetails": "Help Desk", "Timestamp": "2026-11-19T08:00:00Z",
                "detection": {"rules": ["389ead4a-6dfe-47e1-9236-165eb08f1017"]}
            }
        ]}"#),
    },
    example! {
        title: "Nothing to tell",
        source: r#"poseur_tag({"Operation": "MessageSent"})"#,
        result: Ok(r#"{"Operation": "MessageSent"}"#),
    },
    example! {
        title: "What is no record",
        source: r#"poseur_tag("help desk")"#,
        result: Ok("help desk"),
    },
];

impl Function for PoseurTag {
    fn identifier(&self) -> &'static str {
        "poseur_tag"
    }

    fn summary(&self) -> &'static str {
        "Tag a record that detection rules match"
    }

    fn usage(&self) -> &'static str {
        "Judges a record by rules and exceptions, which are loaded when the program is compiled. Returns \
         the record, with a tag if a rule matches: what `poseur tag` writes for it, as an object. Of a batch \
         each record is tagged by itself. To look at few records only, ask `poseur_match` first: it copies \
         nothing."
    }

    fn category(&self) -> &'static str {
        CATEGORY
    }

    fn return_kind(&self) -> u16 {
        kind::ANY
    }

    fn return_rules(&self) -> &'static [&'static str] {
        &["If the value is not an object or an array, or no rule matches, the result is the value."]
    }

    fn notices(&self) -> &'static [&'static str] {
        &[
            "All arguments but `value` must be literals: rules are loaded once, when the program is \
           compiled.",
        ]
    }

    fn parameters(&self) -> &'static [Parameter] {
        &TAG_PARAMETERS
    }

    fn examples(&self) -> &'static [Example] {
        EXAMPLES
    }

    fn compile(
        &self,
        state: &TypeState,
        _context: &mut FunctionCompileContext,
        arguments: ArgumentList,
    ) -> Compiled {
        let styles: Vec<Value> = STYLES.iter().map(|style| style.value.into()).collect();
        let style = arguments.optional_enum("style", &styles, state)?;
        let style = match style
            .as_ref()
            .and_then(|style| style.as_bytes())
            .map(AsRef::as_ref)
        {
            Some(b"ecs") => Style::Ecs,
            Some(b"minimal") => Style::Minimal,
            _ => Style::Namespace,
        };
        let literals = Literals {
            arguments: &arguments,
            state,
        };
        let key = literals.key()?.unwrap_or_else(|| TagOptions::default().key);
        let (matcher, judge) = literals.judge()?;
        let expression = PoseurTagFn {
            value: arguments.required("value"),
            schemas_added: arguments.optional("schema_files").is_some(),
            judge,
            tags: Tags::new(TagWriter::new(&matcher, TagOptions { style, key })),
        };
        Ok(expression.as_expr())
    }
}

#[derive(Debug, Clone)]
struct PoseurTagFn {
    value: Box<dyn Expression>,
    /// Batches may be anywhere in a record.
    schemas_added: bool,
    judge: Judge,
    tags: Tags,
}

/// What writes tags. A clone has memory of its own.
#[derive(Debug)]
struct Tags {
    writer: TagWriter,
    splicing: Mutex<(Splicer, Edits)>,
}

impl Tags {
    fn new(writer: TagWriter) -> Tags {
        let splicer = Splicer::new(writer.clone());
        Tags {
            writer,
            splicing: Mutex::new((splicer, Edits::default())),
        }
    }
}

impl Clone for Tags {
    fn clone(&self) -> Tags {
        Tags::new(self.writer.clone())
    }
}

/// What is to be done with a value.
enum Change {
    Replace(Value),
    AddMembers(ObjectMap),
    AddElements(Vec<Value>),
}

/// Changes, by where the value is in memory. Nothing is moved between finding and changing.
type Changes = HashMap<usize, Vec<Change>>;

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

impl PoseurTagFn {
    fn tag(&self, value: &mut Value) {
        let mut splicing = self
            .tags
            .splicing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (splicer, edits) = &mut *splicing;
        let mut changes = Changes::new();
        self.judge.decide(value, |record, root, verdict| {
            edits.list.clear();
            edits.made.clear();
            splicer.splice(record, root, verdict, edits)?;
            for edit in &edits.list {
                let place = record.value(Handle {
                    start: edit.replaced.start,
                    end: edit.replaced.end,
                });
                let change = change(place, edit, &edits.made);
                changes.entry(address(place)).or_default().extend(change);
            }
            Ok(())
        });
        apply(value, &mut changes);
    }
}

/// What an edit means for the value at its place.
fn change(place: &Value, edit: &Edit, made: &[u8]) -> Option<Change> {
    let made = &made[edit.made.clone()];
    if !edit.replaced.is_empty() {
        return Some(Change::Replace(parsed(made)));
    }
    // A comma comes before the first one, too.
    let inside = made.get(1..)?;
    match place {
        Value::Object(_) => match parsed(&[b"{", inside, b"}"].concat()) {
            Value::Object(members) => Some(Change::AddMembers(members)),
            _ => None,
        },
        Value::Array(_) => match parsed(&[b"[", inside, b"]"].concat()) {
            Value::Array(elements) => Some(Change::AddElements(elements)),
            _ => None,
        },
        _ => None,
    }
}

/// Changes what is inside a value, then the value: what is added to an object moves its members.
fn apply(value: &mut Value, changes: &mut Changes) {
    if changes.is_empty() {
        return;
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(|value| apply(value, changes)),
        Value::Array(elements) => elements.iter_mut().for_each(|value| apply(value, changes)),
        _ => {}
    }
    for change in changes.remove(&address(value)).into_iter().flatten() {
        match (change, &mut *value) {
            (Change::Replace(new), old) => *old = new,
            (Change::AddMembers(new), Value::Object(members)) => members.extend(new),
            (Change::AddElements(new), Value::Array(elements)) => elements.extend(new),
            _ => {}
        }
    }
}

impl Target for ValueRecord<'_> {
    fn values_of(
        &self,
        object: Handle,
        key: &Finder<'_>,
        visit: &mut dyn FnMut(Handle),
    ) -> Result<(), Unreadable> {
        if let Value::Object(members) = self.value(object)
            && let Ok(key) = std::str::from_utf8(key.needle())
            && let Some(value) = members.get(key)
        {
            visit(self.visit(value));
        }
        Ok(())
    }

    fn spell(&self, _object: Handle, _start: usize, _edits: &mut Edits) -> Result<(), Unreadable> {
        Ok(())
    }

    fn add_members(
        &self,
        object: Handle,
        start: usize,
        edits: &mut Edits,
    ) -> Result<(), Unreadable> {
        let made = start..edits.made.len();
        edits.list.push(Edit::insertion(object.start, made));
        Ok(())
    }

    fn add_element(&self, list: Handle, start: usize, edits: &mut Edits) -> Result<(), Unreadable> {
        self.add_members(list, start, edits)
    }
}

impl FunctionExpression for PoseurTagFn {
    fn resolve(&self, context: &mut Context<'_>) -> Resolved {
        let mut value = self.value.resolve(context)?;
        self.tag(&mut value);
        Ok(value)
    }

    fn type_def(&self, state: &TypeState) -> TypeDef {
        let given = self.value.type_def(state);
        let mut kind = tagged(given.kind(), &self.tags.writer);
        if self.schemas_added && kind.contains_object() {
            kind.add_object(Collection::any());
        }
        given.with_kind(kind).infallible()
    }
}

/// What becomes of a kind of value.
fn tagged(given: &Kind, tag: &TagWriter) -> Kind {
    let mut kind = given.clone();
    if let Some(members) = given.as_object() {
        // Whatever holds records may hold tagged ones: only keys are known of those that are lists.
        let mut with_tag = members.clone();
        for kind in with_tag.known_mut().values_mut() {
            if kind.contains_array() {
                kind.add_array(Collection::any());
            }
        }
        let unknown = with_tag.unknown_kind();
        if unknown.contains_array() {
            with_tag.set_unknown(unknown.or_array(Collection::any()));
        }
        for (key, new) in new_members(tag) {
            let key = Field::from(key);
            let old = with_tag.known().get(&key).cloned();
            let old = old.unwrap_or_else(|| with_tag.unknown_kind().or_undefined());
            with_tag.known_mut().insert(key, old.union(new));
        }
        kind.add_object(with_tag);
    }
    if given.contains_array() {
        kind.add_array(Collection::any());
    }
    kind
}

/// The members that a tag may add.
fn new_members(tag: &TagWriter) -> Vec<(&str, Kind)> {
    let texts = || Kind::array(Collection::from_unknown(Kind::bytes()));
    match tag.style {
        Style::Namespace => vec![(&tag.key, Kind::object(verdict()))],
        Style::Minimal => vec![(&tag.key, Kind::object(closed(&[("rules", texts())])))],
        Style::Ecs => {
            let fields = ECS_FIELDS.iter().map(|&name| match name {
                "event.risk_score" => (name, Kind::integer()),
                "threat.framework" => (name, Kind::bytes()),
                _ => (name, texts()),
            });
            fields
                .chain([("tags", Kind::array(Collection::any()))])
                .collect()
        }
    }
}
