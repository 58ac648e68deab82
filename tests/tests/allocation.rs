//! Once warm, the tagger does not allocate: not for records that pass, not for those that match.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use clap::ValueEnum;
use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::error::Place;
use poseur_rule::exception::{self, Exception, Ground, Trusted};
use poseur_rule::expression::{Column, ColumnType};
use poseur_rule::model::{Case, Comparison, Condition, Field, Pattern, Predicate, Rule, Test};
use poseur_rule::pack;
use poseur_tagger::{Lines, Style, TagOptions, Tagger};
use poseur_tests::tagging::{RULE_A, compile, sigma_rules, styled, tag, tagger, thorough};
use poseur_tests::traffic::{Config, DEFAULT_AT, Kind, Shape, generate_bytes};

/// Counts what each thread asks for, so that tests do not see each other.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator with the arguments it came with. The
// counters are plain cells without a destructor, so that touching them does not allocate. Growing
// is left to the trait, which asks `alloc` for it, so that it is counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        HELD.with(|held| held.set(held.get() + layout.size() as isize));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get() - layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn at() -> Timestamp {
    Timestamp::from_second(DEFAULT_AT).unwrap()
}

/// Tags a buffer once to warm up and once to count. Gives the numbers of one pass: candidates,
/// records that matched, matches suppressed.
fn assert_none(what: &str, tagger: &mut Tagger, buffer: &[u8]) -> [u64; 3] {
    let numbers = |tagger: &Tagger| {
        let counts = tagger.counts();
        assert_eq!(counts.all_unreadable(), 0, "{what}: all of it is readable");
        [counts.candidates, counts.matched, counts.suppressed]
    };
    let before = numbers(tagger);
    tagger.tag(buffer, at());
    let warm = numbers(tagger);
    let count = allocations(|| {
        tagger.tag(buffer, at());
    });
    assert_eq!(count, 0, "{what}: allocations over a second pass");
    let after = numbers(tagger);
    std::array::from_fn(|at| {
        assert_eq!(after[at] - warm[at], warm[at] - before[at], "{what}");
        warm[at] - before[at]
    })
}

const SIZE: usize = 150_000;

/// Traffic with many matches, near misses and escapes.
fn busy(kind: Kind, shape: Shape) -> Config {
    Config {
        candidate_rate: Some(0.5),
        match_rate: 0.2,
        escape_rate: 0.3,
        batch: 3,
        ..Config::new(kind, shape)
    }
}

const STYLES: [Style; 3] = [Style::Namespace, Style::Ecs, Style::Minimal];

fn exception(id: &str, ground: Ground) -> Exception {
    Exception {
        id: id.to_owned(),
        reason: format!("the reason of {id}"),
        owner: None,
        expires: None,
        rules: None,
        ground,
        place: Place::new("test", 1, 1),
    }
}

fn trusting(entries: &[&str]) -> Ground {
    let mut trusted = Trusted::builder();
    for entry in entries {
        if entry.contains('@') {
            trusted.email(entry).unwrap();
        } else if entry.contains('.') {
            trusted.domain(entry).unwrap();
        } else {
            trusted.tenant(entry).unwrap();
        }
    }
    Ground::Trusted(trusted.build())
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    // Without `black_box` the compiler leaves the allocations out.
    let mut vec = black_box(Vec::with_capacity(4));
    assert_eq!(allocations(|| vec.extend([0; 4])), 0);
    assert_eq!(allocations(|| vec.push(0)), 1);
}

#[test]
fn records_that_pass() {
    let (buffer, truths) = generate_bytes(Config::new(Kind::Teams, Shape::O365), 1_000_000);
    let mut tagger = tagger(vec![], Style::Namespace);
    let [candidates, ..] = assert_none("Teams", &mut tagger, &buffer);
    assert!(candidates < truths.records / 5, "most pass unseen");
}

#[test]
fn every_kind_and_shape_in_every_style() {
    let (mut matched, mut buffers) = (0, 0);
    for &kind in Kind::value_variants() {
        for &shape in Shape::value_variants() {
            if !shape.fits(kind) {
                continue;
            }
            let (buffer, _) = generate_bytes(busy(kind, shape), SIZE);
            for style in STYLES {
                let what = format!("{kind:?} {shape:?} {style:?}");
                let mut tagger = tagger(vec![], style);
                matched += assert_none(&what, &mut tagger, &buffer)[1];
            }
            buffers += 1;
        }
    }
    assert!(
        buffers > 40 && matched > 1_000,
        "{buffers} buffers, {matched} matches"
    );
}

#[test]
fn all_records_as_candidates() {
    for (kind, shape) in [
        (Kind::Mixed, Shape::All),
        (Kind::MessageEvents, Shape::All),
        (Kind::Teams, Shape::EcsMixed),
    ] {
        let (buffer, truths) = generate_bytes(busy(kind, shape), SIZE);
        let matcher = compile(pack::built_in(), vec![]);
        let lines = Lines::new(matcher).check_all();
        let mut tagger = Tagger::with_lines(lines, TagOptions::default());
        let [candidates, matched, _] = assert_none("all", &mut tagger, &buffer);
        assert_eq!(candidates, truths.lines);
        assert_eq!(matched, truths.matches_a + truths.matches_b);
    }
}

#[test]
fn records_that_carry_the_key_already() {
    for (kind, style) in [Kind::Teams, Kind::MessageEvents]
        .into_iter()
        .flat_map(|kind| STYLES.map(|style| (kind, style)))
    {
        let (buffer, _) = generate_bytes(busy(kind, Shape::All), SIZE);
        let mut tagger = tagger(vec![], style);
        let tagged = tag(&mut tagger, &buffer, at());
        let [_, matched, _] = assert_none("tagged twice", &mut tagger, &tagged);
        assert!(matched > 0);
        // Escaped words among the tags, to compare with.
        let escaped = String::from_utf8(tagged)
            .unwrap()
            .replace("poseur", r"p\u006fseur");
        assert_none("escaped key", &mut tagger, escaped.as_bytes());
    }
}

/// The traffic's domains, one half of them trusted.
const TRUSTED: [&str; 9] = [
    "fabrikam.example",
    "northwind-freight.example",
    "tailspin-toys.example",
    "adventure-cycles.example",
    ".example.net",
    "litware-labs.example",
    "contoso.example",
    "9e995743-8c98-40d0-9099-cd3e523d33e0",
    "somebody@lucerne-verlag.example",
];

#[test]
fn exceptions_that_suppress_and_those_that_only_look() {
    let nobody = [
        "none.example",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "x@y.example",
    ];
    let unless = |condition| exception("filter", Ground::Unless(condition));
    let sets = [
        (
            "none in force",
            vec![Exception {
                expires: Some(Timestamp::UNIX_EPOCH),
                ..exception("expired", trusting(&TRUSTED))
            }],
        ),
        ("trust nobody", vec![exception("nobody", trusting(&nobody))]),
        (
            "trust many",
            vec![
                exception("nobody", trusting(&nobody)),
                exception("many", trusting(&TRUSTED[..5])),
                exception("more", trusting(&TRUSTED[5..])),
            ],
        ),
        (
            "filter that suppresses",
            vec![unless(Condition::Any(vec![]))],
        ),
        (
            "filter that does not",
            vec![
                unless(Condition::All(vec![])),
                exception("many", trusting(&TRUSTED)),
            ],
        ),
    ];
    for (name, exceptions) in sets {
        let mut sums = [0; 3];
        for (kind, shape) in [
            (Kind::Teams, Shape::O365),
            (Kind::Teams, Shape::EcsMixed),
            (Kind::Teams, Shape::All),
            (Kind::MessageEvents, Shape::Hunting),
            (Kind::MessageEvents, Shape::All),
        ] {
            let (buffer, _) = generate_bytes(busy(kind, shape), SIZE);
            for style in STYLES {
                let mut tagger = tagger(exceptions.clone(), style);
                let what = format!("{name}: {kind:?} {shape:?} {style:?}");
                let numbers = assert_none(&what, &mut tagger, &buffer);
                sums.iter_mut()
                    .zip(numbers)
                    .for_each(|(sum, number)| *sum += number);
            }
        }
        let [_, matched, suppressed] = sums;
        assert_eq!(
            suppressed > 0,
            name == "trust many"
                || name == "filter that suppresses"
                || name == "filter that does not",
            "{name}"
        );
        assert_eq!(matched > 0, name != "filter that suppresses", "{name}");
    }
}

/// Rules with every kind of test, about records of any product.
fn odd_rules() -> Vec<Rule> {
    sigma_rules(
        r#"
title: Regex, network, wildcards
id: a
logsource: {category: test}
detection:
  s:
    name|re: '^h[ae]lp.*desk$'
    address|cidr: 10.0.0.0/8
    path: '*\a?c*'
    count|gte: 3
  condition: s
fields: [name, address, path, count, list, missing]
---
title: Keywords and other fields
id: b
logsource: {category: test}
detection:
  words: [help, 'd*k']
  same:
    name|fieldref|endswith: last
  condition: words or same
---
title: Negations
id: c
logsource: {category: test}
detection:
  s:
    gone: null
    name|exists: true
  t:
    count|lt: 1
  condition: s and not t
---
title: Addresses of raw records
id: d
logsource: {category: test}
detection:
  s:
    source.ip|cidr: 192.0.2.0/24
    organization.id: 'ünï'
  condition: s
fields: [source.ip, organization.id, user.name, event.action, event.outcome]
"#,
    )
}

#[test]
fn odd_records_and_rules() {
    let long = "é".repeat(4000);
    let mut buffer = format!(
        concat!(
            r#"{{"name":"help desk","address":"10.1.2.3","path":"x\\a\u00e9c","count":3.5,"list":[1,[2,{{"a":null}}]],"last":"desk"}}"#,
            "\n",
            r#"{{"name":["n\"o","h\u0065lp\ndesk"],"address":["::ffff:10.0.0.1"],"path":"\\abc","count":"17","last":["k"]}}"#,
            "\n",
            r#"{{"Operation":"x","Workload":"y","ClientIP":"[::FFFF:192.0.2.1]:443","OrganizationId":"ÜNÏ","UserId":"h\u00e9@x.example"}}"#,
            "\r\n\r\n\u{FEFF}",
            r#"{{"name":"{long}","message":"[\"{long} help\"]","poseur":{{}},"p\u006fseur":[1]}}"#,
            "\n",
            r#"[{{"message":"{{\"message\":\"{{\\\"name\\\":\\\"help\\\"}}\"}}"}},{{"name":1}},7,{{}}]"#,
            "\n",
            r#"{{"records":[{{"log":"[{{\"name\":\"help\"}},[],{{\"name\":2}}]"}}]}}"#,
            "\n",
        ),
        long = long
    )
    .into_bytes();
    buffer.extend_from_slice(b"{\"name\":\"help \xff\xfe\",\"list\":\"\xc3\"}");
    let matcher = compile(odd_rules(), vec![exception("e", trusting(&["x.example"]))]);
    assert!(matcher.witnesses().is_none());
    for style in STYLES {
        let mut tagger = styled(matcher.clone(), style);
        let [_, matched, suppressed] = assert_none("odd", &mut tagger, &buffer);
        assert!(matched >= 6 && suppressed == 1, "{matched} {suppressed}");
    }
}

#[test]
fn a_million_entries() {
    const ENTRIES: usize = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::with_capacity(ENTRIES * 26);
    for n in 0..ENTRIES {
        // Not in order: a multiplication by an odd number takes every value once.
        let n = (n as u32).wrapping_mul(0x9E37_79B1);
        list.push_str(&format!("partner-{n:08x}.example\n"));
    }
    list.push_str("fabrikam.example\n");
    std::fs::write(folder.path().join("partners.txt"), &list).unwrap();
    drop(list);
    let file = folder.path().join("exceptions.yml");
    std::fs::write(
        &file,
        "- {id: a, reason: r, domain: {file: partners.txt}}\n",
    )
    .unwrap();
    let before = HELD.with(Cell::get);
    let loaded = exception::load(&[file]);
    assert_eq!(loaded.refused, []);
    let held = (HELD.with(Cell::get) - before) / (1 << 20);
    println!("{ENTRIES} entries are held in {held} MiB");
    assert!(held < 48, "{held} MiB");

    let with: Arc<Matcher> = compile(pack::built_in(), loaded.exceptions);
    // Records that do not match cost no more than without: the exceptions are not looked at.
    let (buffer, truths) = generate_bytes(
        Config {
            match_rate: 0.0,
            candidate_rate: Some(0.5),
            ..Config::new(Kind::Teams, Shape::O365)
        },
        SIZE,
    );
    let mut tagger = styled(with.clone(), Style::Namespace);
    let numbers = assert_none("no match", &mut tagger, &buffer);
    assert_eq!([numbers[1], numbers[2]], [0, 0]);
    // Fewer than the generator's: some hold no word that a rule is about.
    assert!(numbers[0] > truths.candidates / 10);
    // And those that match are looked up without allocating.
    let (buffer, _) = generate_bytes(busy(Kind::Teams, Shape::O365), SIZE);
    let [_, matched, suppressed] =
        assert_none("matches", &mut styled(with, Style::Namespace), &buffer);
    assert!(
        matched > 0 && suppressed > 0,
        "{RULE_A}: {matched} {suppressed}"
    );
}

/// Conditions that Sigma cannot say: on objects, on names by pattern, ranges of texts, words, columns, terms.
fn new_rules() -> Vec<Rule> {
    let test = |field, test| Condition::Test(Predicate { field, test });
    let column = |kind| {
        let name = "column".to_owned();
        Field::Column(Column { name, kind })
    };
    let equals = |text: &str| Test::Text(Pattern::equals(text), Case::Exact);
    let term = |text: &str, case| Test::Term {
        text: text.to_owned(),
        case,
        start: true,
        end: true,
    };
    let nested = Condition::Nested {
        path: "items".to_owned(),
        condition: Box::new(Condition::All(vec![
            test(Field::Name("items.name".into()), equals("chair")),
            test(
                Field::Name("items.count".into()),
                Test::Ordered(Comparison::Greater, "3".into()),
            ),
        ])),
    };
    let conditions = vec![
        nested,
        test(Field::Like(Pattern::starts_with("items.")), equals("stool")),
        test(column(ColumnType::Text), equals("[1,\"é\"]")),
        test(column(ColumnType::Dynamic), term("é", Case::Exact)),
        test(column(ColumnType::Text), term("É", Case::Ascii)),
        Condition::All(vec![
            test(Field::Name("name".into()), Test::Regex("^x".into())),
            test(Field::Name("name".into()), Test::Regex("y$".into())),
        ]),
    ];
    let base = odd_rules().swap_remove(0);
    let rules = conditions.into_iter().enumerate();
    let rules = rules.map(|(number, condition)| Rule {
        id: number.to_string(),
        fields: Vec::new(),
        condition,
        ..base.clone()
    });
    rules.collect()
}

#[test]
fn objects_names_and_columns() {
    let buffer = concat!(
        r#"{"items":[[{"name":"table"}],{"n\u0061me":"ch\u0061ir","count":4}],"name":"z"}"#,
        "\n",
        r#"{"items":{"d\u0065ep":{"name":["st\u006fol"]}},"column":[1, "é"]}"#,
        "\n",
        r#"{"column":"[1, \"É\"]","name":"abc"}"#,
        "\n",
    );
    let matcher = compile(
        new_rules(),
        vec![exception("nobody", trusting(&["none.example"]))],
    );
    for style in STYLES {
        let mut tagger = thorough(matcher.clone(), style);
        let [_, matched, _] = assert_none("new rules", &mut tagger, buffer.as_bytes());
        assert_eq!(matched, 3);
    }
}
