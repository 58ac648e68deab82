//! Damaged rule files of every kind are refused with a place, and neither panic nor hang.

use std::fs;
use std::path::Path;

use poseur_rule::load::{Loaded, Loader};

/// A good file of each kind.
const FILES: [(&str, &str); 4] = [
    (
        "s.yml",
        "title: T\nid: a1\nlogsource: {product: x}\nlevel: low\ndetection:\n  one:\n    a|contains: [b, 'c*']\n    d: 7\n  two:\n    - {e|re: 'x+'}\n    - f|cidr: 10.0.0.0/8\n  condition: one and not 1 of two*\n",
    ),
    (
        "k.toml",
        "[metadata]\nmaturity = \"production\"\n\n[rule]\nrule_id = \"a2\"\nname = \"T\"\ntype = \"query\"\nlanguage = \"kuery\"\nseverity = \"low\"\nrisk_score = 21\nquery = '''\na: (\"b\" or c*) and not d >= 7 and e: { f: true and g: \"\\u0041\" }\n'''\n\n[[rule.threat]]\nframework = \"MITRE ATT&CK\"\n[rule.threat.tactic]\nid = \"TA0001\"\nname = \"Initial Access\"\n",
    ),
    (
        "m.yaml",
        "id: a3\nname: T\ndescription: |\n  D\nseverity: Low\ntactics: [InitialAccess]\nrelevantTechniques: [T1566]\nquery: |\n  let words = dynamic(['a', \"b\"]);\n  T\n  | where A has_any (words) and B == 7 // why\n  | extend c = tolower(D)\n  | where c startswith 'x' or Time > ago(30d)\n  | project A, B\n",
    ),
    (
        "q.kql",
        "let words = dynamic(['a', \"b\"]);\nT\n| where A has_any (words) and B == 7\n| where isnotempty(C) and D matches regex @'x+'\n",
    ),
];

fn load(path: &Path) -> Loaded {
    let mut loader = Loader::new();
    loader.path(path);
    loader.finish()
}

/// Loads a file with this content. What is refused has a reason of one line, and a place in the file
/// unless it is about the file as a whole.
fn check(folder: &Path, name: &str, content: &[u8]) -> Loaded {
    let path = folder.join(name);
    fs::write(&path, content).expect("a file");
    let loaded = load(&path);
    let lines = content.iter().filter(|byte| b"\n\r".contains(byte)).count();
    for error in &loaded.refused {
        assert!(
            !error.reason.is_empty() && !error.reason.contains('\n'),
            "{error:?}"
        );
        assert!(error.place.line <= lines + 2, "{error}");
        assert!(
            error.reason.chars().count() < 1100,
            "an error of {} bytes",
            error.reason.len()
        );
    }
    let nothing = loaded.rules.is_empty() && loaded.filters.is_empty();
    assert!(
        !nothing || !loaded.refused.is_empty(),
        "{name}: silence is no answer"
    );
    loaded
}

fn in_folder(test: impl Fn(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    test(folder.path());
}

/// The content with the first occurrence of a text replaced.
fn with(content: &str, text: &str, by: &str) -> String {
    assert!(content.contains(text), "{text}");
    content.replacen(text, by, 1)
}

#[test]
fn the_files_are_good() {
    in_folder(|folder| {
        for (name, content) in FILES {
            let loaded = check(folder, name, content.as_bytes());
            assert_eq!((loaded.refused, loaded.rules.len()), (vec![], 1), "{name}");
        }
    });
}

#[test]
fn cut_off_anywhere() {
    in_folder(|folder| {
        for (name, content) in FILES {
            for end in 0..content.len() {
                check(folder, name, &content.as_bytes()[..end]);
            }
        }
    });
}

#[test]
fn a_byte_less_or_another_one() {
    in_folder(|folder| {
        for (name, content) in FILES {
            for at in 0..content.len() {
                let mut bytes = content.as_bytes().to_vec();
                let put = b"\"'([{|:\\\n#-\xff\0"[at % 13];
                match at % 3 {
                    0 => drop(bytes.remove(at)),
                    1 => bytes[at] = put,
                    _ => bytes.insert(at, put),
                }
                check(folder, name, &bytes);
            }
        }
    });
}

#[test]
fn not_utf8() {
    in_folder(|folder| {
        for (name, content) in FILES {
            let line = content.lines().count() + 1;
            let bytes = [content.as_bytes(), b"\xc3("].concat();
            let loaded = check(folder, name, &bytes);
            let place = &loaded.refused[0].place;
            assert_eq!((place.line, place.column), (line, 1), "{name}");
            let wide: Vec<u8> = content.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let loaded = check(folder, name, &[b"\xff\xfe", wide.as_slice()].concat());
            assert!(loaded.refused[0].reason.contains("UTF-16"), "{name}");
        }
    });
}

#[test]
fn values_of_other_types() {
    in_folder(|folder| {
        let others = [
            "7",
            "true",
            "[]",
            "{}",
            "[[1]]",
            "''",
            "\"\"",
            "1.5e300",
            "2026-01-01",
        ];
        for (name, keys) in [
            (
                "s.yml",
                &[
                    "title: T",
                    "id: a1",
                    "logsource: {product: x}",
                    "level: low",
                ][..],
            ),
            (
                "k.toml",
                &[
                    "rule_id = \"a2\"",
                    "name = \"T\"",
                    "type = \"query\"",
                    "language = \"kuery\"",
                    "risk_score = 21",
                ],
            ),
            (
                "m.yaml",
                &[
                    "id: a3",
                    "name: T",
                    "severity: Low",
                    "tactics: [InitialAccess]",
                ],
            ),
        ] {
            let content = FILES
                .into_iter()
                .find(|file| file.0 == name)
                .expect("a file")
                .1;
            for entry in keys {
                let split = entry.find([':', '=']).expect("a key") + 1;
                for other in others {
                    let entry = with(content, entry, &format!("{} {other}", &entry[..split]));
                    check(folder, name, entry.as_bytes());
                }
            }
            // The top of the file is something else altogether.
            for other in others {
                check(folder, name, other.as_bytes());
            }
        }
    });
}

#[test]
fn nested_deep() {
    in_folder(|folder| {
        for depth in [60, 100, 1000, 100_000] {
            let (open, close) = ("(".repeat(depth), ")".repeat(depth));
            let nots = "not (".repeat(depth);
            let brackets = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            for (name, text, by) in [
                (
                    "s.yml",
                    "one and not 1 of two*",
                    format!("{open}one{close}"),
                ),
                (
                    "s.yml",
                    "one and not 1 of two*",
                    format!("{nots}one{close}"),
                ),
                ("s.yml", "d: 7", format!("d: {brackets}")),
                ("k.toml", "a: (\"b\" or c*)", format!("{open}a: b{close}")),
                ("k.toml", "a: (\"b\" or c*)", format!("{nots}a: b{close}")),
                ("k.toml", "a: (\"b\" or c*)", format!("a: {open}b{close}")),
                (
                    "k.toml",
                    "risk_score = 21",
                    format!("risk_score = {brackets}"),
                ),
                ("m.yaml", "B == 7", format!("{open}B == 7{close}")),
                (
                    "m.yaml",
                    "B == 7",
                    format!("{}B == 7{close}", "not(".repeat(depth)),
                ),
                (
                    "m.yaml",
                    "tolower(D)",
                    format!("{}D{close}", "tolower(".repeat(depth)),
                ),
                (
                    "m.yaml",
                    "tactics: [InitialAccess]",
                    format!("tactics: {brackets}"),
                ),
                ("q.kql", "B == 7", format!("{open}B == 7{close}")),
                ("q.kql", "B == 7", format!("B == {}7", "-".repeat(depth))),
                (
                    "q.kql",
                    "dynamic(['a', \"b\"])",
                    format!("dynamic({brackets})"),
                ),
            ] {
                let content = FILES
                    .into_iter()
                    .find(|file| file.0 == name)
                    .expect("a file")
                    .1;
                let loaded = check(folder, name, with(content, text, &by).as_bytes());
                if depth >= 1000 && loaded.refused.is_empty() {
                    // Parentheses around one thing may be any number.
                    let depth = loaded.rules[0].condition.depth();
                    assert!(depth <= poseur_rule::model::MAX_DEPTH, "{name}: {depth}");
                }
            }
        }
    });
}

#[test]
fn values_of_a_megabyte() {
    in_folder(|folder| {
        let long = "x".repeat(1 << 20);
        let many = |one: &str, sign: &str| vec![one; 100_000].join(sign);
        for (name, text, by) in [
            ("s.yml", "d: 7", format!("d: {long}")),
            ("s.yml", "d: 7", format!("{long}: d")),
            ("s.yml", "d: 7", format!("d: [{}]", many("y", ", "))),
            ("s.yml", "x+", long.clone()),
            (
                "s.yml",
                "one and not",
                format!("one and {} and not", many("one", " or ")),
            ),
            ("k.toml", "\"b\"", format!("\"{long}\"")),
            ("k.toml", "c*", long.clone()),
            (
                "k.toml",
                "(\"b\" or c*)",
                format!("({})", many("y", " or ")),
            ),
            ("k.toml", "d >= 7", format!("d >= {long}")),
            ("k.toml", "kuery", long.clone()),
            ("m.yaml", "'x'", format!("'{long}'")),
            ("m.yaml", "B == 7", format!("B in ({})", many("7", ", "))),
            ("m.yaml", "B == 7", many("B == 7", " or ")),
            ("m.yaml", "B == 7", format!("B == {}", "7".repeat(1 << 20))),
            ("q.kql", "x+", long.clone()),
            ("q.kql", "['a', \"b\"]", format!("[{}]", many("'a'", ", "))),
            ("q.kql", "T\n", format!("{long}\n")),
        ] {
            let content = FILES
                .into_iter()
                .find(|file| file.0 == name)
                .expect("a file")
                .1;
            check(folder, name, with(content, text, &by).as_bytes());
        }
    });
}

#[test]
fn anchors_in_circles_and_in_heaps() {
    in_folder(|folder| {
        for (name, text, by) in [
            ("s.yml", "d: 7", "d: &a [*a]".to_owned()),
            (
                "s.yml",
                "detection:",
                "detection: &a\n  three: *a".to_owned(),
            ),
            (
                "m.yaml",
                "tactics: [InitialAccess]",
                "tactics: &a [*a]".to_owned(),
            ),
            (
                "m.yaml",
                "tactics: [InitialAccess]",
                "tactics: *nowhere".to_owned(),
            ),
        ] {
            let content = FILES
                .into_iter()
                .find(|file| file.0 == name)
                .expect("a file")
                .1;
            let loaded = check(folder, name, with(content, text, &by).as_bytes());
            assert!(loaded.rules.is_empty(), "{name}: {by}");
        }
        // Nine lists of nine, nine levels deep.
        let mut laughs = "x0: &x0 [1,1,1,1,1,1,1,1,1]\n".to_owned();
        for level in 1..9 {
            let below = vec![format!("*x{}", level - 1); 9].join(",");
            laughs.push_str(&format!("x{level}: &x{level} [{below}]\n"));
        }
        for name in ["s.yml", "m.yaml"] {
            let content = FILES
                .into_iter()
                .find(|file| file.0 == name)
                .expect("a file")
                .1;
            let loaded = check(folder, name, format!("{laughs}{content}").as_bytes());
            assert!(loaded.rules.is_empty(), "{name}");
        }
    });
}
