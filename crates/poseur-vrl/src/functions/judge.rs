//! Rules at work on VRL values.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use poseur_matcher::record::{Handle, Unreadable};
use poseur_matcher::{Matcher, Scratch, Verdict};
use vrl::value::Value;

use super::record::{Memory, ValueRecord};

/// A matcher, and the memory it works in. A clone has memory of its own, so that programs that are
/// cloned for each thread do not wait for each other.
pub struct Judge {
    matcher: Arc<Matcher>,
    /// The "now" of time windows and expiry dates; `None` is the system's clock.
    at: Option<Timestamp>,
    workspace: Mutex<Workspace>,
}

struct Workspace {
    scratch: Scratch,
    memory: Memory,
}

impl Judge {
    /// Judges by a matcher, as of a moment.
    pub fn new(matcher: Arc<Matcher>, at: Option<Timestamp>) -> Judge {
        let workspace = Mutex::new(Workspace {
            scratch: Scratch::new(&matcher),
            memory: Memory::default(),
        });
        Judge {
            matcher,
            at,
            workspace,
        }
    }

    /// Decides about a value: `visit` gets every record in it that has a verdict, in order. A value that
    /// is not a readable record, or batch of records, has none.
    pub fn decide(
        &self,
        value: &Value,
        mut visit: impl FnMut(&ValueRecord<'_>, Handle, &Verdict) -> Result<(), Unreadable>,
    ) {
        if !matches!(value, Value::Object(_) | Value::Array(_)) {
            return;
        }
        let now = self.at.unwrap_or_else(Timestamp::now);
        // What a panic leaves behind is cleared with the next record.
        let mut workspace = self
            .workspace
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Workspace { scratch, memory } = &mut *workspace;
        memory.with(value, |record| {
            let mut checked = false;
            let mut each = |root: Handle, verdict: &Verdict| {
                if !checked {
                    record.check()?;
                    checked = true;
                }
                visit(record, root, verdict)
            };
            // A value that cannot be read has been visited nowhere: it is checked before.
            let _ = self.matcher.decide(record, now, scratch, &mut each);
        });
    }
}

impl Clone for Judge {
    fn clone(&self) -> Judge {
        Judge::new(self.matcher.clone(), self.at)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.matcher.rules().len();
        f.debug_struct("Judge").field("rules", &rules).finish()
    }
}
