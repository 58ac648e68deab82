//! An exported program in the `vrl` crate, which is what Vector's `remap` runs.

use std::mem;

use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};

/// A compiled program.
pub struct Program {
    program: vrl::compiler::Program,
    /// What VRL says about it; nothing, if all is well.
    pub warnings: String,
    state: RuntimeState,
    zone: TimeZone,
}

impl Program {
    /// Compiles a program.
    ///
    /// # Panics
    /// If VRL refuses it.
    pub fn new(source: &str) -> Program {
        let compiled = vrl::compiler::compile(source, &vrl::stdlib::all());
        let compiled = compiled.unwrap_or_else(|errors| {
            let text = vrl::diagnostic::Formatter::new(source, errors).to_string();
            panic!("VRL refuses the program:\n{text}")
        });
        let warnings = compiled.warnings;
        let warnings = match warnings.is_empty() {
            true => String::new(),
            false => vrl::diagnostic::Formatter::new(source, warnings).to_string(),
        };
        Program {
            program: compiled.program,
            warnings,
            state: RuntimeState::default(),
            zone: TimeZone::default(),
        }
    }

    /// What the program makes of an event.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&mut self, event: Value) -> Value {
        let mut target = TargetValue {
            value: event,
            metadata: Value::Object(Default::default()),
            secrets: Secrets::default(),
        };
        let mut context = Context::new(&mut target, &mut self.state, &self.zone);
        let answer = self.program.resolve(&mut context);
        self.state.clear();
        if let Err(error) = answer {
            panic!("the program fails: {error}");
        }
        mem::replace(&mut target.value, Value::Null)
    }
}

/// The events that Vector's JSON codec makes of a line; none if it refuses it.
pub fn events(line: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches('\u{FEFF}');
    match serde_json::from_str(text) {
        Ok(Value::Array(events)) => events.into_iter().filter(Value::is_object).collect(),
        Ok(event @ Value::Object(_)) => vec![event],
        _ => Vec::new(),
    }
}

/// The line that Vector's JSON codec writes for an event.
pub fn line(event: &Value) -> Vec<u8> {
    // Values of events are JSON.
    serde_json::to_vec(event).unwrap_or_default()
}
