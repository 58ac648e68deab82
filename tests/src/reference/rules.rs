//! The two rules Poseur is judged by, built from the model by hand, so that the front ends are not
//! needed to test the matcher.

use poseur_rule::error::Place;
use poseur_rule::model::{
    Case, Comparison, Condition, Field, Language, Level, LogSource, Moment, Origin, Pattern,
    Predicate, Rule, Test,
};

/// Id of [`rule_a`].
pub const RULE_A: &str = "e8e7b6b6-78b0-4015-97fe-c2f28468e0d4";
/// Id of [`rule_b`].
pub const RULE_B: &str = "389ead4a-6dfe-47e1-9236-165eb08f1017";

/// What a member must be called, exactly.
pub const MEMBER_NAMES: [&str; 7] = [
    "Help Desk",
    "Help Desk Team",
    "Help Desk IT",
    "IT Help Desk",
    "Microsoft Security",
    "Microsoft  Security",
    "Microsoft Support",
];

/// What an address must hold.
pub const EMAIL_WORDS: [&str; 9] = [
    "helpdesk",
    "help.desk",
    "help-desk",
    "help_desk",
    "ithelp",
    "it.help",
    "itsupport",
    "it.support",
    "it-support",
];

/// What a user name must hold.
pub const NAME_WORDS: [&str; 4] = ["helpdesk", "help-desk", "ithelp", "itsupport"];

/// Pairs of words of which `RecipientDetails` must hold both.
pub const RECIPIENT_WORDS: [(&str, &str); 3] =
    [("help", "desk"), ("it", "support"), ("working", "home")];

/// A predicate on a named field.
pub fn test(field: &str, test: Test) -> Condition {
    Condition::Test(Predicate {
        field: Field::Name(field.to_owned()),
        test,
    })
}

/// A rule with this id and condition and nothing else of note.
pub fn rule(id: &str, condition: Condition) -> Rule {
    Rule {
        id: id.to_owned(),
        title: id.to_owned(),
        description: String::new(),
        status: None,
        author: None,
        level: Level::High,
        risk_score: None,
        techniques: Vec::new(),
        tactics: Vec::new(),
        references: Vec::new(),
        false_positives: Vec::new(),
        fields: Vec::new(),
        log_source: LogSource::default(),
        condition,
        origin: Origin {
            language: Language::Sigma,
            place: Place::new("built-in:reference", 0, 0),
        },
    }
}

fn is(field: &str, text: &str) -> Condition {
    test(field, Test::Text(Pattern::equals(text), Case::Exact))
}

fn contains(field: &str, text: &str, case: Case) -> Condition {
    test(field, Test::Text(Pattern::contains(text), case))
}

fn contains_one(field: &str, words: &[&str]) -> Condition {
    let one = |word: &&str| contains(field, word, Case::Exact);
    Condition::Any(words.iter().map(one).collect())
}

/// The clauses of rule A, all of which must hold.
pub fn clauses_a() -> Vec<Condition> {
    let flag = |name: &str, truth| {
        let field = format!("o365.audit.ParticipantInfo.{name}");
        test(&field, Test::Bool(truth))
    };
    let member = |name: &&str| is("o365.audit.Members", name);
    vec![
        is("data_stream.dataset", "o365.audit"),
        is("event.action", "ChatCreated"),
        is("event.provider", "MicrosoftTeams"),
        is("event.outcome", "success"),
        flag("HasOtherGuestUsers", false),
        flag("HasGuestUsers", false),
        flag("HasForeignTenantUsers", true),
        is("o365.audit.CommunicationType", "OneOnOne"),
        Condition::Any(vec![
            Condition::Any(MEMBER_NAMES.iter().map(member).collect()),
            contains_one("user.email", &EMAIL_WORDS),
            contains_one("user.name", &NAME_WORDS),
        ]),
    ]
}

/// The clauses of rule B, all of which must hold.
pub fn clauses_b() -> Vec<Condition> {
    let month = 30 * 24 * 60 * 60;
    let both = |(one, other): &(&str, &str)| {
        let word = |word| contains("RecipientDetails", word, Case::Ascii);
        Condition::All(vec![word(one), word(other)])
    };
    vec![
        test(
            "Timestamp",
            Test::Time(Comparison::Greater, Moment::seconds_ago(month)),
        ),
        Condition::Any(RECIPIENT_WORDS.iter().map(both).collect()),
        test("IsExternalThread", Test::Bool(true)),
    ]
}

/// Elastic's "M365 Teams Rogue Help Desk Chat Created".
pub fn rule_a() -> Rule {
    rule(RULE_A, Condition::All(clauses_a()))
}

/// Microsoft's "Teams communication to suspicious external users".
pub fn rule_b() -> Rule {
    rule(RULE_B, Condition::All(clauses_b()))
}
