//! The command, as a process: answers are checked, and who answers wrong is not timed.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Tags with plain text tools what a generated record shows: the address of the user, without escapes. Enough to be
/// right on records that a test plants.
const SED: &str = r#"sed -E '/"Operation":"ChatCreated"/s/\}$/,"poseur":{"rules":["e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"]}}/' <"$INPUT""#;

fn compare(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poseur-compare"));
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn results(folder: &Path) -> Value {
    let json = fs::read(folder.join("comparison.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn row<'a>(results: &'a Value, name: &str) -> &'a Value {
    let mut rows = results["rows"].as_array().unwrap().iter();
    rows.find(|row| row["name"] == name)
        .unwrap_or_else(|| panic!("no row {name} in {results:#}"))
}

/// Whether a program answers at all.
fn is_here(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn programs_that_answer_right_are_timed() {
    let folder = tempfile::tempdir().unwrap();
    let (place, out) = (folder.path().join("place"), folder.path().join("out"));
    fs::create_dir(&place).unwrap();
    let tools = if is_here("jq") { "cat,jq" } else { "cat" };
    let ran = compare(&[
        "--megabytes",
        "4",
        "--slice",
        "2",
        "--rounds",
        "2",
        "--tools",
        tools,
        "--place",
        place.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let results = results(&out);
    let matching = results["whole"]["matching"].as_u64().unwrap();
    assert!(matching > 0, "nothing to find proves nothing");
    for name in ["poseur", "poseur, 2 threads"]
        .into_iter()
        .chain(tools.split(','))
    {
        let row = row(&results, name);
        assert_eq!(row["outcome"], "measured", "{row:#}");
        assert_eq!(row["runs"].as_array().unwrap().len(), 2, "{row:#}");
        assert!(row["peak"].as_f64().unwrap() > 100_000.0, "{row:#}");
        assert!(row["wall_per_gb"].as_f64().unwrap() > 0.0, "{row:#}");
    }
    assert_eq!(row(&results, "cat")["kept"], Value::Null);
    assert_eq!(row(&results, "poseur")["kept"], 1.0);
    let table = fs::read_to_string(out.join("comparison.md")).unwrap();
    assert_eq!(table, text(&ran.stdout));
    assert!(table.contains("| poseur, 2 threads "), "{table}");
    let picture = fs::read_to_string(out.join("comparison.svg")).unwrap();
    assert!(picture.contains(">poseur</text>"), "{picture}");
    // Nothing is left behind.
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
}

#[test]
fn programs_answer_right_for_the_other_rule() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let here: Vec<&str> = [("jq", "jq"), ("gojq", "gojq"), ("ripgrep", "rg")]
        .into_iter()
        .filter(|(_, program)| is_here(program))
        .map(|(name, _)| name)
        .collect();
    let tools = [&["cat"], &here[..]].concat().join(",");
    let ran = compare(&[
        "--traffic",
        "message-events",
        "--megabytes",
        "2",
        "--slice",
        "2",
        "--rounds",
        "1",
        "--tools",
        &tools,
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(ran.status.success(), "{}", text(&ran.stdout));
    let results = results(&out);
    assert!(results["whole"]["matching"].as_u64().unwrap() > 5);
    for name in ["poseur", "poseur, 2 threads"].iter().chain(&here) {
        assert_eq!(row(&results, name)["outcome"], "measured");
    }
    assert_eq!(results["unable"][0], "rsigma");
}

#[test]
fn programs_that_answer_wrong_are_not_timed() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records.ndjson");
    let record = r#"{"Id":"a","Operation":"FileAccessed"}"#;
    fs::write(&records, format!("{record}\n")).unwrap();
    let out = folder.path().join("out");
    let right = format!("right={SED} >\"$OUTPUT\"");
    let loses_a_line = format!("loses a line={SED} | tail -n +2 >\"$OUTPUT\"");
    let tags_nothing = "tags nothing=cat \"$INPUT\" >\"$OUTPUT\"";
    let tags_all = r#"tags all=sed -E 's/\}$/,"poseur":{"rules":["e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"]}}/' "$INPUT" >"$OUTPUT""#;
    let ran = compare(&[
        "--input",
        records.to_str().unwrap(),
        "--megabytes",
        "1",
        "--rounds",
        "1",
        "--tools",
        "cat",
        "--also",
        &right,
        "--also",
        &loses_a_line,
        "--also",
        tags_nothing,
        "--also",
        tags_all,
        "--also",
        "gives up=echo so it is >&2; exit 3",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    let results = results(&out);
    assert_eq!(row(&results, "right")["outcome"], "measured", "{results:#}");
    assert_eq!(
        row(&results, "poseur")["outcome"],
        "measured",
        "{results:#}"
    );
    let lines = results["slice"]["lines"].as_u64().unwrap();
    let matching = results["slice"]["matching"].as_u64().unwrap();
    for (name, outcome, reason) in [
        (
            "loses a line",
            "wrong",
            format!("{} lines instead of {lines}", lines - 1),
        ),
        (
            "tags nothing",
            "wrong",
            format!("0 records tagged instead of {matching}"),
        ),
        (
            "tags all",
            "wrong",
            format!("{lines} records tagged instead of {matching}"),
        ),
        ("gives up", "failed", "exit status: 3: so it is".to_owned()),
    ] {
        let row = row(&results, name);
        assert_eq!(row["outcome"], outcome, "{row:#}");
        assert_eq!(row["reason"], reason, "{row:#}");
        assert_eq!(row["runs"], Value::Null, "{row:#}");
    }
    assert!(text(&ran.stdout).contains("| loses a line | tags | **wrong: "));
}

#[test]
fn what_cannot_be_compared_is_said() {
    for (arguments, reason) in [
        (&["--tools", "dog"][..], "dog is no tool this command knows"),
        (&["--input", "no-such-file"], "no-such-file: "),
        (&["--place", "no-such-folder"], "no-such-folder: "),
        (
            &["--traffic", "message-events", "--tools", "rsigma"],
            "rsigma has no way to say the rule",
        ),
    ] {
        let ran = compare(&[arguments, &["--megabytes", "1", "--poseur", "true"]].concat());
        assert_eq!(ran.status.code(), Some(1));
        let errors = text(&ran.stderr);
        assert!(errors.contains(reason), "{errors}");
    }
}

#[test]
fn memory_is_that_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("stderr");
    let peak = |script: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poseur-compare"));
        command.args(["measure", "--stderr", errors.to_str().unwrap()]);
        let ran = command.args(["--", "sh", "-c", script]).output().unwrap();
        let usage: Value = serde_json::from_slice(&ran.stdout).unwrap();
        usage["Ok"]["peak"].as_f64().unwrap()
    };
    let (little, much) = (
        peak("true"),
        peak("x=$(head -c 50000000 /dev/zero | tr '\\0' x)"),
    );
    assert!(little > 0.0 && little < 20e6, "{little}");
    assert!(much > 50e6, "{much}");
}
