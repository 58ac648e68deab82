//! `poseur export`: programs and configurations for shippers.

mod command_support;

use command_support::*;

#[test]
fn the_built_in_rules_as_a_program() {
    for style in ["namespace", "minimal", "ecs"] {
        let ran = run(["export", "vrl", "--style", style, "--key", "seen"], "").expect(0);
        let text = ran.text();
        for wanted in [
            &format!("# {RULE_A} M365 Teams Rogue Help Desk Chat Created"),
            &format!("# Rule {RULE_B}: Teams communication to suspicious external"),
            "(?i-u:help)",
            "seen",
        ] {
            assert!(text.contains(wanted), "{style}: {wanted} is missing");
        }
        assert!(ran.err.is_empty(), "{}", ran.err);
    }
    let fixed = run(["export", "vrl", "--at", AT], "").expect(0);
    assert!(fixed.text().contains(AT) && !fixed.text().contains("now()"));
}

#[test]
fn what_vrl_cannot_say_is_refused_by_name() {
    let folder = Folder::new();
    let words = folder.file(
        "words.toml",
        "[rule]\nrule_id = \"11111111-1111-4111-8111-111111111111\"\nname = \"Names\"\ntype = \"query\"\n\
         language = \"kuery\"\nquery = 'user.*: help'\nseverity = \"low\"\nrisk_score = 1\n",
    );
    let many: String = (0..10_001)
        .map(|number| format!("a{number}.example\n"))
        .collect();
    folder.file("many.txt", many);
    let partners = folder.file("e.yml", exception("us", "{file: many.txt}", ""));
    for (flags, wanted) in [
        (
            ["--rules", &words],
            [
                "rule `11111111-",
                "field `user.*`",
                "pattern of names",
                "leave the rule out",
            ],
        ),
        (
            ["--exceptions", &partners],
            [
                "exception `us`",
                "e.yml:1",
                "10001 names",
                "leave the exception out",
            ],
        ),
    ] {
        for what in ["vrl", "vector"] {
            let ran = run([&["export", what][..], &flags].concat(), "").expect(78);
            assert!(ran.out.is_empty());
            for wanted in wanted {
                assert!(ran.err.contains(wanted), "{wanted} is missing: {}", ran.err);
            }
        }
    }
    run(["export", "vrl", "--schema", "nothing"], "").expect(78);
}

#[test]
fn exceptions_are_part_of_the_program() {
    let folder = Folder::new();
    let long: Vec<String> = (0..40).map(|number| format!("a{number}.example")).collect();
    let yaml = exception("us", &format!("[{}]", long.join(", ")), "")
        + &exception(
            "them",
            "[.b.example]",
            ", expires: 2027-01-31, rules: [e8e7b6b6-78b0-4015-97fe-c2f28468e0d4]",
        );
    let file = folder.file("e.yml", yaml);
    let ran = run(["export", "vrl", "--exceptions", &file], "").expect(0);
    let text = ran.text();
    for wanted in [
        "# Exception us: ",
        "\"a39.example\"",
        &format!("includes([\"{RULE_A}\"], rule) && now_s < "),
        "ends_with(domain, value)",
        "\".b.example\"",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing");
    }
    assert!(
        text.lines()
            .all(|line| line.contains("r'") || line.chars().count() < 400)
    );
    let expired = ["--at", "2027-02-01T00:00:00Z"];
    let ran = run(
        [&["export", "vrl", "--exceptions", &file][..], &expired].concat(),
        "",
    )
    .expect(0);
    assert!(!ran.text().contains(".b.example"));
}

#[test]
fn filters_are_part_of_the_program() {
    let folder = Folder::new();
    let filter = folder.file(
        "filter.yml",
        format!(
            "title: Not Bob\nid: 22222222-2222-4222-8222-222222222222\nlogsource:\n  product: m365\nfilter:\n  rules:\n    \
             - {RULE_A}\n  bob:\n    user.name: bob\n  condition: not bob\n"
        ),
    );
    let ran = run(["export", "vrl", "--rules", &filter, "--with-built-in"], "").expect(0);
    assert!(ran.text().contains("# Filter 22222222-"), "{}", ran.err);
}

#[test]
fn a_transform_with_tests() {
    let ran = run(
        ["export", "vector", "--input", "o365 in", "--name", "judge"],
        "",
    )
    .expect(0);
    let text = ran.text();
    for wanted in [
        "transforms:\n  judge:\n    type: remap\n    inputs: [\"o365 in\"]\n",
        &format!("  - name: \"{RULE_A} matches: "),
        &format!("  - name: \"{RULE_B} does not match: "),
        "      - extract_from: judge\n",
        &format!("!includes(array(.poseur.rules) ?? [], \"{RULE_A}\")"),
    ] {
        assert!(text.contains(wanted), "{wanted} is missing");
    }
    assert!(!text.contains("No test for rule"));
}

#[test]
fn the_native_filter() {
    let folder = Folder::new();
    let rules = folder.file(
        "rule.yml",
        rule("33333333-3333-4333-8333-333333333333", "One", "a", "b"),
    );
    let ran = run(
        [
            "export",
            "fluent-bit",
            "--rules",
            &rules,
            "--exceptions",
            "partners",
            "--schema",
            "o365",
            "--style",
            "ecs",
            "--key",
            "on",
            "--match",
            "o365.*",
            "--no-reload",
        ],
        "",
    )
    .expect(0);
    let wanted = format!(
        "plugins:\n  - /usr/lib/fluent-bit/flb-filter_poseur.so\npipeline:\n  filters:\n    - name: poseur\n      \
         match: \"o365.*\"\n      rules: {rules}\n      exceptions: partners\n      schema: o365\n      style: ecs\n      \
         key: \"on\"\n      on_reload: ignore\n"
    );
    let text = ran.text().replace(&format!("\"{rules}\""), &rules);
    assert!(text.ends_with(&wanted), "{text}");
    let ran = run(["export", "fluent-bit", "--at", AT], "").expect(2);
    assert!(
        ran.err
            .contains("--at: the Fluent Bit filter has no such setting")
    );
    run(["export", "fluent-bit", "--rules", "nowhere.yml"], "").expect(78);
}
