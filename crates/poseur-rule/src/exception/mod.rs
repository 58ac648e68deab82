//! Exceptions: allowlist entries that suppress a match, with a reason, an owner and an expiry.

mod domain;
mod names;
mod trusted;

use jiff::Timestamp;

use crate::error::Place;
use crate::model::Condition;

pub use domain::{NameError, domain_of};
pub use names::{Names, NamesBuilder, TooLarge};
pub use trusted::{Trusted, TrustedBuilder};

/// One allowlist entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// Its id, written into the tag when it suppresses a match.
    pub id: String,
    /// Why it exists, written into the tag.
    pub reason: String,
    /// Who answers for it, if given.
    pub owner: Option<String>,
    /// From this moment on it is inactive.
    pub expires: Option<Timestamp>,
    /// The ids of the rules it concerns; `None` means all.
    pub rules: Option<Vec<String>>,
    /// On what ground it suppresses.
    pub ground: Ground,
    /// Where it was read.
    pub place: Place,
}

/// On what ground an exception suppresses a match.
#[derive(Debug, Clone, PartialEq)]
pub enum Ground {
    /// Every party that satisfied the rule is trusted.
    Trusted(Trusted),
    /// The record does not satisfy this condition, which a Sigma filter adds to the rule's.
    Unless(Condition),
}
