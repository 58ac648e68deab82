//! Functions for programs in the Vector Remap Language: [`PoseurMatch`] and [`PoseurTag`].
//!
//! A host adds [`all`] to the functions that it compiles programs with. Rules, exceptions and schemas
//! are literal arguments, loaded when a program is compiled; run, the functions cannot fail.
//!
//! ```
//! use vrl::compiler::{Context, TargetValue, TimeZone, compile, state::RuntimeState};
//! use vrl::value;
//! use vrl::value::{Secrets, Value};
//!
//! let mut functions = vrl::stdlib::all();
//! functions.extend(poseur_vrl::functions::all());
//! let program = ".level = poseur_match(., at: \"2026-11-20T12:00:00Z\").level";
//! let program = compile(program, &functions).unwrap().program;
//!
//! let mut target = TargetValue {
//!     value: value!({
//!         "Timestamp": "2026-11-19T08:00:00Z",
//!         "IsExternalThread": true,
//!         "RecipientDetails": "Help Desk",
//!     }),
//!     metadata: Value::Object(Default::default()),
//!     secrets: Secrets::default(),
//! };
//! let mut state = RuntimeState::default();
//! program.resolve(&mut Context::new(&mut target, &mut state, &TimeZone::default())).unwrap();
//! assert_eq!(target.value.get(vrl::path!("level")), Some(&value!("medium")));
//! ```

mod arguments;
mod input;
mod judge;
mod pointing;
mod poseur_match;
mod poseur_tag;
mod record;

use vrl::compiler::Function;

pub use pointing::pointed;
pub use poseur_match::PoseurMatch;
pub use poseur_tag::PoseurTag;

/// What kind of functions these are, for documentation made of them.
const CATEGORY: &str = "Detection";

/// Both functions.
pub fn all() -> Vec<Box<dyn Function>> {
    vec![Box::new(PoseurMatch), Box::new(PoseurTag)]
}
