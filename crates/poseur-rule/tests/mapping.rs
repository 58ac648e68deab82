//! Mappings rename the fields of Sigma rules, and do nothing else.

use poseur_rule::load::{Loaded, Loader};
use poseur_rule::mapping::Mappings;
use poseur_rule::model::{Condition, Field, Test};
use poseur_rule::normal::normal;

/// A rule for Windows process creation about `entry`.
fn rule(entry: &str) -> String {
    format!(
        "title: T\nid: r\nlogsource: {{product: windows, category: process_creation}}\nfields: [User, Other]\n\
         detection:\n  s: {{{entry}}}\n  condition: s\n"
    )
}

fn mappings(files: &[&str]) -> Mappings {
    let mut mappings = Mappings::default();
    for (number, text) in files.iter().enumerate() {
        mappings
            .add(&format!("m{number}.yml"), text)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
    }
    mappings
}

fn load(text: &str, mappings: Mappings) -> Loaded {
    let mut loader = Loader::new().with_mappings(mappings);
    loader.text("r.yml", text);
    loader.finish()
}

/// A condition as short text.
fn shown(condition: &Condition) -> String {
    let all = |parts: &[Condition], sign: &str| {
        let parts: Vec<String> = parts.iter().map(shown).collect();
        format!("({})", parts.join(sign))
    };
    match condition {
        Condition::All(parts) => all(parts, " & "),
        Condition::Any(parts) => all(parts, " | "),
        Condition::Not(part) => format!("!{}", shown(part)),
        Condition::Test(predicate) => {
            let field = match &predicate.field {
                Field::Name(name) => name.as_str(),
                _ => "*",
            };
            match &predicate.test {
                Test::Text(pattern, _) => format!("{field}:{}", pattern.wildcard()),
                Test::Null => format!("{field}:null"),
                Test::SameAs { field: other, .. } => format!("{field}={other}"),
                other => format!("{field}:{other:?}"),
            }
        }
        other => format!("{other:?}"),
    }
}

/// What becomes of an entry of a rule.
fn renamed(entry: &str, files: &[&str]) -> String {
    let loaded = load(&rule(entry), mappings(files));
    assert_eq!(loaded.refused, [], "{entry}");
    shown(&normal(&loaded.rules[0].condition))
}

fn one(step: &str) -> String {
    format!("transformations: [{step}]")
}

#[test]
fn fields_get_other_names() {
    let names =
        one("{type: field_name_mapping, mapping: {User: user.name, Image: [p.exe, p.path]}}");
    let prefixes =
        one("{type: field_name_prefix_mapping, mapping: {Us: 'user.', User: never, I: ['', x]}}");
    let before = one("{type: field_name_prefix, prefix: win.}");
    let behind = one("{type: field_name_suffix, suffix: .text}");
    for (entry, mapping, wanted) in [
        ("User: a", &names, "user.name:a"),
        ("user: a", &names, "user:a"),
        ("UserName: a", &names, "UserName:a"),
        ("Image: a", &names, "(p.exe:a | p.path:a)"),
        (
            "Image: [a, b]",
            &names,
            "(p.exe:a | p.exe:b | p.path:a | p.path:b)",
        ),
        (
            "Image|all: [a, b]",
            &names,
            "((p.exe:a | p.path:a) & (p.exe:b | p.path:b))",
        ),
        // One field by several names: no value under either.
        ("Image: null", &names, "(p.exe:null & p.path:null)"),
        ("Image|neq: a", &names, "(!p.exe:a & !p.path:a)"),
        (
            "User|fieldref: Image",
            &names,
            "(user.name=p.exe | user.name=p.path)",
        ),
        ("User: a", &prefixes, "user.er:a"),
        ("Image: a", &prefixes, "(mage:a | xmage:a)"),
        ("Name: a", &prefixes, "Name:a"),
        ("User: a", &before, "win.User:a"),
        ("User: a", &behind, "User.text:a"),
        ("'|contains': a", &before, "*:*a*"),
    ] {
        assert_eq!(renamed(entry, &[mapping]), wanted, "{entry} by {mapping}");
    }
}

#[test]
fn analyst_fields_are_renamed() {
    let names = one("{type: field_name_mapping, mapping: {User: [u, Other]}}");
    let loaded = load(&rule("a: b"), mappings(&[&names]));
    assert_eq!(loaded.rules[0].fields, ["u", "Other"]);
}

#[test]
fn steps_come_in_order_of_priority() {
    let first = "priority: 10\ntransformations:\n- {type: field_name_mapping, mapping: {User: a}}\n- {type: field_name_prefix, prefix: x.}\n";
    let second =
        "priority: 20\ntransformations:\n- {type: field_name_mapping, mapping: {x.a: b}}\n";
    for files in [[first, second], [second, first]] {
        assert_eq!(renamed("User: v", &files), "b:v");
    }
    // Equal ones in the order they are given.
    let third = one("{type: field_name_prefix, prefix: x.}");
    let fourth = one("{type: field_name_suffix, suffix: .y}");
    assert_eq!(renamed("User: v", &[&third, &fourth]), "x.User.y:v");
}

#[test]
fn rules_are_chosen_by_their_logs() {
    for (conditions, applies) in [
        ("{type: logsource, product: windows}", true),
        ("{type: logsource, product: linux}", false),
        (
            "{type: logsource, product: windows, category: process_creation}",
            true,
        ),
        ("{type: logsource, product: windows, category: dns}", false),
        ("{type: logsource, service: sysmon}", false),
        (
            "{type: logsource, product: windows}, {type: logsource, category: dns}",
            false,
        ),
    ] {
        let step =
            format!("{{type: field_name_prefix, prefix: x., rule_conditions: [{conditions}]}}");
        let wanted = if applies { "x.User:v" } else { "User:v" };
        assert_eq!(renamed("User: v", &[&one(&step)]), wanted, "{conditions}");
    }
    let either = "{type: field_name_prefix, prefix: x., rule_cond_op: or, rule_conditions: \
                  [{type: logsource, product: windows}, {type: logsource, category: dns}]}";
    assert_eq!(renamed("User: v", &[&one(either)]), "x.User:v");
}

#[test]
fn filters_are_renamed_with_the_rules() {
    let names = one("{type: field_name_mapping, mapping: {User: user.name}}");
    let filter = "title: F\nlogsource: {product: windows}\nfilter: {rules: any, s: {User: a}, condition: not s}\n";
    let loaded = load(filter, mappings(&[&names]));
    let poseur_rule::exception::Ground::Unless(condition) = &loaded.filters[0].ground else {
        panic!("a filter");
    };
    assert_eq!(shown(&normal(condition)), "!user.name:a");
}

#[test]
fn wrong_files_are_refused() {
    for (text, wanted) in [
        ("- a", "m.yml:1:1: a mapping must be a map, not a list"),
        (
            "name: x",
            "m.yml:1:1: `transformations` is missing: it lists how fields are renamed",
        ),
        (
            "vars: {a: b}\ntransformations: []",
            "m.yml:1:1: unknown key `vars` in a mapping: known are name, priority, transformations",
        ),
        (
            "priority: high\ntransformations: []",
            "m.yml:1:11: `priority` must be a whole number",
        ),
        (
            "transformations: {}",
            "m.yml:1:18: `transformations` must be a list, not a map",
        ),
        (
            "transformations: [{}]",
            "m.yml:1:19: `type` is missing: what does the transformation do?",
        ),
        (
            "transformations:\n- {type: field_name_maping, mapping: {a: b}}",
            "m.yml:2:10: the transformation `field_name_maping` is not known: did you mean `field_name_mapping`?",
        ),
        (
            "transformations:\n- {type: replace_string}",
            "m.yml:2:10: the transformation `replace_string` is not known: mappings only rename, by field_name_mapping, field_name_prefix_mapping, field_name_prefix, field_name_suffix",
        ),
        (
            "transformations:\n- {type: field_name_prefix}",
            "m.yml:2:3: `prefix` is missing: `field_name_prefix` needs it",
        ),
        (
            "transformations:\n- {type: field_name_prefix, prefix: [a]}",
            "m.yml:2:37: `prefix` must be a text, not a list",
        ),
        (
            "transformations:\n- {type: field_name_mapping, mapping: {a: []}}",
            "m.yml:2:43: the list of new names is empty",
        ),
        (
            "transformations:\n- {type: field_name_mapping, mapping: {a: ''}}",
            "m.yml:2:43: the new name must not be empty",
        ),
        (
            "transformations:\n- {type: field_name_prefix, prefix: a, field_name_conditions: []}",
            "m.yml:2:40: unknown key `field_name_conditions` in `field_name_prefix`: known are type, id, prefix, rule_conditions, rule_cond_op",
        ),
        (
            "transformations:\n- {type: field_name_prefix, prefix: a, rule_cond_op: xor}",
            "m.yml:2:54: `rule_cond_op` must be `and` or `or`, not `xor`",
        ),
        (
            "transformations:\n- {type: field_name_prefix, prefix: a, rule_conditions: [{type: tag, tag: x}]}",
            "m.yml:2:65: the rule condition `tag` is not known: use `logsource`",
        ),
        (
            "transformations: [",
            "m.yml:2:1: this is not valid YAML: while parsing a node, did not find expected node content",
        ),
    ] {
        let errors = Mappings::default().add("m.yml", text).expect_err(text);
        assert_eq!(errors[0].to_string(), wanted, "{text}");
    }
}

#[test]
fn names_cannot_grow_without_end() {
    let step = "{type: field_name_prefix_mapping, mapping: {'': [a, b]}}";
    let many = format!("transformations: [{}]", [step; 40].join(", "));
    let loaded = load(&rule("User: v"), mappings(&[&many]));
    assert_eq!(loaded.rules, []);
    assert_eq!(
        loaded.refused[0].to_string(),
        "r.yml:1:1: the field `User` gets more than 64 names"
    );
}
