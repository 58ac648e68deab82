//! What a front end makes of a file.

use crate::error::LoadError;
use crate::model::Rule;
use crate::sigma::Filter;

/// What a file of rules held, whatever its language. Nothing is half-loaded: what has an error is in
/// neither list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Documents {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Sigma filters, in order.
    pub filters: Vec<Filter>,
    /// What is wrong with everything else.
    pub errors: Vec<LoadError>,
}
