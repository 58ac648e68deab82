//! Exceptions: allowlist entries that suppress a match, with a reason, an owner and an expiry.

use jiff::Timestamp;

use crate::error::Place;
use crate::model::Condition;

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

/// Who is trusted. A party is trusted if any of the three names it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trusted {
    /// Tenant ids, lower-cased.
    pub tenants: Names,
    /// Whole domains, lower-cased and in ASCII (IDNA) form: compared with the part after the last `@`.
    pub domains: Names,
    /// Parent domains, without the leading dot, in the same form: any domain *below* them is
    /// trusted, the parent itself is not.
    pub parents: Names,
    /// Addresses, lower-cased, the domain in ASCII form.
    pub emails: Names,
}

/// A set of names that stays small at a million entries: one text, sorted offsets, binary search.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    text: String,
    /// End of each name in `text`; names are sorted and unique.
    ends: Vec<u32>,
}
