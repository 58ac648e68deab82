//! Rule A by plain code, on raw Office 365 records: the truth for records that nobody generated.

use poseur_tests::reference::rules::{EMAIL_WORDS, MEMBER_NAMES};
use serde_json::Value;

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
