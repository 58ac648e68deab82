//! Every input of the corpus, and every input that once failed, through its target.

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in ["corpus", "regressions"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder).join(target)) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let data = std::fs::read(&path).expect("a readable file");
            eprintln!("{}", path.display());
            run(&data);
            count += 1;
        }
    }
    assert!(count > 0, "no corpus for {target}");
}

#[test]
fn json_reader() {
    replay("json_reader", poseur_fuzz::json_reader);
}

#[test]
fn tagger() {
    replay("tagger", poseur_fuzz::tagger);
}

#[test]
fn sigma() {
    replay("sigma", poseur_fuzz::sigma);
}

#[test]
fn kuery() {
    replay("kuery", poseur_fuzz::kuery);
}

#[test]
fn kusto() {
    replay("kusto", poseur_fuzz::kusto);
}

#[test]
fn msgpack() {
    replay("msgpack", poseur_fuzz::msgpack);
}

#[cfg(unix)]
#[test]
fn fluent_filter() {
    replay("fluent_filter", poseur_fuzz::fluent_filter);
}

#[test]
fn forward() {
    replay("forward", poseur_fuzz::forward);
}

#[test]
fn protobuf() {
    replay("protobuf", poseur_fuzz::protobuf);
}

#[test]
fn http_body() {
    replay("http_body", poseur_fuzz::http_body);
}
