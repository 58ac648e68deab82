//! What is wrong with an Elastic rule file, and where: the query and the file around it.

use poseur_rule::elastic;
use poseur_rule::types::Types;

const TYPES: &str = "fields: {ip: ip, at: date, words: text, n: number, flag: boolean}";

fn types() -> Types {
    let mut types = Types::default();
    types.add("types.yml", TYPES).unwrap();
    types
}

/// Each query with `^` where the error is, which is taken out, and how the reason begins.
#[test]
fn queries() {
    let table = [
        // Operands.
        (
            "a:b and ^",
            "the query ends where a field or a value is expected",
        ),
        ("a:^", "the query ends where a value is expected"),
        ("a >^", "the query ends where a value is expected"),
        ("^:b", "expected a field or a value before `:`"),
        ("(^)", "expected a field or a value before `)`"),
        ("a:(^)", "expected a value before `)`"),
        ("o:{^}", "expected a field or a value before `}`"),
        ("a >= ^(b)", "expected a value before `(`"),
        // Negation.
        ("not ^not a:b", "`not` cannot follow `not`"),
        ("a:(not ^not b)", "`not` cannot follow `not`"),
        ("a: ^not b", "`not` before a value stands in parentheses"),
        ("a > ^not b", "expected a value"),
        ("a:b ^not c:d", "`not` begins a negation here"),
        ("a:can^not do", "`not` begins a negation here"),
        // Brackets.
        ("^(a:b", "this parenthesis is never closed"),
        ("a:^(b or c", "this parenthesis is never closed"),
        ("o:^{a:b", "this brace is never closed"),
        ("a:b^)", "this parenthesis was never opened"),
        ("a:b ^}", "this brace was never opened"),
        ("(a:b^}", "this brace was never opened"),
        ("a:b ^(c:d)", "`(` cannot stand here"),
        ("not^(a:b)", "`(` cannot stand here"),
        // Between clauses.
        ("a:b^:c", "`:` cannot stand here"),
        ("a:\"b\" ^c", "expected `and` or `or` here"),
        ("a:\"b\"^or c:d", "`or` needs white space on both sides"),
        ("(a:b)^AND (c:d)", "`AND` needs white space on both sides"),
        ("a:b^\"c\"", "expected `and` or `or` before this quote"),
        ("a:(b) ^c", "expected `and` or `or` here"),
        ("a:^>10", "a range is written without colon"),
        // Quotes and escapes.
        ("a:^\"b", "this quote is never closed"),
        ("a:^\"b\\\"", "this quote is never closed"),
        ("a:C^\\Windows", "this backslash begins no escape"),
        ("a:^\\", "this backslash begins no escape"),
        ("a:^\\u12", "this backslash begins no escape"),
        // Meaning.
        ("a:^null", "`null` is no value to Elasticsearch"),
        ("a:(b or ^null)", "`null` is no value"),
        ("^null", "`null` is no value"),
        ("a > ^null", "nothing is more or less than `null`"),
        ("null > ^5", "a range needs the name of a field"),
        ("^\"\":x", "the name of the field is empty"),
        ("^o*:{a:b}", "the objects before `:{` need one field's name"),
        (
            "ip:(10.0.0.1 or ^foo)",
            "`ip` holds IP addresses, and `foo` is none",
        ),
        (
            "ip > ^10.0.0.0/8",
            "`ip` holds IP addresses, and `10.0.0.0/8` is none",
        ),
        ("ip:^true", "`ip` holds IP addresses"),
        ("at:^yesterday", "`yesterday` is no date"),
        ("at:^2026-13-01", "`2026-13-01` is no date"),
        ("at:^2026-02-30", "`2026-02-30` is no date"),
        ("at:^2026-11-20T25", "`2026-11-20T25` is no date"),
        (
            "at:^99999999999999999999",
            "`99999999999999999999` is no date",
        ),
        ("at > ^now/d", "`now` is not rounded here"),
        (
            "at > ^now-1M",
            "`now` and months or years depend on the calendar",
        ),
        ("at > ^now-1x", "`-1x` is no date math"),
        (
            "at > ^2026-11-20||+99999999d",
            "`2026-11-20||+99999999d` is beyond any calendar",
        ),
        ("at:^2026*", "`at` holds dates, which take no wildcards"),
        ("n:^ten", "`n` holds numbers, and `ten` is none"),
        ("n:^inf", "`n` holds numbers, and `inf` is none"),
        ("n:^1*", "`n` holds numbers, which take no wildcards"),
        ("flag:^yes", "`flag` holds truth values, and `yes` is none"),
        (
            "flag > ^true",
            "`flag` holds truth values, which have no order",
        ),
        (
            "words > ^a",
            "`words` holds text of many words, which have no order",
        ),
    ];
    for (marked, expected) in table {
        let offset = marked.find('^').unwrap();
        let query = marked.replacen('^', "", 1);
        let Err((at, reason)) = elastic::condition(&query, &types()) else {
            panic!("{marked} is taken");
        };
        assert_eq!(at, offset, "{marked}: {reason}");
        assert!(reason.starts_with(expected), "{marked}: {reason}");
        assert!(reason.len() < 250 && !reason.contains('\n'), "{reason}");
    }
}

/// A rule file whose `[rule]` ends with these lines, the first of which is line 6.
fn file(lines: &str) -> String {
    format!("[rule]\nrule_id = \"i\"\nname = \"n\"\ntype = \"query\"\n\n{lines}\n")
}

/// All errors of a file, each as `LINE:COLUMN: reason`.
fn errors(text: &str) -> Vec<String> {
    let documents = elastic::read("r.toml", text, &types());
    assert_eq!(
        documents.rules.is_empty(),
        !documents.errors.is_empty(),
        "{text}"
    );
    let errors = documents.errors.iter().map(ToString::to_string);
    errors
        .map(|error| {
            error
                .strip_prefix("r.toml:")
                .unwrap()
                .trim_start()
                .to_owned()
        })
        .collect()
}

/// Errors inside strings of all four kinds stand where the query has them.
#[test]
fn places_inside_strings() {
    let table = [
        ("query = 'a: (é or null)'", "6:19"),
        ("query = \"a: (é or null)\"", "6:19"),
        // Escapes before the place.
        (
            r#"query = "a: (\"\\\"\" or \u00e9\U0001F600\t or null)""#,
            "6:48",
        ),
        ("query = '''\na:b\n  and c: null'''", "8:10"),
        ("query = \"\"\"\r\na:b\r\n  and c: null\"\"\"", "8:10"),
        ("query = '''a:b\n  and c: null'''", "7:10"),
        // A line that goes on.
        ("query = \"\"\"a:b \\\n\n   and c: null\"\"\"", "8:11"),
        ("query = \"\"\"a:b and \\\n   null\"\"\"", "7:4"),
        // The end of the string, and its start.
        ("query = 'a:b and '", "6:18"),
        ("query = '''\na:b and\n'''", "8:1"),
        ("query = 'null'", "6:10"),
        ("query = '''\n(a:b'''", "7:1"),
    ];
    for (line, place) in table {
        let errors = errors(&file(line));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with(&format!("{place}: ")),
            "{line:?} {errors:?}"
        );
    }
}

#[test]
fn files() {
    let query = "query = 'a:b'\n";
    let table: Vec<(String, &[&str])> = vec![
        (String::new(), &["the file has no table `[rule]`"]),
        (
            "[metadata]\nmaturity = \"production\"\n".into(),
            &["the file has no table `[rule]`"],
        ),
        (
            "rule = 5\n".into(),
            &["1:8: `rule` must be a table, not a number"],
        ),
        (
            "[[rule]]\n".into(),
            &["1:1: `rule` must be a table, not a list"],
        ),
        (
            "[rule]\ntype = \"query\"\n".into(),
            &[
                "1:1: `rule_id` is missing",
                "1:1: `name` is missing",
                "1:1: `query` is missing",
            ],
        ),
        ("[rule]\nname = \"n\"\n".into(), &["1:1: `type` is missing"]),
        (
            "[rule]\ntype = 5\n".into(),
            &["2:8: `type` must be a text, not a number"],
        ),
        (
            file("query = 5"),
            &["6:9: `query` must be a text, not a number"],
        ),
        (file("query = '''a:b"), &["7:1: this is not TOML: "]),
        (
            file("query = 'a:b'\nquery = 'c:d'"),
            &["7:1: this is not TOML: duplicate key"],
        ),
        (
            file(&format!("{query}language = 'Kuery'")),
            &["7:12: a rule of the type `query` in the language `Kuery`"],
        ),
        (
            file(&format!("{query}severity = 'hihg'")),
            &["7:12: unknown severity `hihg`: did you mean `high`?"],
        ),
        (
            file(&format!("{query}risk_score = 101")),
            &["7:14: `risk_score` must be a whole number"],
        ),
        (
            file(&format!(
                "{query}risk_score = '5'\nindex = [5]\nreferences = {{}}"
            )),
            &[
                "7:14: `risk_score` must",
                "8:10: each of `index` must be a text, not a number",
                "9:14: `references` must be a text, not a table",
            ],
        ),
        (
            file(&format!("{query}description = []\nthreat = 5")),
            &[
                "7:15: `description` must be a text, not a list",
                "8:10: `threat` must be a list of tables",
            ],
        ),
        (
            file(&format!("{query}investigation_fields = ['a']")),
            &["7:24: `investigation_fields` must be a table"],
        ),
        (
            "[rule]\nrule_id = ' '\nname = 5\ntype = 'query'\nquery = 'a:'\n".into(),
            &[
                "2:11: `rule_id` must not be empty",
                "3:8: `name` must be a text",
                "5:12: the query ends",
            ],
        ),
        // Filters change what matches.
        (
            file(&format!("{query}filters = 5")),
            &["7:11: a filter must be a table"],
        ),
        (
            file(&format!(
                "{query}filters = [{{query = {{ geo_shape = {{}} }}}}]"
            )),
            &["7:23: a filter by `geo_shape` changes what the rule matches"],
        ),
        (
            file(&format!("{query}filters = [{{meta = {{negate = true}}}}]")),
            &["7:12: a filter needs one query"],
        ),
        (
            file(&format!(
                "{query}filters = [{{query = {{ term = {{ ip = 'x' }} }}}}]"
            )),
            &["7:37: `ip` holds IP addresses"],
        ),
        (
            file(&format!(
                "{query}filters = [{{query = {{ wildcard = {{ n = '1*' }} }}}}]"
            )),
            &["7:40: `n` is no keyword field"],
        ),
        (
            file(&format!(
                "{query}filters = [{{query = {{ term = {{ a = {{ value = 'x', boots = 1 }} }} }}}}]"
            )),
            &["7:51: Poseur does not know `boots`"],
        ),
    ];
    for (text, expected) in table {
        let errors = errors(&text);
        assert_eq!(errors.len(), expected.len(), "{text}\n{errors:#?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.starts_with(expected), "{text}\n{error}");
        }
    }
}

/// One line, at the value that is to blame, that names the type and the language.
#[test]
fn other_types_and_languages() {
    let table = [
        ("eql", Some("eql"), "2:8", "another query language"),
        ("esql", Some("esql"), "2:8", "another query language"),
        ("threshold", Some("kuery"), "2:8", "counts records"),
        ("new_terms", Some("kuery"), "2:8", "earlier records"),
        ("threat_match", Some("kuery"), "2:8", "list of indicators"),
        ("machine_learning", None, "2:8", "anomaly job"),
        ("saved_query", Some("kuery"), "2:8", "kept in Kibana"),
        ("query", Some("lucene"), "3:12", "another query language"),
        ("quer", Some("kuery"), "2:8", "no type that Poseur knows"),
    ];
    for (kind, language, place, why) in table {
        let mut text = format!("[rule]\ntype = \"{kind}\"\n");
        if let Some(language) = language {
            text.push_str(&format!("language = \"{language}\"\n"));
        }
        // What else is wrong with the file is not said.
        text.push_str("severity = 5\nquery = '''process where (null'''\n");
        let [error] = errors(&text).try_into().expect("one error");
        let error: String = error;
        assert!(
            error.starts_with(&format!("{place}: a rule of the type `{kind}`")),
            "{error}"
        );
        assert!(error.contains(why), "{error}");
        assert!(
            language.is_none_or(|language| error.contains(&format!("`{language}`"))),
            "{error}"
        );
    }
}
