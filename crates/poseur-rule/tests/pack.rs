//! The content of the built-in pack, pinned: it reproduces two published detections.

mod support;

use poseur_rule::model::{Level, Rule};
use poseur_rule::pack::built_in;
use support::show;

fn pack() -> [Rule; 2] {
    built_in().try_into().expect("two rules")
}

#[test]
fn help_desk_chat() {
    let [rule, _] = pack();
    assert_eq!(rule.id, "e8e7b6b6-78b0-4015-97fe-c2f28468e0d4");
    assert_eq!(rule.title, "M365 Teams Rogue Help Desk Chat Created");
    assert_eq!((rule.level, rule.risk_score), (Level::High, Some(73)));
    assert_eq!(rule.techniques, ["T1566.003"]);
    assert_eq!(rule.tactics, ["initial-access"]);
    assert_eq!(
        rule.fields,
        [
            "@timestamp",
            "user.name",
            "user.email",
            "user.domain",
            "user.id",
            "o365.audit.Members",
            "o365.audit.Members.DisplayName",
            "o365.audit.ChatThreadId",
            "o365.audit.ResourceTenantId",
            "o365.audit.CommunicationType",
            "o365.audit.ParticipantInfo.HasForeignTenantUsers",
            "o365.audit.ParticipantInfo.HasGuestUsers",
            "o365.audit.ParticipantInfo.HasOtherGuestUsers",
            "o365.audit.ParticipantInfo.ParticipatingDomains",
            "event.action",
            "event.provider",
        ]
    );
    let chat = "chat{(data_stream.dataset=o365.audit & event.action=ChatCreated \
                & event.provider=MicrosoftTeams & event.outcome=success \
                & o365.audit.CommunicationType=OneOnOne)}";
    let foreign = "foreign{(o365.audit.ParticipantInfo.HasOtherGuestUsers is false \
                   & o365.audit.ParticipantInfo.HasGuestUsers is false \
                   & o365.audit.ParticipantInfo.HasForeignTenantUsers is true)}";
    let any = |name: &str, field: &str, values: &[String]| {
        let values: Vec<String> = values
            .iter()
            .map(|value| format!("{field}={value}"))
            .collect();
        format!("{name}{{({})}}", values.join(" | "))
    };
    let members = [
        "Help Desk",
        "Help Desk Team",
        "Help Desk IT",
        "IT Help Desk",
        "Microsoft Security",
        "Microsoft  Security",
        "Microsoft Support",
    ]
    .map(str::to_owned);
    let addresses = [
        "helpdesk",
        "help.desk",
        "help-desk",
        "help_desk",
        "ithelp",
        "it.help",
        "itsupport",
        "it.support",
        "it-support",
    ]
    .map(|word| format!("*{word}*"));
    let mailboxes =
        ["helpdesk", "help-desk", "ithelp", "itsupport"].map(|word| format!("*{word}*"));
    assert_eq!(
        show(&rule.condition),
        format!(
            "({chat} & {foreign} & ({} | {} | {}))",
            any("posing_member", "o365.audit.Members", &members),
            any("posing_address", "user.email", &addresses),
            any("posing_mailbox", "user.name", &mailboxes),
        )
    );
}

#[test]
fn suspicious_external_contact() {
    let [_, rule] = pack();
    assert_eq!(rule.id, "389ead4a-6dfe-47e1-9236-165eb08f1017");
    assert_eq!(
        rule.title,
        "Teams communication to suspicious external users"
    );
    assert_eq!((rule.level, rule.risk_score), (Level::Medium, None));
    assert_eq!(rule.techniques, ["T1566"]);
    assert_eq!(rule.tactics, ["initial-access"]);
    assert_eq!(
        rule.fields,
        [
            "Timestamp",
            "SenderDisplayName",
            "SenderEmailAddress",
            "RecipientDetails",
            "IsOwnedThread",
            "ThreadType",
        ]
    );
    assert_eq!(rule.false_positives.len(), 5);
    assert_eq!(
        show(&rule.condition),
        "(external{IsExternalThread is true} \
         & (posing_as_help_desk{(RecipientDetails~*help* & RecipientDetails~*desk*)} \
         | posing_as_support{(RecipientDetails~*it* & RecipientDetails~*support*)} \
         | posing_as_home_office{(RecipientDetails~*working* & RecipientDetails~*home*)}) \
         & Timestamp > now - 30d)"
    );
}

#[test]
fn every_rule_explains_itself() {
    for rule in built_in() {
        assert!(!rule.description.is_empty(), "{}", rule.id);
        assert!(!rule.false_positives.is_empty(), "{}", rule.id);
        assert!(
            rule.references
                .iter()
                .all(|url| url.starts_with("https://")),
            "{}",
            rule.id
        );
        assert!(
            rule.origin.place.file.starts_with("built-in:"),
            "{}",
            rule.id
        );
    }
}
