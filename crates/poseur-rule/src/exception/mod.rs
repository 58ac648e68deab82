//! Exceptions: allowlist entries that suppress a match, with a reason, an owner and an expiry.
//!
//! [`load()`] reads files and folders of them. The form, key by key:
//!
//! ```yaml
//! exceptions:                     # or the list alone
//!   - id: contoso-msp             # required; unique; written into the tag
//!     reason: Our support partner # required; written into the tag
//!     owner: it-security@contoso.example
//!     expires: 2027-01-31         # the end of that day, UTC; or RFC 3339 for a moment
//!     rules: [e8e7b6b6-78b0-4015-97fe-c2f28468e0d4] # ids, or `all`; without the key: all
//!     tenant_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
//!     domain: [msp.example, .partner.example]  # a leading dot: every domain below, not itself
//!     email: {file: watchlist.csv, column: Address}
//! ```
//!
//! At least one of `tenant_id`, `domain` and `email` is needed. Each is a text, a list, or a file,
//! found from the YAML file's folder: `{file: partners.txt}` with one name a line and `#` comments,
//! or `{file: x.csv, column: NAME}` with a header row. An entry that is meant to list nobody yet
//! says `template: true`. Display names are never a ground for trust.

mod domain;
mod list;
mod load;
mod names;
mod packs;
mod parse;
mod trusted;

use std::fmt;

use jiff::Timestamp;

use crate::error::Place;
use crate::model::Condition;

pub use domain::{NameError, domain_of};
pub use load::{Loaded, load, unique};
pub use names::{Names, NamesBuilder, TooLarge};
pub use packs::{PACKS, known_services, pack};
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

impl Exception {
    /// Whether it is in force at a moment.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether it concerns the rule with this id.
    pub fn concerns(&self, rule: &str) -> bool {
        self.rules
            .as_ref()
            .is_none_or(|rules| rules.iter().any(|id| id == rule))
    }
}

/// An exception that is no longer in force. Displays as a warning, `FILE:LINE:COLUMN: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The exception's id.
    pub id: String,
    /// Who can renew it, if that is known.
    pub owner: Option<String>,
    /// From this moment on it was inactive.
    pub since: Timestamp,
    /// Where it was read.
    pub place: Place,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expired {
            id, since, place, ..
        } = self;
        write!(
            f,
            "{place}: the exception `{id}` expired at {since} and is inactive"
        )?;
        match &self.owner {
            Some(owner) => write!(f, "; its owner is {owner}"),
            None => Ok(()),
        }
    }
}

/// Those exceptions that are no longer in force at a moment, for the command to warn about.
pub fn expired(exceptions: &[Exception], now: Timestamp) -> Vec<Expired> {
    exceptions
        .iter()
        .filter(|exception| !exception.is_active(now))
        .filter_map(|exception| {
            Some(Expired {
                id: exception.id.clone(),
                owner: exception.owner.clone(),
                since: exception.expires?,
                place: exception.place.clone(),
            })
        })
        .collect()
}
