//! What dashboards and alarms ask for is what a stage in operation tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use poseur_relay::serve::Relay;
use regex::Regex;
use serde_json::Value;

use crate::http::{post, talk};
use crate::peers::{MATCHING, OTHER};

const EXCEPTIONS: &str = "exceptions:
  - {id: ours, reason: ours, owner: a@contoso.example, email: helpdesk@contoso.example}
  - {id: old, reason: over, owner: a@contoso.example, email: helpdesk@fabrikam.example, expires: 2020-01-01}
";

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(file)).unwrap()
}

/// Metrics by name, each with the names of its labels.
type Known = BTreeMap<String, BTreeSet<String>>;

/// What a pipeline that has been used tells.
async fn known() -> Known {
    let folder = tempfile::tempdir().unwrap();
    let exceptions = folder.path().join("exceptions.yaml");
    fs::write(&exceptions, EXCEPTIONS).unwrap();
    let config = folder.path().join("poseur.yaml");
    let text = format!(
        "pipelines:\n  teams:\n    exceptions: ['{}']\n    source: {{ type: http, listen: 127.0.0.1:0 }}\n    \
         sink: {{ type: 'null' }}\nadmin: {{ listen: 127.0.0.1:0 }}\n",
        exceptions.display()
    );
    fs::write(&config, text).unwrap();
    let relay = Relay::open(&config).await.unwrap();
    let poseur_relay::net::place::Place::Tcp(source) = relay.places()["teams"].clone() else {
        panic!("no address");
    };
    let answer = post(source, "", format!("{MATCHING}\n{OTHER}\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // A request that is refused, and a connection that ends early.
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = talk(source, request).await;
    assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    talk(source, b"no HTTP at all\r\n\r\n").await;
    // As if it were a member of a group, which needs a broker.
    for pipeline in relay.pipelines() {
        let group = pipeline.stage.meter().group();
        group.assigned([("audit".to_owned(), 0)]);
        group.seen("audit", 0, 7, Some(5));
    }
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let metrics = talk(relay.admin().unwrap(), request).await;
    assert!(relay.stop(Duration::from_secs(30)).await);

    let sample = Regex::new(r"(?m)^([a-z_]+)(?:\{(.*)\})? \S+$").unwrap();
    let label = Regex::new(r#"([a-z]+)=""#).unwrap();
    let mut known = Known::new();
    for found in sample.captures_iter(&metrics) {
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let labels = label.captures_iter(labels).map(|one| one[1].to_owned());
        known.entry(found[1].to_owned()).or_default().extend(labels);
    }
    // What Prometheus adds.
    known.insert("up".to_owned(), BTreeSet::new());
    for labels in known.values_mut() {
        labels.extend(["job".to_owned(), "instance".to_owned()]);
    }
    known
}

/// Every metric, label and word of an expression that is not known.
fn unknown(expression: &str, known: &Known, page: &str) -> Vec<String> {
    let metric = Regex::new(r"\b(up|(?:poseur|process)_[a-z_]+)\b(?:\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)(=~|!~|!=|=)"([^"]*)""#).unwrap();
    let grouping =
        Regex::new(r"\b(?:by|without|on|ignoring|group_left|group_right) ?\(([a-z_, ]*)\)")
            .unwrap();
    let mut unknown = Vec::new();
    let mut all = BTreeSet::new();
    let mut metrics = 0;
    for found in metric.captures_iter(expression) {
        metrics += 1;
        let Some(labels) = known.get(&found[1]) else {
            unknown.push(found[1].to_owned());
            continue;
        };
        all.extend(labels.iter().map(String::as_str));
        let matchers = found.get(2).map_or("", |matchers| matchers.as_str());
        for one in matcher.captures_iter(matchers) {
            if !labels.contains(&one[1]) {
                unknown.push(format!("{} of {}", &one[1], &found[1]));
            }
            // Words that a label may be are on the page of metrics; what an operator chooses is a variable.
            let words = one[3].split('|').filter(|word| !word.starts_with('$'));
            let words =
                words.filter(|word| !page.contains(&format!("`{word}`")) && *word != "poseur");
            unknown.extend(words.map(|word| format!("{word} in {}", &found[0])));
        }
    }
    for found in grouping.captures_iter(expression) {
        let labels = found[1].split(',').map(str::trim);
        let labels = labels.filter(|label| !label.is_empty() && !all.contains(label));
        unknown.extend(labels.map(|label| format!("by {label}")));
    }
    if metrics == 0 {
        unknown.push(format!("no metric at all in {expression}"));
    }
    unknown
}

/// All texts below a key of this name.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == key => found.push(text),
                    _ => texts(value, key, found),
                }
            }
        }
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| texts(element, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn dashboards_and_alarms_ask_for_what_there_is() {
    let known = known().await;
    let page = read("docs/metrics.md") + &read("docs/kafka.md");
    let dashboard: Value = serde_json::from_str(&read("packaging/grafana/poseur.json")).unwrap();
    let alerts = read("packaging/prometheus/alerts.yaml");
    let alerts: Value = serde_saphyr::from_str(&alerts).unwrap();

    let mut expressions = Vec::new();
    texts(&dashboard["panels"], "expr", &mut expressions);
    assert!(expressions.len() > 20, "{expressions:?}");
    texts(&alerts, "expr", &mut expressions);
    for expression in &expressions {
        let unknown = unknown(expression, &known, &page);
        assert!(
            unknown.is_empty(),
            "{unknown:?} in {expression}\n{known:#?}"
        );
    }

    // `label_values(METRIC, LABEL)`.
    let mut variables = Vec::new();
    texts(&dashboard["templating"], "definition", &mut variables);
    assert!(!variables.is_empty());
    for variable in variables {
        let asked = variable.strip_prefix("label_values(").unwrap();
        let (metric, label) = asked.trim_end_matches(')').split_once(", ").unwrap();
        assert!(known[metric].contains(label), "{variable}");
    }

    // Legends and texts use labels that are left after the aggregation: those of some metric, at least.
    let labels: BTreeSet<&String> = known.values().flatten().collect();
    let mut legends = Vec::new();
    texts(&dashboard["panels"], "legendFormat", &mut legends);
    texts(&alerts, "summary", &mut legends);
    texts(&alerts, "description", &mut legends);
    let used = Regex::new(r"\{\{ ?(?:\$labels\.)?([a-z_]+) ?\}\}").unwrap();
    for found in legends.iter().flat_map(|legend| used.captures_iter(legend)) {
        assert!(labels.contains(&found[1].to_owned()), "{}", &found[0]);
    }

    // Nothing that is told is left out of both.
    let all = expressions.join("\n");
    for metric in known.keys() {
        let base = metric.trim_end_matches("_sum").trim_end_matches("_count");
        assert!(all.contains(base), "{metric} is used nowhere");
    }
}

#[test]
fn what_is_not_there_is_found() {
    let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect();
    let known = Known::from([
        ("poseur_a".to_owned(), labels(&["pipeline", "result"])),
        ("poseur_b".to_owned(), labels(&["pipeline"])),
    ]);
    for (expression, wrong) in [
        ("sum by (pipeline) (poseur_a{result=\"taken\"})", ""),
        ("poseur_c > 0", "poseur_c"),
        ("rate(poseur_a_total[5m])", "poseur_a_total"),
        ("poseur_b{result=\"taken\"}", "result of poseur_b"),
        (
            "poseur_a{result=~\"taken|lost\"}",
            "lost in poseur_a{result=~\"taken|lost\"}",
        ),
        ("sum by (pipeline, rule) (poseur_a)", "by rule"),
        ("poseur_b / on (result) poseur_b", "by result"),
        ("vector(1)", "no metric at all in vector(1)"),
    ] {
        assert_eq!(
            unknown(expression, &known, "`taken`").join(", "),
            wrong,
            "{expression}"
        );
    }
}
