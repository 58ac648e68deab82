//! The plain way: parse a line, test the rule by hand, write the line back. The code is the same for every
//! library that parses.

use poseur_tests::reference::rules::{EMAIL_WORDS, MEMBER_NAMES, NAME_WORDS, RECIPIENT_WORDS};
use serde_json::{Value, json};

use super::tree::{Task, Tree, Writes, contender};
use crate::contender::Contender;

/// A tree that plain code can ask.
pub trait Plain: Tree {
    /// A member.
    fn get(&self, key: &str) -> Option<&Self>;
    /// The text, if it is one.
    fn as_text(&self) -> Option<&str>;
    /// The truth value, if it is one.
    fn as_truth(&self) -> Option<bool>;
    /// The number, if it is a whole one.
    fn as_number(&self) -> Option<i64>;
    /// Whether a text at or below this satisfies a test.
    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// Rule A on a raw record.
pub fn rule_a(record: &mut impl Plain) -> bool {
    let is = |key, text| record.get(key).and_then(Plain::as_text) == Some(text);
    let party = |key| record.get("ParticipantInfo")?.get(key)?.as_truth();
    let gates = is("Operation", "ChatCreated")
        && is("Workload", "MicrosoftTeams")
        && is("CommunicationType", "OneOnOne")
        && party("HasOtherGuestUsers") == Some(false)
        && party("HasGuestUsers") == Some(false)
        && party("HasForeignTenantUsers") == Some(true);
    if !gates {
        return false;
    }
    let text = |key| record.get(key).and_then(Plain::as_text).unwrap_or_default();
    let failed = ["failed", "false"].map(|word| text("ResultStatus").eq_ignore_ascii_case(word));
    if failed.contains(&true) {
        return false;
    }
    let user = text("UserId");
    let parts: Vec<&str> = user.split('@').collect();
    let by_user = parts.len() == 2
        && (EMAIL_WORDS.iter().any(|word| user.contains(word))
            || NAME_WORDS.iter().any(|word| parts[0].contains(word)));
    let members = record.get("Members");
    let is_named = &mut |text: &str| MEMBER_NAMES.contains(&text);
    by_user || members.is_some_and(|members| members.any_text(is_named))
}

/// The oldest `Timestamp` of rule B, thirty days before the generator's present, and how texts compare
/// with it: all of them are UTC in one form.
pub const OLDEST: &str = "2026-10-21T12:00:00";

/// Rule B on a streamed record.
pub fn rule_b(record: &mut impl Plain) -> bool {
    let time = record
        .get("properties")
        .and_then(|row| row.get("Timestamp"));
    time.and_then(Plain::as_text) > Some(OLDEST) && rule_b_whenever(record)
}

/// The same without its limit of thirty days.
pub fn rule_b_whenever(record: &mut impl Plain) -> bool {
    let Some(row) = record.get("properties") else {
        return false;
    };
    // Some exporters write truth values as texts or numbers.
    let is_external = row.get("IsExternalThread").is_some_and(|flag| {
        let spelled = || {
            flag.as_text()
                .is_some_and(|text| text.eq_ignore_ascii_case("true"))
        };
        flag.as_truth() == Some(true) || flag.as_number() == Some(1) || spelled()
    });
    is_external && row.get("RecipientDetails").is_some_and(is_posing)
}

/// Whether the recipients hold both words of a pair, wherever.
fn is_posing(recipients: &impl Plain) -> bool {
    let mut seen = [[false; 2]; RECIPIENT_WORDS.len()];
    recipients.any_text(&mut |text| {
        let text = text.to_ascii_lowercase();
        for ((one, other), seen) in RECIPIENT_WORDS.iter().zip(&mut seen) {
            seen[0] |= text.contains(one);
            seen[1] |= text.contains(other);
        }
        seen.contains(&[true; 2])
    })
}

/// serde_json's tree and plain code.
pub fn serde_json(task: &Task, writes: Writes, rule: fn(&mut Value) -> bool) -> Contender {
    let name = match writes {
        Writes::All => "serde_json, parse and write",
        Writes::Matches => "serde_json, parse, write matches",
    };
    contender(name, task, writes, rule)
}

impl Tree for Value {
    fn parse(text: &[u8]) -> Option<Value> {
        serde_json::from_slice(text).ok()
    }

    fn text(&self, key: &str) -> Option<&str> {
        Value::get(self, key)?.as_str()
    }

    fn list(&mut self, key: &str) -> &mut [Value] {
        let list = self.get_mut(key).and_then(Value::as_array_mut);
        list.map(Vec::as_mut_slice).unwrap_or_default()
    }

    fn tag(&mut self, rule: &str) {
        self["poseur"] = json!({"rules": [rule]});
    }

    fn write(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(out, self);
    }
}

impl Plain for Value {
    fn get(&self, key: &str) -> Option<&Value> {
        Value::get(self, key)
    }

    fn as_text(&self) -> Option<&str> {
        self.as_str()
    }

    fn as_truth(&self) -> Option<bool> {
        self.as_bool()
    }

    fn as_number(&self) -> Option<i64> {
        self.as_i64()
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        match self {
            Value::String(text) => test(text),
            Value::Array(items) => items.iter().any(|item| item.any_text(test)),
            Value::Object(members) => members.values().any(|value| value.any_text(test)),
            _ => false,
        }
    }
}
