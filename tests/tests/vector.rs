//! A real Vector, if `POSEUR_VECTOR` names one: the exported program, the recipes of examples/vector, and that no event is
//! lost, moved or altered. `POSEUR_VECTOR_MEGABYTES` says how many megabytes of them.

#![cfg(unix)]

mod command_support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use command_support::*;
use poseur_tests::traffic::{Config, DEFAULT_AT, Kind, Shape, Traffic};
use serde_json::Value;

/// Vector, if `POSEUR_VECTOR` names it.
fn vector() -> Option<Command> {
    let program = std::env::var_os("POSEUR_VECTOR");
    if program.is_none() {
        eprintln!("SKIPPED: POSEUR_VECTOR names no Vector");
    }
    program.map(Command::new)
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn vector_runs_the_unit_tests() {
    let Some(mut vector) = vector() else { return };
    let folder = Folder::new();
    let text = run(["export", "vector", "--style", "minimal"], "").expect(0);
    let file = folder.file("poseur.yaml", text.text());
    let out = succeeds(vector.arg("test").arg(file));
    assert_eq!(out.matches("... passed").count(), 4, "{out}");
}

#[test]
fn vector_tags_as_poseur_does() {
    let Some(mut check) = vector() else { return };
    let Some(mut vector) = vector() else { return };
    let folder = Folder::new();
    let trusted = folder.file("e.yml", exception("us", "[tailspin-toys.example]", ""));
    let flags = ["--style", "minimal", "--at", AT, "--exceptions", &trusted];
    let exported = run([&["export", "vector"][..], &flags].concat(), "").expect(0);
    let program = exported.text().split("\ntests:").next().unwrap();
    let file = folder.file(
        "vector.yaml",
        format!(
            "data_dir: {}\nsources:\n  records:\n    type: stdin\n    decoding: {{codec: json}}\n{program}\nsinks:\n  out:\n    \
             type: console\n    inputs: [poseur]\n    encoding: {{codec: json}}\n",
            folder.path("")
        ),
    );
    succeeds(check.args(["validate", "--no-environment", &file]));
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/samples");
    let mut wanted = Vec::new();
    let mut input = Vec::new();
    for name in ["teams.ndjson", "message-events.ndjson"] {
        input.extend(fs::read(samples.join(name)).unwrap());
    }
    // Vector's JSON codec makes an event of each element.
    let tagged = run([&["tag", "--quiet"][..], &flags].concat(), &input[..]).expect(0);
    for line in tagged.json_lines() {
        match line {
            Value::Array(items) => wanted.extend(items),
            item => wanted.push(item),
        }
    }
    let input = folder.file("in.ndjson", &input);
    let out = succeeds(
        vector
            .args(["--quiet", "--config", &file])
            .stdin(File::open(input).unwrap()),
    );
    let out: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(out.len(), wanted.len());
    let rules = |event: &Value| {
        let records = event["records"].as_array().cloned().unwrap_or_default();
        let all = records.iter().chain([event]);
        all.map(|record| record["poseur"].clone())
            .collect::<Vec<_>>()
    };
    let tags = |events: &[Value]| events.iter().map(rules).collect::<Vec<_>>();
    assert_eq!(tags(&out), tags(&wanted));
    let matched = out.iter().filter(|event| event.get("poseur").is_some());
    assert!(matched.count() > 3);
    let text = serde_json::to_string(&out).unwrap();
    assert!(
        text.contains("\"poseur\":{\"rules\":[]}"),
        "nothing is suppressed"
    );
}

/// What a recipe writes of the Teams samples. `post` are records that are posted to this port.
fn recipe(name: &str, port: Option<u16>) -> Option<Vec<u8>> {
    let mut vector = vector()?;
    let folder = Folder::new();
    let mut programs = vec![];
    for program in [vector.get_program(), poseur(["--version"]).get_program()] {
        programs.push(Path::new(program).parent().unwrap().to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    programs.extend(std::env::split_paths(&path));
    let adapted = |name: &str| {
        let recipe = fs::read_to_string(root().join("examples/vector").join(name)).unwrap();
        fs::create_dir_all(folder.path(&format!("data of {name}"))).unwrap();
        let recipe = recipe
            .replace("/var/lib/vector", &folder.path(&format!("data of {name}")))
            .replace(
                "127.0.0.1:8080",
                &format!("127.0.0.1:{}", port.unwrap_or(1)),
            )
            .replace("/var/log/o365/", &folder.path(""))
            .replace("examples/vector/", &folder.path(""));
        assert!(
            !recipe.contains("/var/") && !recipe.contains(":8080"),
            "{recipe}"
        );
        folder.file(name, recipe)
    };
    let config = adapted(name);
    adapted("receive.yaml");
    let exported = run(["export", "vector", "--input", "records", "--at", AT], "").expect(0);
    let program = folder.file("poseur.yaml", exported.text());
    vector.args(["--config", &config]);
    if !name.starts_with("pipe") {
        vector.args(["--config", &program]);
    }
    let log = File::create(folder.path("log")).unwrap();
    let mut child = vector
        .current_dir(root())
        .env("PATH", std::env::join_paths(programs).unwrap())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    if let Some(port) = port {
        let samples = fs::read(root().join("examples/samples/teams.ndjson")).unwrap();
        assert!(
            poll(|| TcpStream::connect(("127.0.0.1", port)).is_ok()),
            "{name} does not listen"
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let length = samples.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(&samples).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
    }
    let tagged = || fs::read(folder.path("tagged.ndjson")).unwrap_or_default();
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    let wanted = lines(&fs::read(root().join("examples/samples/teams.ndjson")).unwrap());
    let all = poll(|| lines(&tagged()) >= wanted);
    let log = || fs::read_to_string(folder.path("log")).unwrap();
    assert!(all, "{name}: {} of {wanted}: {}", lines(&tagged()), log());
    let ended = Command::new("kill").arg(child.id().to_string()).status();
    assert!(ended.unwrap().success());
    assert_eq!(wait(&mut child), Some(0), "{name}: {}", log());
    Some(tagged())
}

fn samples() -> Vec<u8> {
    fs::read(root().join("examples/samples/teams.ndjson")).unwrap()
}

/// The samples as `poseur tag` tags them.
fn tagged() -> Ran {
    run(["tag", "--quiet", "--at", AT], samples()).expect(0)
}

/// The rules that each event matches; batches as `records`.
fn rules_of(event: &Value) -> Vec<Value> {
    match event {
        Value::Array(items) => items.iter().flat_map(rules_of).collect(),
        event => {
            let records = event["records"].as_array().into_iter().flatten();
            let own = std::iter::once(&event["poseur"]["rules"]);
            records
                .flat_map(rules_of)
                .chain(own.cloned())
                .filter(|rules| !rules.is_null())
                .collect()
        }
    }
}

fn rules_of_lines(lines: &[u8]) -> Vec<Value> {
    let lines = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let events = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    events.flat_map(|event| rules_of(&event)).collect()
}

#[test]
fn the_recipe_with_a_file() {
    let Some(out) = recipe("file.yaml", None) else {
        return;
    };
    let wanted = rules_of_lines(tagged().text().as_bytes());
    assert!(wanted.len() > 3);
    assert_eq!(rules_of_lines(&out), wanted);
}

#[test]
fn the_recipe_with_a_pipe_keeps_every_byte() {
    let Some(out) = recipe("pipe-file.yaml", None) else {
        return;
    };
    assert!(
        out == run(["tag", "--quiet"], samples())
            .expect(0)
            .text()
            .as_bytes()
    );
}

#[test]
fn the_recipes_over_http() {
    let Some(mut list) = vector() else { return };
    if !succeeds(list.arg("list")).contains("http_server") {
        eprintln!("SKIPPED: this Vector has no http_server source");
        return;
    }
    let port = || {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    let out = recipe("http.yaml", Some(port())).unwrap();
    let mut wanted = rules_of_lines(tagged().text().as_bytes());
    let mut told = rules_of_lines(&out);
    // Events of an array are events of their own.
    wanted.sort_by_key(Value::to_string);
    told.sort_by_key(Value::to_string);
    assert_eq!(told, wanted);
    let out = recipe("pipe-http.yaml", Some(port())).unwrap();
    assert!(
        out == run(["tag", "--quiet"], samples())
            .expect(0)
            .text()
            .as_bytes()
    );
}

/// Lines through Vector with these transforms, from which `out` reads; seconds, and seconds of CPU.
fn through(folder: &Folder, transforms: &str, from: &str, out: &str) -> Option<(f64, f64)> {
    let vector = vector()?;
    let config = folder.file(
        "vector.yaml",
        format!(
            "data_dir: {}\nsources:\n  records:\n    type: stdin\n    max_length: 16777216\n    decoding: {{codec: json}}\n\
             {transforms}\nsinks:\n  out:\n    type: console\n    inputs: [{from}]\n    encoding: {{codec: json}}\n",
            folder.path("")
        ),
    );
    let began = Instant::now();
    let script = "\"$0\" --quiet --config \"$1\" <\"$2\" >\"$3\" && times";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(vector.get_program());
    let printed = succeeds(shell.args([&config, &folder.path("in.ndjson"), &folder.path(out)]));
    let wall = began.elapsed().as_secs_f64();
    // The shell's own times, then those of what it ran: `0m1.234000s 0m0.010000s`.
    let spent = printed
        .lines()
        .last()
        .unwrap()
        .split_whitespace()
        .map(|time| {
            let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
            minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
        });
    Some((wall, spent.sum()))
}

#[test]
fn nothing_is_lost_moved_or_altered() {
    if vector().is_none() {
        return;
    }
    let megabytes = std::env::var("POSEUR_VECTOR_MEGABYTES").ok();
    let megabytes: usize = megabytes.and_then(|text| text.parse().ok()).unwrap_or(3);
    let folder = Folder::new();
    let mut input = std::io::BufWriter::new(File::create(folder.path("in.ndjson")).unwrap());
    let (mut bytes, mut text, mut lines) = (0, Vec::new(), 0);
    for (kind, shape) in [
        (Kind::Teams, Shape::O365),
        (Kind::MessageEvents, Shape::Defender),
    ] {
        let mut config = Config::new(kind, shape);
        config.match_rate = 0.01;
        let mut traffic = Traffic::new(config).unwrap();
        let until = bytes + megabytes * 500_000;
        while bytes < until {
            text.clear();
            traffic.next(&mut text);
            input.write_all(&text).unwrap();
            bytes += text.len();
            lines += 1;
        }
    }
    input.flush().unwrap();
    let at = jiff::Timestamp::from_second(DEFAULT_AT)
        .unwrap()
        .to_string();
    let exported = run(["export", "vector", "--at", &at], "").expect(0);
    let program = exported.text().split("\ntests:").next().unwrap();
    let with = through(&folder, program, "poseur", "with").unwrap();
    let without = through(&folder, "", "records", "without").unwrap();
    let open = |name: &str| BufReader::new(File::open(folder.path(name)).unwrap()).lines();
    let (mut compared, mut tags) = (0, 0);
    for (with, without) in open("with").zip(open("without")) {
        let (with, without) = (with.unwrap(), without.unwrap());
        compared += 1;
        let (mut with, mut without) = (
            serde_json::from_str::<Value>(&with).unwrap(),
            serde_json::from_str::<Value>(&without).unwrap(),
        );
        for event in [&mut with, &mut without] {
            // Vector notes when it read the line.
            event.as_object_mut().unwrap().remove("timestamp");
        }
        tags += usize::from(with.as_object_mut().unwrap().remove("poseur").is_some());
        assert_eq!(with, without, "event {compared}");
    }
    let read = fs::read(folder.path("in.ndjson")).unwrap();
    let summary = run(["tag", "--at", &at, "-o", &folder.path("tagged")], read).expect(0);
    assert_eq!(compared, lines);
    assert_eq!(tags as u64, summary.figure("matched"), "{}", summary.err);
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{megabytes:.0} MB, {lines} events, {tags} tagged: with the program {:.1} s and {:.1} s of CPU, without {:.1} s and {:.1} s",
        with.0, with.1, without.0, without.1
    );
}
