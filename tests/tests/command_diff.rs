//! `poseur rules show` and `poseur rules diff`: one form for all languages, and what tells two rules
//! apart.

mod command_support;

use serde_json::{Value, json};

use command_support::*;

/// Rule A in kuery, in our own words.
const A_IN_KUERY: &str = r#"
[rule]
rule_id = "a-in-kuery"
name = "Help desk from elsewhere"
type = "query"
language = "kuery"
query = '''
event.provider: MicrosoftTeams and event.action: ChatCreated and event.outcome: success
  and data_stream.dataset: "o365.audit" and o365.audit.CommunicationType: OneOnOne
  and o365.audit.ParticipantInfo.HasForeignTenantUsers: true
  and o365.audit.ParticipantInfo.HasGuestUsers: false
  and o365.audit.ParticipantInfo.HasOtherGuestUsers: false
  and (
    user.name: (*helpdesk* or *help-desk* or *ithelp* or *itsupport*)
    or user.email: (
      *it-support* or *it.support* or *itsupport* or *it.help* or *ithelp*
      or *help_desk* or *help-desk* or *help.desk* or *helpdesk*
    )
    or o365.audit.Members: (
      "Microsoft Support" or "Microsoft  Security" or "Microsoft Security"
      or "IT Help Desk" or "Help Desk IT" or "Help Desk Team" or "Help Desk"
    )
  )
'''
"#;

/// Rule B in Kusto, in our own words.
const B_IN_KUSTO: &str = r#"
id: b-in-kusto
name: Help from outside
description: Somebody outside poses as support.
severity: Medium
query: |
  let since = ago(30d);
  MessageEvents
  | where Timestamp > since
  | where IsExternalThread == true
  | where (RecipientDetails contains "working" and RecipientDetails contains "home")
      or (RecipientDetails contains "support" and RecipientDetails contains "IT")
      or (RecipientDetails contains "Desk" and RecipientDetails contains "Help")
  | project Timestamp, SenderEmailAddress, RecipientDetails
"#;

/// The part of `rules show` that is the rule's meaning.
fn meaning(args: &[&str]) -> String {
    let ran = run([&["rules", "show"][..], args].concat(), "").expect(0);
    let text = ran.text();
    let (_, behind) = text.split_once("matches when\n").expect("a condition");
    let end = behind.find("\nlooks at").unwrap_or(behind.len());
    behind[..end].to_owned()
}

fn diff(args: &[&str], code: i32) -> Ran {
    run([&["rules", "diff", "--at", AT][..], args].concat(), "").expect(code)
}

/// The records that a comparison found, and which rule matches each.
fn records(args: &[&str]) -> Vec<(String, Value)> {
    let ran = diff(&[args, &["--format", "json"]].concat(), 1).json();
    let records = ran["records"].as_array().unwrap().iter();
    records
        .map(|found| {
            (
                found["matched_by"].as_str().unwrap().to_owned(),
                found["record"].clone(),
            )
        })
        .collect()
}

#[test]
fn the_pack_says_what_the_published_languages_say() {
    let folder = Folder::new();
    for (id, name, text) in [
        (RULE_A, "a.toml", A_IN_KUERY),
        (RULE_B, "b.yaml", B_IN_KUSTO),
    ] {
        let file = folder.file(name, text);
        let ran = diff(&[id, &file], 0);
        assert!(
            ran.text()
                .contains("\nthe same condition: both match when\n"),
            "{}",
            ran.text()
        );
        let ran = diff(&[id, &file, "--format", "json"], 0).json();
        assert_eq!((&ran["same"], &ran["records"]), (&json!(true), &json!([])));
        // So `show` writes the same, too.
        let ours = run(["rules", "list", "--rules", &file, "--format", "json"], "")
            .expect(0)
            .json();
        let other = ours[0]["id"].as_str().unwrap();
        assert_eq!(meaning(&[id]), meaning(&[other, "--rules", &file]));
    }
}

#[test]
fn what_only_one_rule_has_is_shown() {
    let folder = Folder::new();
    let changed = A_IN_KUERY
        .replace("*it.help* or ", "")
        .replace("Help Desk Team", "Help Desk team");
    let file = folder.file("a.toml", changed);
    let ran = diff(&[RULE_A, &file], 1);
    let shown = "\
different conditions
   all of
     (8 parts in both)
     at least one of
       (18 parts in both)
 A     o365.audit.Members is \"Help Desk Team\" (case-sensitive)
 A     user.email contains \"it.help\" (case-sensitive)
 B     o365.audit.Members is \"Help Desk team\" (case-sensitive)

A matches this record, B does not
  {";
    assert!(ran.text().contains(shown), "{}", ran.text());
    assert!(ran.err.is_empty(), "{}", ran.err);
    // The records are judged as the output says.
    let found = records(&[RULE_A, &file]);
    assert_eq!(found.len(), 2);
    for (side, record) in found {
        let record = record.to_string();
        let by = |sources: &[&str]| {
            let args = [&["tag", "--quiet", "--at", AT][..], sources].concat();
            run(args, record.as_str()).expect(0).text() != record
        };
        assert_eq!(by(&[]), side == "A", "{record}");
        assert_eq!(by(&["--rules", &file]), side == "B", "{record}");
    }
}

/// A Sigma rule with this detection.
fn sigma(id: &str, detection: &str) -> String {
    format!(
        "title: {id}\nid: {id}\nlogsource: {{product: x}}\ndetection:\n  s: {{{detection}}}\n  condition: s\n"
    )
}

#[test]
fn small_differences_are_found() {
    let folder = Folder::new();
    for (one, other, sides) in [
        // Letter case.
        ("'a|cased': Ab", "a: Ab", "B"),
        // A part of the text, its beginning, the whole.
        ("'a|contains': bc", "'a|startswith': bc", "A"),
        ("'a|startswith': bc", "a: bc", "A"),
        ("a: b*d", "a: b?d", "A"),
        // Types.
        ("a: true", "a: 'true'", "B"),
        ("a: null", "a: ''", "AB"),
        ("a: null, b: c", "b: c", "B"),
        ("'a|exists': true", "a: '*'", "A"),
        ("'a|lt': 10", "'a|lte': 10", "B"),
        ("'a|gt': 10", "a: 11", "A"),
        // Texts that expressions match.
        ("'a|re': '^x[0-9]{3}y'", "a: x000y*", "A"),
        ("'a|re|i': abc", "'a|re': abc", "A"),
        ("'a|cidr': 10.0.0.0/8", "'a|cidr': 10.0.0.0/9", "A"),
        ("'a|fieldref': b", "a: b", "AB"),
        // Several fields, several values.
        ("'a|contains|all': [b, c]", "'a|contains': [b, c]", "B"),
        ("a: b, c: d", "a: b", "B"),
        ("'a|neq': b", "'c|exists': true", "AB"),
    ] {
        let files = [
            folder.file("one.yml", sigma("one", one)),
            folder.file("other.yml", sigma("other", other)),
        ];
        let found = records(&[&files[0], &files[1]]);
        let by: String = found.iter().map(|(side, _)| side.as_str()).collect();
        assert!(
            sides.chars().all(|side| by.contains(side)),
            "{one} / {other}: only {found:?}"
        );
        // Small: no more than the rules name.
        for (_, record) in &found {
            assert!(record.as_object().unwrap().len() <= 2, "{record}");
        }
        let same = diff(&[&files[0], &files[0]], 0);
        assert!(same.text().contains("the same condition"));
    }
}

#[test]
fn languages_are_told_apart() {
    let folder = Folder::new();
    let kuery = |query: &str| {
        folder.file(
            "k.toml",
            format!("[rule]\nrule_id = \"k\"\nname = \"K\"\ntype = \"query\"\nlanguage = \"kuery\"\nquery = '''{query}'''\n"),
        )
    };
    let kusto = |query: &str| folder.file("q.kql", query);
    // Kuery tells letter case apart, Sigma does not.
    let s = folder.file("s.yml", sigma("s", "a: bc"));
    let k = kuery("a: bc");
    assert_eq!(records(&[&s, &k])[0], ("A".into(), json!({"a": "BC"})));
    // In one object, or in several.
    let both = folder.file("n.yml", sigma("n", "p.a: '1', p.b: '2'"));
    let one = kuery("p: { a: \"1\" and b: \"2\" }");
    let found = records(&[&both, &one]);
    assert_eq!(found[0].0, "A", "{found:?}");
    // Functions.
    let q = kusto("T | where strlen(a) > 3 and a startswith 'x'");
    let other = folder.file("r.kql", "T | where a startswith 'x'");
    let found = records(&[&q, &other]);
    assert_eq!(found[0].0, "B", "{found:?}");
}

#[test]
fn what_cannot_be_told_apart_is_said() {
    let folder = Folder::new();
    let one = folder.file("one.yml", sigma("one", "'a|contains': b"));
    // Absorption is beyond normal forms: b and (b or c).
    let other = folder.file(
        "other.yml",
        "title: O\nid: o\nlogsource: {product: x}\ndetection:\n  s: {'a|contains': b}\n  t: {'c|contains': d}\n  condition: s and (s or t)\n",
    );
    let ran = diff(&[&one, &other], 1);
    assert!(
        ran.text()
            .contains("\nno record that tells them apart is among the "),
        "{}",
        ran.text()
    );
    let ran = diff(&[&one, &other, "--format", "json"], 1).json();
    assert!(ran["tried"].as_u64().unwrap() > 1000, "{ran}");
}

#[test]
fn exit_codes() {
    let folder = Folder::new();
    let good = folder.file("good.yml", sigma("good", "a: b"));
    let bad = folder.file("bad.yml", sigma("bad", "'a|nonsense': b"));
    let two = folder.file(
        "two.yml",
        format!("{}---\n{}", sigma("t1", "a: b"), sigma("t2", "a: c")),
    );
    diff(&[&good, &good], 0);
    diff(&[&good, RULE_A], 1);
    for (args, code, reason) in [
        (
            vec![&*good, "no-such-rule"],
            2,
            "no loaded rule has the id no-such-rule",
        ),
        (
            vec![&*good, &*two],
            2,
            "holds 2 rules: load it with --rules and give an id",
        ),
        (
            vec![&*good, "t", "--rules", &*two],
            2,
            "2 rules have ids that begin with t",
        ),
        (vec![&*good, &*bad], 78, "unknown modifier `nonsense`"),
        (
            vec!["t1", "t2", "--rules", &*bad],
            78,
            "unknown modifier `nonsense`",
        ),
        (vec![&*good], 2, "required"),
    ] {
        let ran = diff(&args, code);
        assert!(ran.err.contains(reason), "{}", ran.err);
        assert!(ran.out.is_empty());
    }
    diff(&["t1", "t2", "--rules", &two], 1);
    diff(&["t1", &good, "--rules", &two], 0);
}
