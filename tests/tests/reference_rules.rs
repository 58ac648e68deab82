//! What rule A and rule B mean, case by case.

use poseur_tests::reference::rules::{RULE_A, RULE_B, rule_a, rule_b};
use poseur_tests::reference::{Outcome, verdicts};
use poseur_tests::strategies::now;

/// The rules that match each record of a line.
fn matches(line: &str) -> Vec<Vec<String>> {
    match verdicts(line.as_bytes(), &[rule_a(), rule_b()], now(), None) {
        Outcome::Records(records) => records.into_iter().map(|judged| judged.rules).collect(),
        other => panic!("{other:?}: {line}"),
    }
}

/// Does this one record match this rule, and only this one?
fn hits(line: &str, rule: &str) -> bool {
    match matches(line).as_slice() {
        [rules] => *rules == [rule],
        more => panic!("{} records: {line}", more.len()),
    }
}

/// A raw record; each of the three parts may be anything.
fn raw(user: &str, members: &str, info: &str) -> String {
    format!(
        r#"{{"Operation":"ChatCreated","Workload":"MicrosoftTeams","RecordType":25,"UserId":{user},
        "CommunicationType":"OneOnOne","Members":{members},"ParticipantInfo":{info}}}"#
    )
}

const INFO: &str =
    r#"{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false}"#;

/// The same as a document, with the address where the integration puts it.
fn document(user: &str, members: &str) -> String {
    let name = user.split('@').next().unwrap_or_default();
    format!(
        r#"{{"data_stream":{{"dataset":"o365.audit"}},"event":{{"action":"ChatCreated",
        "provider":"MicrosoftTeams","outcome":"success"}},"user.email":"{user}","user.name":"{name}",
        "o365.audit":{{"CommunicationType":"OneOnOne","Members":{members},"ParticipantInfo":{INFO}}}}}"#
    )
}

#[test]
fn members_are_compared_whole_at_any_leaf() {
    let cases = [
        (r#"[{"DisplayName":"Help Desk"}]"#, true),
        (r#"[{"DisplayName":"Help Desk Team"}]"#, true),
        (r#"[{"DisplayName":"Help Desk IT"}]"#, true),
        (r#"[{"DisplayName":"IT Help Desk"}]"#, true),
        (r#"[{"DisplayName":"Microsoft Security"}]"#, true),
        (r#"[{"DisplayName":"Microsoft  Security"}]"#, true),
        (r#"[{"DisplayName":"Microsoft Support"}]"#, true),
        // Whose leaf it is, and under which key, does not matter.
        (r#"[{"DisplayName":"A"},{"UPN":"Help Desk"}]"#, true),
        (r#"{"DisplayName":"Help Desk"}"#, true),
        (r#"["Help Desk"]"#, true),
        (r#""Help Desk""#, true),
        (r#"[[{"a":{"b.c":["x","Help Desk"]}}]]"#, true),
        (r#"[{"DisplayName":"x","DisplayName":"Help Desk"}]"#, true),
        (r#"[{"DisplayName":"Help Desk","DisplayName":"x"}]"#, true),
        (r#"[{"DisplayName":"\u0048elp\u0020Desk"}]"#, true),
        (r#"[{"DisplayName":"help desk"}]"#, false),
        (r#"[{"DisplayName":"Help  Desk"}]"#, false),
        (r#"[{"DisplayName":"Microsoft   Security"}]"#, false),
        (r#"[{"DisplayName":"Microsoft  Support"}]"#, false),
        (r#"[{"DisplayName":"Help Desk "}]"#, false),
        (r#"[{"DisplayName":"The Help Desk"}]"#, false),
        (r#"[{"DisplayName":"Help\u00a0Desk"}]"#, false),
        (r#"[{"DisplayName":"Help\u200b Desk"}]"#, false),
        (r#"[{"DisplayName":"H\u0435lp Desk"}]"#, false),
        (r#"[{"Help Desk":"DisplayName"}]"#, false),
        (r#"[{"DisplayName":null}]"#, false),
        ("[]", false),
        ("null", false),
    ];
    for (members, wanted) in cases {
        let line = raw(r#""ann@corp.example""#, members, INFO);
        assert_eq!(hits(&line, RULE_A), wanted, "raw {members}");
        let line = document("ann@corp.example", members);
        assert_eq!(hits(&line, RULE_A), wanted, "document {members}");
    }
}

#[test]
fn addresses_hold_a_keyword_anywhere() {
    let cases = [
        ("helpdesk@fake.example", true),
        ("the.helpdesk7@fake.example", true),
        ("help.desk@fake.example", true),
        ("help-desk@fake.example", true),
        ("help_desk@fake.example", true),
        ("ithelp@fake.example", true),
        ("it.help@fake.example", true),
        ("itsupport@fake.example", true),
        ("it.support@fake.example", true),
        ("it-support@fake.example", true),
        ("bob@myhelpdesk.example", true),
        ("bob@it.support.example", true),
        ("helpdesk@", true),
        ("@helpdesk", true),
        ("HelpDesk@fake.example", false),
        ("HELPDESK@fake.example", false),
        ("helpXdesk@fake.example", false),
        ("help desk@fake.example", false),
        ("it_support@fake.example", false),
        ("ann@corp.example", false),
    ];
    for (address, wanted) in cases {
        let line = raw(&format!("\"{address}\""), "[]", INFO);
        assert_eq!(hits(&line, RULE_A), wanted, "raw {address}");
        assert_eq!(
            hits(&document(address, "[]"), RULE_A),
            wanted,
            "document {address}"
        );
    }
}

#[test]
fn an_address_has_exactly_one_at() {
    let cases = [
        (r#""helpdesk""#, false),
        (r#""helpdesk@a@b""#, false),
        (r#""helpdesk@@b""#, false),
        (r#"["ann@corp.example","helpdesk@b"]"#, true),
        (r#"{"x":"helpdesk@b"}"#, false),
        ("1", false),
        ("null", false),
        (r#""a","UserId":"helpdesk@b""#, true),
        (r#""helpdesk@b","UserId":null"#, true),
    ];
    for (user, wanted) in cases {
        assert_eq!(hits(&raw(user, "[]", INFO), RULE_A), wanted, "{user}");
    }
}

#[test]
fn a_user_name_alone_is_enough_in_a_document() {
    let with = |name: &str| {
        document("ann@corp.example", "[]")
            .replace(r#""user.name":"ann""#, &format!(r#""user.name":"{name}""#))
    };
    for (name, wanted) in [
        ("helpdesk", true),
        ("x-help-desk", true),
        ("ithelp", true),
        ("itsupport", true),
        // Only addresses are searched for these.
        ("help.desk", false),
        ("help_desk", false),
        ("it.support", false),
        ("ithELP", false),
    ] {
        assert_eq!(hits(&with(name), RULE_A), wanted, "{name}");
    }
}

#[test]
fn flags_must_be_there_and_be_flags() {
    let with = |guests: &str| {
        let info = format!(
            r#"{{"HasForeignTenantUsers":true,"HasOtherGuestUsers":false{}{guests}}}"#,
            if guests.is_empty() { "" } else { "," }
        );
        raw(r#""helpdesk@b""#, "[]", &info)
    };
    for (guests, wanted) in [
        (r#""HasGuestUsers":false"#, true),
        (r#""HasGuestUsers":"false""#, true),
        (r#""HasGuestUsers":[true,false]"#, true),
        (r#""HasGuestUsers":true,"HasGuestUsers":false"#, true),
        (r#""HasGuestUsers":false,"HasGuestUsers":true"#, true),
        (r#""H\u0061sGuestUsers":false"#, true),
        ("", false),
        (r#""HasGuestUsers":null"#, false),
        (r#""HasGuestUsers":"False""#, false),
        (r#""HasGuestUsers":0"#, false),
        (r#""HasGuestUsers":"0""#, false),
        (r#""HasGuestUsers":[]"#, false),
        (r#""HasGuestUsers":{"x":false}"#, false),
        (r#""HasGuestUsers.x":false"#, false),
        (r#""hasGuestUsers":false"#, false),
    ] {
        assert_eq!(hits(&with(guests), RULE_A), wanted, "{guests}");
    }
}

#[test]
fn outcome_is_success_unless_it_failed() {
    let good = raw(r#""helpdesk@b""#, "[]", INFO);
    for (status, wanted) in [
        (r#""Succeeded""#, true),
        (r#""PARTIALLYSUCCEEDED""#, true),
        (r#""true""#, true),
        ("true", true),
        (r#""anything""#, true),
        (r#""""#, true),
        ("1", true),
        ("null", true),
        ("[]", true),
        ("[null,[]]", true),
        (r#"{"x":"Failed"}"#, true),
        (r#"["Failed",{}]"#, true),
        (r#""Failed","ResultStatus.x":null"#, true),
        (r#"["Failed","Success"]"#, true),
        (r#""Failed","ResultStatus":"x""#, true),
        (r#""Failed""#, false),
        (r#""fAILED""#, false),
        (r#""False""#, false),
        ("false", false),
        (r#"["Failed"]"#, false),
        (r#""Failed","ResultStatus":null"#, false),
    ] {
        let line = good.replacen('{', &format!(r#"{{"ResultStatus":{status},"#), 1);
        assert_eq!(hits(&line, RULE_A), wanted, "{status}");
    }
    let line = document("helpdesk@b", "[]").replace(r#""outcome":"success""#, r#""outcome":null"#);
    assert!(
        !hits(&line, RULE_A),
        "a document says itself what came of it"
    );
}

#[test]
fn a_document_may_be_dotted_nested_or_mixed() {
    let flat = r#"{"data_stream.dataset":"o365.audit","event.action":"ChatCreated","event":{"provider":
        "MicrosoftTeams"},"event.outcome":["success"],"o365.audit.Members.DisplayName":"Help Desk",
        "o365":{"audit.CommunicationType":"OneOnOne"},"o365.audit":[{"ParticipantInfo.HasGuestUsers":
        false,"ParticipantInfo":{"HasOtherGuestUsers":false}}],
        "o365.audit.ParticipantInfo":{"HasForeignTenantUsers":"true"}}"#;
    assert!(hits(flat, RULE_A));
    assert!(!hits(&flat.replace("data_stream.", "data_stream"), RULE_A));
}

/// A row with this time, recipients and flag.
fn row(time: &str, recipients: &str, external: &str) -> String {
    format!(
        r#"{{"Timestamp":{time},"RecipientDetails":{recipients},"IsExternalThread":{external}}}"#
    )
}

const RECENT: &str = r#""2026-02-28T09:06:30.965Z""#;

#[test]
fn recipients_hold_both_words() {
    for (recipients, wanted) in [
        (r#"[{"RecipientDisplayName":"Help Desk"}]"#, true),
        (r#""[{\"RecipientDisplayName\":\"Help Desk\"}]""#, true),
        (
            r#"[{"RecipientDisplayName":"DESKTOP"},{"x":"no HELP"}]"#,
            true,
        ),
        (r#""help desk""#, true),
        (r#""hel\u0070 desk""#, true),
        // Keys are part of the text, and "it" is in Smith.
        (r#"{"help":"desk"}"#, true),
        (r#"[{"RecipientDisplayName":"Smith, Support"}]"#, true),
        (r#"[{"RecipientDisplayName":"Working from home"}]"#, true),
        // A document in a document in a string is unwrapped once; the rest is text anyway.
        (r#""\"help desk\"""#, true),
        (r#""[\"\\u0068elp desk\"]""#, true),
        (r#"[{"RecipientDisplayName":"Help"}]"#, false),
        (r#"[{"RecipientDisplayName":"desk"}]"#, false),
        (r#"[{"RecipientDisplayName":"Support"}]"#, false),
        (r#""\\u0068elp desk""#, false),
        (r#""Help Des\u212a""#, false),
        ("[]", false),
        ("null", false),
    ] {
        assert_eq!(
            hits(&row(RECENT, recipients, "true"), RULE_B),
            wanted,
            "{recipients}"
        );
    }
    let escaped = row(RECENT, r#""hel\"p desk""#, "true");
    assert!(!hits(&escaped, RULE_B));
}

#[test]
fn the_words_may_come_from_two_occurrences() {
    let twice = row(RECENT, r#""help","RecipientDetails":"desk""#, "true");
    assert!(hits(&twice, RULE_B));
}

#[test]
fn external_flags_come_in_many_spellings() {
    for (flag, wanted) in [
        ("true", true),
        ("1", true),
        ("-2.5", true),
        ("1e3", true),
        (r#""true""#, true),
        (r#""TRUE""#, true),
        (r#""1""#, true),
        (r#""-1e2""#, true),
        (r#"false,"IsExternalThread":true"#, true),
        ("false", false),
        ("0", false),
        ("-0.0e5", false),
        (r#""0""#, false),
        (r#""false""#, false),
        (r#""yes""#, false),
        (r#""true ""#, false),
        (r#""01""#, false),
        ("null", false),
        ("[true]", false),
        (r#"{"x":true}"#, false),
    ] {
        assert_eq!(
            hits(&row(RECENT, r#""help desk""#, flag), RULE_B),
            wanted,
            "{flag}"
        );
    }
}

#[test]
fn the_window_is_thirty_days_and_open_at_its_end() {
    for (time, wanted) in [
        ("2026-02-28T09:06:30.9551737Z", true),
        ("2026-02-28 09:06:30", true),
        ("2026-01-30T12:00:00.000000001Z", true),
        ("2026-01-30T12:00:00Z", false),
        ("2026-01-30T13:00:00+01:00", false),
        ("2026-01-30T12:59:59+00:59", true),
        ("2026-01-30T11:59:59-00:01", true),
        ("2027-01-01T00:00:00Z", true),
        ("2026-02-28T23:59:60Z", true),
        ("2026-02-28T23:59:61Z", false),
        ("2026-01-30T11:59:60Z", false),
        ("2026-01-30T11:59:60.1Z", true),
        ("2024-02-29T00:00:00Z", false),
        ("2026-02-29T00:00:00Z", false),
        ("2026-02-28T09:06:30.Z", false),
        ("2026-02-28T09:06:30.1234567890Z", false),
        ("2026-02-28T09:06Z", false),
        ("2026-02-28t09:06:30Z", false),
        ("2026-02-28", false),
        (" 2026-02-28T09:06:30Z", false),
        ("", false),
    ] {
        let line = row(&format!("\"{time}\""), r#""help desk""#, "true");
        assert_eq!(hits(&line, RULE_B), wanted, "{time}");
    }
}

#[test]
fn streamed_rows_stand_below_properties() {
    let inner = row(RECENT, r#""help desk""#, "true");
    let streamed = |category: &str| format!(r#"{{"category":{category},"properties":{inner}}}"#);
    assert!(hits(
        &streamed(r#""AdvancedHunting-MessageEvents""#),
        RULE_B
    ));
    assert!(!hits(&streamed(r#""AdvancedHunting-EmailEvents""#), RULE_B));
    assert!(!hits(
        &streamed(r#"["AdvancedHunting-MessageEvents"]"#),
        RULE_B
    ));
}
