//! `poseur_match`: the verdict on a record.

use std::collections::BTreeMap;

use poseur_matcher::record::Record;
use poseur_tagger::TagOptions;
use poseur_tagger::tag::TagWriter;
use vrl::compiler::function::{ArgumentList, Compiled, Example, FunctionCompileContext};
use vrl::compiler::state::TypeState;
use vrl::compiler::value::kind;
use vrl::compiler::{Context, Function, FunctionExpression, Parameter, Resolved, TypeDef};
use vrl::example;
use vrl::value::kind::{Collection, Field};
use vrl::value::{Kind, ObjectMap, Value};

use super::CATEGORY;
use super::arguments::{Literals, PARAMETERS};
use super::input::Input;
use super::judge::Judge;

/// The function `poseur_match`.
#[derive(Debug, Clone, Copy)]
pub struct PoseurMatch;

const EXAMPLES: &[Example] = &[
    example! {
        title: "A chat with somebody who calls himself help desk",
        source: r#"poseur_match(.)"#,
        input: r#"{
            "Operation": "ChatCreated", "Workload": "MicrosoftTeams", "RecordType": 25,
            "CreationTime": "2026-11-20T09:12:44", "CommunicationType": "OneOnOne",
            "UserId": "admin@it-support.example",
            "ParticipantInfo": {
                "HasForeignTenantUsers": true, "HasGuestUsers": false, "HasOtherGuestUsers": false
            },
            "Members": [{"DisplayName": "Help Desk", "UPN": "admin@it-support.example"}]
        }"#,
        result: Ok(r#"{
            "rules": ["e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"],
            "level": "high", "risk_score": 73, "technique": ["T1566.003"],
            "matches": [{
                "rule": "e8e7b6b6-78b0-4015-97fe-c2f28468e0d4",
                "title": "M365 Teams Rogue Help Desk Chat Created",
                "on": [
                    {"field": "o365.audit.Members", "value": "Help Desk", "keyword": "Help Desk"},
                    {"field": "user.email", "value": "admin@it-support.example", "keyword": "it-support"}
                ]
            }],
            "context": {
                "@timestamp": "2026-11-20T09:12:44", "event.action": "ChatCreated",
                "event.provider": "MicrosoftTeams",
                "user.id": "admin@it-support.example", "user.email": "admin@it-support.example",
                "user.name": "admin", "user.domain": "it-support.example",
                "o365.audit.CommunicationType": "OneOnOne",
                "o365.audit.Members": [{"DisplayName": "Help Desk", "UPN": "admin@it-support.example"}],
                "o365.audit.Members.DisplayName": "Help Desk",
                "o365.audit.ParticipantInfo.HasForeignTenantUsers": true,
                "o365.audit.ParticipantInfo.HasGuestUsers": false,
                "o365.audit.ParticipantInfo.HasOtherGuestUsers": false
            }
        }"#),
    },
    example! {
        title: "Only the rules' ids, of a record in a variable",
        source: r#"
            row = parse_json!(s'{"IsExternalThread": true, "RecipientDetails": "Help Desk", "Timestamp": "2026-11-19T08:00:00Z"}')
            poseur_match(row, at: "2026-11-20T12:00:00Z").rules
        "#,
        result: Ok(r#"["389ead4a-6dfe-47e1-9236-165eb08f1017"]"#),
    },
    example! {
        title: "Nothing to tell",
        source: r#"poseur_match({"Operation": "MessageSent"})"#,
        result: Ok("null"),
    },
    example! {
        title: "What is no record",
        source: r#"poseur_match("help desk")"#,
        result: Ok("null"),
    },
];

impl Function for PoseurMatch {
    fn identifier(&self) -> &'static str {
        "poseur_match"
    }

    fn summary(&self) -> &'static str {
        "Judge a record by detection rules"
    }

    fn usage(&self) -> &'static str {
        "Judges a record by rules and exceptions, which are loaded when the program is compiled. \
         Returns the verdict, which is what `poseur tag` writes under its key, or `null` if no rule \
         matches. Where exceptions suppress every match, `rules` is empty and `suppressed` says why. \
         For a batch the verdict has one key, `records`, with the verdicts of the records that have one, \
         in their order."
    }

    fn category(&self) -> &'static str {
        CATEGORY
    }

    fn return_kind(&self) -> u16 {
        kind::OBJECT | kind::NULL
    }

    fn return_rules(&self) -> &'static [&'static str] {
        &["If the value is not an object or an array, or no rule matches, the result is `null`."]
    }

    fn notices(&self) -> &'static [&'static str] {
        &[
            "All arguments but `value` must be literals: rules are loaded once, when the program is \
           compiled.",
        ]
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
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
        let literals = Literals {
            arguments: &arguments,
            state,
        };
        let (matcher, judge) = literals.judge()?;
        let expression = PoseurMatchFn {
            value: Input::new(arguments.required_expr("value")),
            judge,
            tag: TagWriter::new(&matcher, TagOptions::default()),
        };
        Ok(expression.as_expr())
    }
}

#[derive(Debug, Clone)]
struct PoseurMatchFn {
    value: Input,
    judge: Judge,
    tag: TagWriter,
}

impl PoseurMatchFn {
    fn verdict(&self, value: &Value) -> Value {
        let mut verdicts = Vec::new();
        let mut made = Vec::new();
        let mut batch = false;
        self.judge.decide(value, |record, root, verdict| {
            made.clear();
            self.tag.value(verdict, &mut made);
            verdicts.push(parsed(&made));
            batch = root != record.root();
            Ok(())
        });
        if batch {
            let mut records = ObjectMap::new();
            records.insert("records".into(), Value::Array(verdicts));
            return Value::Object(records);
        }
        verdicts.pop().unwrap_or(Value::Null)
    }
}

impl FunctionExpression for PoseurMatchFn {
    fn resolve(&self, context: &mut Context<'_>) -> Resolved {
        self.value.with(context, |value| self.verdict(value))
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        TypeDef::object(verdict_or_verdicts())
            .or_null()
            .infallible()
    }
}

/// A tag's JSON as a value.
pub fn parsed(json: &[u8]) -> Value {
    // What the writer writes is JSON.
    serde_json::from_slice(json).unwrap_or(Value::Null)
}

/// The keys of a verdict on one record.
pub fn verdict() -> Collection<Field> {
    let list = |element: Kind| Kind::array(Collection::from_unknown(element));
    let object = |keys: &[(&str, Kind)]| Kind::object(closed(keys));
    let on = object(&[
        ("field", Kind::bytes()),
        ("value", Kind::bytes()),
        ("keyword", Kind::bytes()),
    ]);
    let found = object(&[
        ("rule", Kind::bytes()),
        ("title", Kind::bytes()),
        ("on", list(on)),
    ]);
    let suppressed = object(&[
        ("rule", Kind::bytes()),
        ("exception", Kind::bytes()),
        ("reason", Kind::bytes()),
    ]);
    let keys = [
        ("rules", list(Kind::bytes())),
        ("level", Kind::bytes().or_undefined()),
        ("risk_score", Kind::integer().or_undefined()),
        ("technique", list(Kind::bytes()).or_undefined()),
        ("matches", list(found).or_undefined()),
        ("context", Kind::object(Collection::json()).or_undefined()),
        ("suppressed", list(suppressed).or_undefined()),
    ];
    closed(&keys)
}

/// The same, or what a batch has instead.
fn verdict_or_verdicts() -> Collection<Field> {
    let mut keys = verdict();
    let records = Kind::array(Collection::from_unknown(Kind::object(keys.clone())));
    for kind in keys.known_mut().values_mut() {
        kind.add_undefined();
    }
    keys.with_known("records", records.or_undefined())
}

/// An object that has these keys only.
pub fn closed(keys: &[(&str, Kind)]) -> Collection<Field> {
    let known = keys.iter().map(|(key, kind)| ((*key).into(), kind.clone()));
    Collection::from_parts(known.collect::<BTreeMap<Field, Kind>>(), Kind::undefined())
}
