//! An operator's program, run on records as JSON.

use std::fmt;

use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::{TargetValue, TimeZone};
use vrl::diagnostic::{DiagnosticList, Formatter};
use vrl::value::{Secrets, Value};

use crate::functions::{self, pointed};

/// A compiled program, with VRL's standard library and the functions of this crate. A clone has a state
/// of its own.
pub struct Program {
    program: vrl::compiler::Program,
    runtime: Runtime,
    zone: TimeZone,
}

/// What came of compiling: the program, and what VRL warns of.
#[derive(Debug)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// VRL's warnings for people, several lines; often empty.
    pub warnings: String,
}

/// Why a program does not compile. Displays as VRL's diagnostics for people, several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoesNotCompile {
    /// How many errors there are.
    pub errors: usize,
    diagnostics: String,
}

impl fmt::Display for DoesNotCompile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostics)
    }
}

impl std::error::Error for DoesNotCompile {}

/// Why a program left nothing to write. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// VRL cannot read the record: what its reader of JSON says.
    Unreadable(String),
    /// An expression failed: what VRL says.
    Failed(String),
    /// The program said `abort`, with this message if it has one.
    Aborted(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreadable(reason) => write!(f, "VRL cannot read the record: {reason}"),
            Failure::Failed(reason) | Failure::Aborted(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Failure {}

impl Program {
    /// Compiles a program. Times without a zone are UTC for it.
    ///
    /// # Errors
    /// If it does not compile.
    pub fn compile(source: &str) -> Result<Compiled, DoesNotCompile> {
        let mut all = vrl::stdlib::all();
        all.extend(functions::all());
        let shown =
            |list: DiagnosticList| Formatter::new(source, pointed(source, list)).to_string();
        match vrl::compiler::compile(source, &all) {
            Ok(result) => Ok(Compiled {
                program: Program::new(result.program),
                warnings: shown(result.warnings),
            }),
            Err(list) => Err(DoesNotCompile {
                errors: list.errors().len().max(1),
                diagnostics: shown(list),
            }),
        }
    }

    fn new(program: vrl::compiler::Program) -> Program {
        Program {
            program,
            runtime: Runtime::default(),
            zone: TimeZone::parse("UTC").unwrap_or_default(),
        }
    }

    /// Runs the program with a record as `.` and appends what it leaves there, as compact JSON.
    ///
    /// Bytes that are not UTF-8 are U+FFFD for the program, of equal keys it sees the last, and integers
    /// beyond 64 bits are floats: that is how VRL reads JSON.
    ///
    /// # Errors
    /// If the program fails or aborts; nothing is appended then.
    pub fn run(&mut self, record: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let read: Result<Value, _> = match std::str::from_utf8(record) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_str(&String::from_utf8_lossy(record)),
        };
        let mut target = TargetValue {
            value: read.map_err(|error| Failure::Unreadable(error.to_string()))?,
            metadata: Value::Object(Default::default()),
            secrets: Secrets::default(),
        };
        let outcome = self.runtime.resolve(&mut target, &self.program, &self.zone);
        self.runtime.clear();
        match outcome {
            Ok(_) => {
                // Writing a value to memory does not fail.
                let _ = serde_json::to_writer(out, &target.value);
                Ok(())
            }
            Err(Terminate::Abort(error)) => Err(Failure::Aborted(error.to_string())),
            Err(other) => Err(Failure::Failed(other.to_string())),
        }
    }
}

impl Clone for Program {
    fn clone(&self) -> Program {
        Program::new(self.program.clone())
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").finish_non_exhaustive()
    }
}
