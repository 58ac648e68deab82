//! The fuzz targets, as functions: a fuzzer calls them, and a test replays the corpus through them
//! on the stable compiler.

mod forward;
mod http_body;
mod protobuf;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use poseur_matcher::found::Found;
use poseur_matcher::paths::Paths;
use poseur_matcher::record::{Handle, Kind, Record};
use poseur_rule::elastic;
use poseur_rule::kusto;
use poseur_rule::model::MAX_DEPTH;
use poseur_rule::types::Types;
use poseur_tagger::json::check::check;
use poseur_tagger::json::document::{Document, Pool};
use poseur_tagger::json::index::Index;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::msgpack::document::Map;
use poseur_tagger::msgpack::head::skip;
use poseur_tagger::{Style, TagOptions};
use poseur_tests::agreement::{Agreement, matcher};
#[cfg(unix)]
use poseur_tests::fluent_bit::{self, Filter};
use poseur_tests::msgpack::nothing_but_tags;
use poseur_tests::reference::json;
use poseur_tests::strategies::now;

pub use forward::forward;
pub use http_body::http_body;
pub use protobuf::protobuf;

/// The JSON reader on any bytes: never a panic; valid exactly when the plain parser says so; and a
/// valid document reads the same.
///
/// # Panics
/// If it does not.
pub fn json_reader(data: &[u8]) {
    let body = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
    let plain = json::parse(body);
    assert_eq!(
        check(body).is_ok(),
        plain.is_ok(),
        "validity differs from the plain parser"
    );

    let mut paths = Paths::default();
    for path in ["a", "a.b", "a.b.c", "o365.audit.Members", "user.email"] {
        paths.add(path);
    }
    paths.finish();
    let mut found = Found::new(paths.len());
    let (mut index, pool) = (Index::default(), Pool::default());
    let Ok(document) = Document::new(data, &mut index, &pool) else {
        return;
    };
    let root = document.root();
    if document.kind(root) == Kind::Map {
        let walked = document.walk(root, &paths, &mut found);
        assert!(
            walked.is_ok() || plain.is_err(),
            "a valid object cannot be walked"
        );
        let _ = document.each_member(root, |_, _| ControlFlow::Continue(()));
    }
    visit(&document, root);
    if let Ok(plain) = plain {
        let mut compact = Vec::new();
        document.write_json(root, &mut compact);
        assert_eq!(
            compact,
            json::compact(&plain.value),
            "a valid document reads differently"
        );
    }
}

/// Asks everything of every value.
fn visit(record: &dyn Record, value: Handle) {
    let mut scratch = Vec::new();
    let _ = record.leaves(value, &mut |leaf| {
        assert!(
            !matches!(record.kind(leaf), Kind::List | Kind::Map),
            "a leaf is no scalar"
        );
        record.text(leaf, &mut scratch);
        record.open(leaf, &mut |inner| {
            inner.write_json(inner.root(), &mut Vec::new());
        });
        ControlFlow::Continue(())
    });
    let _ = record.elements(value, &mut |element| {
        record.kind(element);
        ControlFlow::Continue(())
    });
}

/// The whole tagger against the reference evaluator, on any lines.
///
/// # Panics
/// If they differ.
pub fn tagger(data: &[u8]) {
    thread_local! {
        static AGREEMENT: RefCell<Agreement> =
            RefCell::new(Agreement::new(&poseur_rule::pack::built_in(), None));
    }
    AGREEMENT.with_borrow_mut(|agreement| agreement.check_lines(data, now()));
}

/// The MessagePack reader and the tagger for chunks, on any bytes: never a panic; whatever is read of a map stays
/// within it; a tagged chunk is the same events with nothing but tags more.
///
/// # Panics
/// If it is not.
pub fn msgpack(data: &[u8]) {
    let pool = Pool::default();
    if let Ok(end) = skip(data, 0)
        && let Ok(map) = Map::new(data, Handle { start: 0, end }, &pool)
    {
        let (root, mut paths) = (map.root(), Paths::default());
        for path in ["a", "a.b", "Operation", "log"] {
            paths.add(path);
        }
        paths.finish();
        let walked = map.walk(root, &paths, &mut Found::new(paths.len()));
        assert!(
            walked.is_ok() || map.check().is_err(),
            "a valid map cannot be walked"
        );
        visit(&map, root);
        let mut text = Vec::new();
        map.write_json(root, &mut text);
        assert!(check(&text).is_ok(), "a map is written as broken JSON");
    }
    thread_local! {
        static TAGGER: RefCell<ChunkTagger> = RefCell::new(ChunkTagger::new(
            matcher(poseur_rule::pack::built_in(), None),
            TagOptions::default(),
        ));
    }
    let tagged = TAGGER.with_borrow_mut(|tagger| {
        let tagged = tagger.tag(data, now()).ok()?;
        (!tagged.is_unchanged()).then(|| tagged.to_vec())
    });
    if let Some(tagged) = tagged {
        nothing_but_tags(data, &tagged, &TagOptions::default());
    }
}

/// Rules that hold for many records, so that many are tagged.
#[cfg(unix)]
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules.yml");

/// Properties of an instance of the filter.
#[cfg(unix)]
type Properties = &'static [(&'static str, &'static str)];

/// The properties of the instances that chunks go through, and what they say about tags.
#[cfg(unix)]
const INSTANCES: [(Properties, Style, &str); 4] = [
    (&[], Style::Namespace, "poseur"),
    (&[("rules", RULES)], Style::Namespace, "poseur"),
    (
        &[("rules", RULES), ("style", "ecs"), ("schema", "o365")],
        Style::Ecs,
        "poseur",
    ),
    (
        &[
            ("style", "minimal"),
            ("key", "a"),
            ("exceptions", "known-services, partners"),
            ("on_reload", "ignore"),
        ],
        Style::Minimal,
        "a",
    ),
];

/// The Fluent Bit filter's entry points on any bytes, called as Fluent Bit calls them: never a fault; a chunk is left
/// alone, or it is the same with nothing but tags more; one that cannot be taken apart is left alone.
///
/// # Panics
/// If it is not.
#[cfg(unix)]
pub fn fluent_filter(data: &[u8]) {
    use poseur_fluent_bit::native::plugin::filter_poseur_plugin;
    thread_local! {
        static FILTERS: RefCell<Vec<Filter>> = RefCell::new({
            let plugin = &raw const filter_poseur_plugin;
            let filters = INSTANCES.iter().map(|(properties, ..)| {
                // SAFETY: it is the filter's description.
                unsafe { Filter::new(plugin.cast(), properties) }.expect("properties that are right")
            });
            filters.collect()
        });
    }
    let is_whole = || {
        let mut at = 0;
        while at < data.len() {
            at = skip(data, at).ok()?;
        }
        Some(())
    };
    FILTERS.with_borrow_mut(|filters| {
        fluent_bit::log();
        for (filter, &(_, style, key)) in filters.iter_mut().zip(&INSTANCES) {
            let Some(tagged) = filter.filter(data) else {
                continue;
            };
            is_whole().expect("a broken chunk was changed");
            let key = key.to_owned();
            nothing_but_tags(data, &tagged, &TagOptions { style, key });
        }
        let log = fluent_bit::log();
        // Rules may be read again while this runs.
        let is_quiet = log.iter().all(|line| line.starts_with("info "));
        assert!(is_quiet, "{log:?}");
    });
}

/// Records that rules of the fuzzer's making are tried on.
const RECORDS: [&str; 3] = [
    r#"{"Operation":"ChatCreated","Workload":"MicrosoftTeams","UserId":"helpdesk@a.example","Members":[{"DisplayName":"Help Desk","UPN":"helpdesk@a.example"}],"ParticipantInfo":{"HasGuestUsers":false}}"#,
    r#"{"IsExternalThread":true,"RecipientDetails":[{"RecipientDisplayName":"IT Support"}],"Timestamp":"2026-02-28T12:00:00Z"}"#,
    r#"{"a":{"b":[1,"x",null,true,"10.0.0.1"]},"message":"text","EventID":4625,"c":"X*y"}"#,
];

/// The Sigma front end on any text: never a panic or a hang; what it loads compiles, and judges as
/// the reference does.
///
/// # Panics
/// If it does not.
pub fn sigma(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let documents = poseur_rule::sigma::read("fuzz.yml", text);
    for error in &documents.errors {
        assert!(!error.reason.is_empty() && error.place.file == "fuzz.yml");
    }
    if documents.rules.is_empty() || data.len() > 4096 {
        return;
    }
    let mut agreement = Agreement::new(&documents.rules, None);
    for record in RECORDS {
        agreement.check(record.as_bytes(), now());
    }
}

/// Reading the pages takes longer than most inputs.
static TYPES: LazyLock<Types> = LazyLock::new(Types::built_in);

/// The Elastic front end on any text, taken for a rule file and for a query: never a panic or a hang; a
/// query in a file means what it means alone, and its error stands at the same character.
///
/// # Panics
/// If it does not.
pub fn kuery(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let documents = elastic::read("fuzz.toml", text, &TYPES);
    for error in &documents.errors {
        assert!(!error.reason.is_empty() && !error.reason.contains('\n'));
        assert!(error.place.file == "fuzz.toml");
    }
    assert_eq!(
        documents.rules.len(),
        usize::from(documents.errors.is_empty())
    );

    let alone = elastic::condition(text, &TYPES);
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n');
    if text.contains("'''") || text.ends_with('\'') || text.contains(control) {
        return;
    }
    let head = "[rule]\nrule_id = 'i'\nname = 'n'\ntype = 'query'\nquery = '''\n";
    let documents = elastic::read("fuzz.toml", &format!("{head}{text}'''\n"), &TYPES);
    match alone {
        Ok(condition) => assert_eq!(documents.rules[0].condition, condition),
        Err((offset, reason)) => {
            let before = &text[..offset];
            let line = before.split('\n').next_back().unwrap_or_default();
            let place = &documents.errors[0].place;
            assert_eq!(place.line, 6 + before.matches('\n').count());
            assert_eq!(place.column, 1 + line.chars().count());
            assert_eq!(documents.errors[0].reason, reason);
        }
    }
}

/// The Microsoft front end on any text, taken for a query and for a query file: never a panic or a hang; a
/// query in a file means what it means alone, and its error stands at the same character.
///
/// # Panics
/// If it does not.
pub fn kusto(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let types = Types::built_in();
    let alone = kusto::read_query("fuzz.kql", text, &types);
    let in_file = kusto::read_yaml("fuzz.yml", text, &types);
    for documents in [&alone, &in_file] {
        for error in &documents.errors {
            assert!(!error.reason.is_empty() && !error.reason.contains('\n'));
            assert!(error.reason.len() < 1000, "{}", error.reason);
        }
        for rule in &documents.rules {
            assert!(rule.condition.depth() <= MAX_DEPTH);
        }
    }
    assert_eq!(alone.rules.len() + alone.errors.len(), 1);

    let control = |c: char| c.is_control() && c != '\n' || c == '\u{feff}';
    if text.trim().is_empty() || text.contains(control) {
        return;
    }
    let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
    let file = format!("id: fuzz\nname: n\nquery: |2\n{indented}");
    let in_file = kusto::read_yaml("fuzz.yml", &file, &types);
    match (alone.rules.first(), alone.errors.first()) {
        (Some(rule), _) => assert_eq!(in_file.rules[0].condition, rule.condition),
        (None, Some(error)) => {
            let found = &in_file.errors[0];
            assert_eq!(found.reason, error.reason);
            // A block does not keep the blank lines at its end.
            if error.place.line <= text.trim_end().lines().count() {
                assert_eq!(found.place.line, error.place.line + 3);
                assert_eq!(found.place.column, error.place.column + 2);
            }
        }
        (None, None) => {}
    }
}
