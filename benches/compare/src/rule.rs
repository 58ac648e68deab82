//! The rules that programs are asked for, what is known about them without any program, and rule A by plain code: the
//! truth for records that nobody generated.

use memchr::memmem;
use poseur_tests::reference::rules::{EMAIL_WORDS, MEMBER_NAMES, RULE_A, RULE_B};
use serde_json::Value;

/// The rule that the traffic can match. `poseur` runs both, the others are asked only this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rule {
    /// Elastic's rogue help-desk chat, on raw Office 365 records.
    #[default]
    A,
    /// Microsoft's suspicious external user, on streamed Defender MessageEvents.
    B,
}

impl Rule {
    /// Both.
    pub const ALL: &[Rule] = &[Rule::A, Rule::B];

    /// The id that a tag names.
    pub fn id(self) -> &'static str {
        match self {
            Rule::A => RULE_A,
            Rule::B => RULE_B,
        }
    }

    /// Texts of which the line of a matching record holds at least one; in lower case where letter case is ignored.
    /// `\u00` begins the escapes that can hide any of the others.
    pub fn literals(self) -> &'static [&'static str] {
        match self {
            Rule::A => &["ChatCreated", "\\u00"],
            Rule::B => &["desk", "support", "home", "\\u00"],
        }
    }

    /// Whether the rule ignores the case of letters.
    pub fn ignores_case(self) -> bool {
        self == Rule::B
    }

    /// Whether a search for the literals finds a line.
    pub fn finds(self, line: &[u8]) -> bool {
        let mut literals = self.literals().iter();
        let lower = self.ignores_case().then(|| line.to_ascii_lowercase());
        let line = lower.as_deref().unwrap_or(line);
        literals.any(|literal| memmem::find(line, literal.as_bytes()).is_some())
    }

    /// What tells a record from others.
    pub fn name(self, record: &Value) -> String {
        let name = match self {
            Rule::A => &record["Id"],
            Rule::B => &record["properties"]["ReportId"],
        };
        name.as_str().unwrap_or("without a name").to_owned()
    }
}

/// Whether rule A holds of a raw record. The words for mailbox names are among those for addresses, so the address is
/// enough.
pub fn holds(record: &Value) -> bool {
    let parties = &record["ParticipantInfo"];
    let status = record["ResultStatus"].as_str().unwrap_or_default();
    record["Operation"] == "ChatCreated"
        && record["Workload"] == "MicrosoftTeams"
        && record["CommunicationType"] == "OneOnOne"
        && parties["HasOtherGuestUsers"] == false
        && parties["HasGuestUsers"] == false
        && parties["HasForeignTenantUsers"] == true
        && !["failed", "false"].contains(&status.to_ascii_lowercase().as_str())
        && (user_poses(&record["UserId"]) || member_poses(&record["Members"]))
}

fn user_poses(user: &Value) -> bool {
    user.as_str().is_some_and(|user| {
        user.matches('@').count() == 1 && EMAIL_WORDS.iter().any(|word| user.contains(word))
    })
}

fn member_poses(value: &Value) -> bool {
    match value {
        Value::String(text) => MEMBER_NAMES.contains(&text.as_str()),
        Value::Array(items) => items.iter().any(member_poses),
        Value::Object(members) => members.values().any(member_poses),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use poseur_tests::traffic::{Config, Kind, Shape, Traffic};

    #[test]
    fn it_says_what_the_generator_knows() {
        let config = Config {
            candidate_rate: Some(0.5),
            match_rate: 0.1,
            ..Config::new(Kind::Teams, Shape::O365)
        };
        let mut traffic = Traffic::new(config).unwrap();
        let mut matching = 0;
        for _ in 0..5000 {
            let mut line = Vec::new();
            let truth = traffic.next(&mut line);
            let record = serde_json::from_slice(&line).unwrap();
            assert_eq!(holds(&record), truth.matches_a == 1, "{record}");
            matching += truth.matches_a;
        }
        assert!(matching > 300);
    }
}
