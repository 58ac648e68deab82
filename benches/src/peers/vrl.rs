//! The `vrl` crate, which is what Vector's `remap` runs, with the real functions of its library.

use std::mem;

use poseur_matcher::{Matcher, schema};
use poseur_rule::pack;
use poseur_tagger::TagOptions;
use poseur_vrl::export::Export;
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, Program, TargetValue, TimeZone};
use vrl::value;
use vrl::value::{Secrets, Value};

use super::tree::{Task, Tree, Writes, contender};
use crate::contender::Contender;
use crate::traffic::{Traffic, lines};

/// Rule A as a program.
pub const RULE_A: &str = include_str!("../../programs/rule-a.vrl");
/// Rule B as a program.
pub const RULE_B: &str = include_str!("../../programs/rule-b.vrl");

/// Records are parsed straight into VRL's values, the program is resolved on each, what matched is written.
pub fn vrl(task: &Task, program: &str) -> Contender {
    let mut program = Judge::new(program);
    let name = "vrl, parse, run, write matches";
    let judge = move |record: &mut Value| program.judge(record);
    contender(name, task, Writes::Matches, judge)
}

/// The function of Poseur for such programs, both rules at once.
pub const FUNCTION: &str = "poseur_match(., at: \"2026-11-20T12:00:00Z\") != null";

/// The same, and the verdict is put into the record: what the exported program does.
pub const TAGGING: &str = r#"del(.poseur)
verdict = poseur_match(., at: "2026-11-20T12:00:00Z")
if verdict != null { .poseur = verdict }
exists(.poseur)"#;

/// Both rules as `poseur export vrl` writes them for an unmodified Vector.
///
/// # Panics
/// If the built-in rules cannot be exported.
pub fn exported() -> String {
    let matcher = Matcher::new(pack::built_in(), Vec::new(), schema::built_in(), None);
    let matcher = matcher.expect("the built-in rules compile");
    let export = Export::new(&matcher, None, TagOptions::default(), Some(Traffic::now()));
    let program = export.vrl().expect("the built-in rules are exported");
    format!("del(.poseur)\n{program}\nexists(.poseur)")
}

/// Records that are VRL's values already, as inside a shipper: a program is resolved on each, nothing is
/// parsed and nothing written.
pub fn on_values(name: &'static str, task: &Task, program: &str) -> Contender {
    let mut program = Judge::new(program);
    let records = lines(&task.traffic.bytes).filter_map(Value::parse);
    let mut records: Vec<Value> = records.collect();
    let run = move || {
        let judged = records.iter_mut().map(|record| program.judge(record));
        judged.filter(|matched| *matched).count() as u64
    };
    Contender::new(name, task.traffic.bytes.len(), task.answer, run)
}

/// The way not taken: each value is written as JSON, and that is read by the tagger.
pub fn through_json(task: &Task) -> Contender {
    let mut tagger = crate::poseur::tagger_with(&[]);
    let records = lines(&task.traffic.bytes).filter_map(Value::parse);
    let records: Vec<Value> = records.collect();
    let mut text = Vec::new();
    let run = move || {
        let before = tagger.counts().matched;
        for record in &records {
            text.clear();
            record.write(&mut text);
            std::hint::black_box(tagger.tag(&text, Traffic::now()));
        }
        tagger.counts().matched - before
    };
    let name = "values written as JSON, and tagged";
    Contender::new(name, task.traffic.bytes.len(), task.answer, run)
}

struct Judge {
    program: Program,
    state: RuntimeState,
    zone: TimeZone,
}

impl Judge {
    fn new(source: &str) -> Judge {
        let mut functions = vrl::stdlib::all();
        functions.extend(poseur_vrl::functions::all());
        let compiled = vrl::compiler::compile(source, &functions);
        let program = match compiled {
            Ok(compiled) => compiled.program,
            Err(errors) => panic!("{errors:#?}"),
        };
        Judge {
            program,
            state: RuntimeState::default(),
            zone: TimeZone::default(),
        }
    }

    fn judge(&mut self, record: &mut Value) -> bool {
        let mut target = TargetValue {
            value: mem::replace(record, Value::Null),
            metadata: Value::Object(Default::default()),
            secrets: Secrets::default(),
        };
        let mut context = Context::new(&mut target, &mut self.state, &self.zone);
        let answer = self.program.resolve(&mut context);
        self.state.clear();
        *record = target.value;
        matches!(answer, Ok(Value::Boolean(true)))
    }
}

impl Tree for Value {
    fn parse(text: &[u8]) -> Option<Value> {
        serde_json::from_slice(text).ok()
    }

    fn text(&self, key: &str) -> Option<&str> {
        let text = self.as_object()?.get(key)?.as_bytes()?;
        str::from_utf8(text).ok()
    }

    fn list(&mut self, key: &str) -> &mut [Value] {
        let members = self.as_object_mut();
        let list = members.and_then(|members| members.get_mut(key)?.as_array_mut());
        list.map(Vec::as_mut_slice).unwrap_or_default()
    }

    fn tag(&mut self, rule: &str) {
        if let Some(members) = self.as_object_mut() {
            members.insert("poseur".into(), value!({rules: [rule]}));
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(out, self);
    }
}
