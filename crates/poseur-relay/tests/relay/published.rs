//! What is published about configurations: their schema, and the examples.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use poseur_relay::config::Config;
use poseur_relay::serve;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

const RULE: &str = "title: Sent\nid: aaaaaaaa-0000-4000-8000-000000000001\n\
logsource: {category: test}\ndetection:\n  sent: {event.action: MessageSent}\n  condition: sent\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_schema_is_current() {
    let file = root().join("docs/poseur.schema.json");
    let made = serde_json::to_value(Config::json_schema()).unwrap();
    if std::env::var_os("POSEUR_WRITE_SCHEMA").is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        fs::write(&file, text).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    // In what order keys stand depends on what else is compiled.
    let published: Value = serde_json::from_str(&published).unwrap_or_default();
    assert!(
        published == made,
        "docs/poseur.schema.json is not current. To write it: \
         POSEUR_WRITE_SCHEMA=1 cargo test -p poseur-relay --test relay published"
    );
}

/// All files in a folder, and in folders of it, that are configurations by their names.
fn configurations(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            configurations(&path, found);
        } else if name.starts_with("poseur") && name.ends_with(".yaml") {
            found.push(path);
        }
    }
}

/// A machine's `/etc/poseur`, with everything that examples name.
fn etc() -> TempDir {
    let etc = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]);
    let certificate = certificate.unwrap().self_signed(&key).unwrap();
    for folder in ["rules", "tls", "kafka"] {
        fs::create_dir(etc.path().join(folder)).unwrap();
    }
    for (name, text) in [
        ("rules/sent.yml", RULE.to_owned()),
        ("exceptions.yaml", "exceptions: []\n".to_owned()),
        ("shared-key", "key\n".to_owned()),
        ("password", "word\n".to_owned()),
        ("token", "token\n".to_owned()),
        ("stage.crt", certificate.pem()),
        ("ca.crt", certificate.pem()),
        ("stage.key", key.serialize_pem()),
        ("tls/tls.crt", certificate.pem()),
        ("tls/ca.crt", certificate.pem()),
        ("tls/tls.key", key.serialize_pem()),
        ("kafka/username", "name\n".to_owned()),
        ("kafka/password", "word\n".to_owned()),
        ("kafka/ca.crt", certificate.pem()),
    ] {
        fs::write(etc.path().join(name), text).unwrap();
    }
    etc
}

#[test]
fn the_examples_are_configurations() {
    let mut found = Vec::new();
    configurations(&root().join("examples"), &mut found);
    assert!(found.len() >= 5, "{found:?}");
    let etc = etc();
    for file in found {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.display();
        let first = text.lines().next().unwrap();
        let schema = first.strip_prefix("# yaml-language-server: $schema=");
        let schema = schema.unwrap_or_else(|| panic!("{name} names no schema"));
        assert!(file.parent().unwrap().join(schema).is_file(), "{first}");
        check(&name, &text, &etc);
    }
}

#[test]
fn the_packages_configurations_are_such() {
    let etc = etc();
    let mut found = Vec::new();
    configurations(&root().join("packaging"), &mut found);
    assert!(!found.is_empty());
    for file in found {
        let text = fs::read_to_string(&file).unwrap();
        check(&file.display(), &text, &etc);
    }
    let values = fs::read_to_string(root().join("packaging/helm/values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&values).unwrap();
    check(&"the chart", &values["config"].to_string(), &etc);
    // Those in ConfigMaps.
    let manifests = fs::read_dir(root().join("packaging/kubernetes")).unwrap();
    for file in manifests.map(|entry| entry.unwrap().path()) {
        let place = file.display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let objects: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{place}: {error}"));
        let texts = objects
            .iter()
            .filter(|object| object["kind"] == "ConfigMap");
        let texts: Vec<&str> = texts
            .filter_map(|object| object["data"]["poseur.yaml"].as_str())
            .collect();
        assert!(!texts.is_empty(), "{place} has no configuration");
        for text in texts {
            check(&place, text, &etc);
        }
    }
}

/// Has a configuration checked on a machine with this `/etc/poseur`.
fn check(name: &dyn Display, text: &str, etc: &TempDir) {
    // Variables are not set for tests.
    let text = text.replace(
        "{ env: EVENT_HUBS_CONNECTION }",
        "{ file: /etc/poseur/password }",
    );
    let text = text.replace("/etc/poseur", etc.path().to_str().unwrap());
    let copy = etc.path().join("poseur.yaml");
    fs::write(&copy, &text).unwrap();
    if let Err(errors) = serve::check(&copy) {
        // Kafka is not in every build: then that is all there is to say.
        let of_others = |error: &String| !error.contains("--features kafka");
        let is_wrong = cfg!(feature = "kafka") || errors.0.iter().any(of_others);
        assert!(!is_wrong, "{name}: {errors}");
    }
}

/// A whole configuration, if a YAML block of a page is one, or a part that has its place in one.
fn configuration(block: &str) -> Option<String> {
    let indented = || block.lines().map(|line| format!("    {line}\n"));
    let pipeline = |parts: String| format!("pipelines:\n  it:\n{parts}");
    let source = "    source: { type: stdin }\n";
    let sink = "    sink: { type: \"null\" }\n";
    let first = block.lines().find(|line| !line.starts_with('#'))?;
    match first.split(':').next()? {
        "pipelines" => Some(block.to_owned()),
        "source" => Some(pipeline(indented().collect::<String>() + sink)),
        "sink" => Some(pipeline(
            source.to_owned() + &indented().collect::<String>(),
        )),
        "admin" => Some(pipeline(source.to_owned() + sink) + block),
        _ => None,
    }
}

#[test]
fn the_pages_show_configurations() {
    let etc = etc();
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let pages = docs.map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut found = 0;
    for page in pages.chain([root().join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("\n```yaml\n").skip(1) {
            let (block, _) = block.split_once("\n```").unwrap();
            if let Some(configuration) = configuration(block) {
                check(&page.display(), &configuration, &etc);
                found += 1;
            }
        }
    }
    assert!(found >= 5, "{found}");
}
