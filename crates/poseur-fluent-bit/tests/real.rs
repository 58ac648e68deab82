//! A real Fluent Bit, if `POSEUR_FLUENT_BIT` names one: records through the filter and past it, and the example
//! configurations as they stand. `POSEUR_FLUENT_BIT_MEGABYTES` says how many megabytes of records.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use poseur_tests::msgpack::packed;
use poseur_tests::traffic::{Config, Kind, Shape, Truths, generate_bytes};

/// How the filter stands in the pipeline.
const PLACES: [(&str, &str, &str); 3] = [
    ("without", "", ""),
    (
        "as a filter",
        "",
        "  filters:\n    - {name: poseur, match: '*'}\n",
    ),
    (
        "as a processor",
        "      processors:\n        logs:\n          - name: poseur\n",
        "",
    ),
];

/// The Fluent Bit to try; `None` (and a word about it) if there is none.
fn program() -> Option<PathBuf> {
    let program = std::env::var_os("POSEUR_FLUENT_BIT");
    if program.is_none() {
        eprintln!("SKIPPED: POSEUR_FLUENT_BIT names no Fluent Bit to try the filter in");
    }
    // Tests run it in folders of their own.
    program.map(|program| fs::canonicalize(program).expect("a program"))
}

/// Whether the examples are for this release; if not, a word about it.
fn reads_plugins_from_yaml(program: &Path) -> bool {
    let ran = Command::new(program).arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&ran.stdout).into_owned();
    let reads = !version.starts_with("Fluent Bit v2.");
    if !reads {
        eprintln!("SKIPPED: Fluent Bit 2 does not read `plugins:` and `parsers:` from YAML");
    }
    reads
}

/// Puts the filter into a folder, under the name that Fluent Bit asks for.
fn install(folder: &Path) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let plugin = folder.join("flb-filter_poseur.so");
    fs::copy(test.with_file_name("libposeur_fluent_bit.so"), &plugin).unwrap();
    plugin
}

fn run(program: &Path, folder: &Path, processors: &str, filters: &str) -> String {
    let out = folder.join("out.ndjson");
    let _ = fs::remove_file(&out);
    let shown = |path: &Path| path.display().to_string();
    let config = format!(
        "service: {{flush: 0.5, grace: 30, log_level: info}}\n\
         pipeline:\n\
         \x20 inputs:\n\
         \x20   - name: tail\n\
         \x20     path: {input}\n\
         \x20     read_from_head: true\n\
         \x20     exit_on_eof: true\n\
         \x20     buffer_max_size: 1M\n\
         \x20     parser: json\n\
         {processors}\
         {filters}\
         \x20 outputs:\n\
         \x20   - {{name: file, match: '*', path: {folder}, file: out.ndjson, format: plain}}\n",
        input = shown(&folder.join("in.ndjson")),
        folder = shown(folder),
    );
    let path = folder.join("fluent-bit.yaml");
    fs::write(&path, config).unwrap();
    // Releases before 3 do not read these from YAML.
    let parsers = folder.join("parsers.conf");
    fs::write(&parsers, "[PARSER]\n    name json\n    format json\n").unwrap();
    let ran = Command::new(program)
        .arg("-e")
        .arg(install(folder))
        .arg("-R")
        .arg(&parsers)
        .arg("-c")
        .arg(&path)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{log}");
    assert!(!log.contains("error"), "{log}");
    fs::read_to_string(&out).unwrap_or_else(|error| panic!("no output: {error}: {log}"))
}

/// A line without its tag, and whether there was one.
fn without_tag(line: &str) -> (String, bool) {
    match line.split_once(r#","poseur":{"rules":["#) {
        // The tag is the last member.
        Some((before, _)) => (format!("{before}}}"), true),
        None => (line.to_owned(), false),
    }
}

/// More than any Fluent Bit goes down.
const DEPTHS: [usize; 5] = [10, 20, 40, 64, 120];

/// A record that matches, as a text in another one, with a value that nests deeper than a record may. A tag that repeats
/// it would cost the whole chunk.
fn nested_in_a_text(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    let now = Timestamp::now();
    format!(
        r#"{{"log":"{{\"Timestamp\":\"{now:.0}\",\"IsExternalThread\":true,\"RecipientDetails\":{open}\"Help Desk\"{close}}}"}}"#
    ) + "\n"
}

#[test]
fn records_pass_through_a_real_fluent_bit() {
    let Some(program) = program() else { return };
    let megabytes = std::env::var("POSEUR_FLUENT_BIT_MEGABYTES").ok();
    let megabytes: usize = megabytes.and_then(|text| text.parse().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().unwrap();
    for kind in [Kind::Teams, Kind::MessageEvents] {
        let mut config = Config::new(
            kind,
            if kind == Kind::Teams {
                Shape::O365
            } else {
                Shape::Defender
            },
        );
        config.at = Timestamp::now().as_second();
        config.match_rate = 0.01;
        let (mut input, truths): (_, Truths) = generate_bytes(config, megabytes * 500_000);
        input.extend(DEPTHS.map(nested_in_a_text).concat().into_bytes());
        fs::write(folder.path().join("in.ndjson"), &input).unwrap();
        let mut plain = String::new();
        for (place, processors, filters) in PLACES {
            let out = run(&program, folder.path(), processors, filters);
            let mut tags = 0;
            let stripped: Vec<String> = out
                .lines()
                .map(|line| {
                    let (line, tagged) = without_tag(line);
                    tags += u64::from(tagged);
                    line
                })
                .collect();
            if plain.is_empty() {
                assert_eq!(stripped.len() as u64, truths.lines + DEPTHS.len() as u64);
                plain = out;
                continue;
            }
            assert!(
                stripped.iter().eq(plain.lines()),
                "{kind:?} {place}: records differ"
            );
            assert_eq!(
                tags,
                truths.matches_a + truths.matches_b + DEPTHS.len() as u64,
                "{kind:?} {place}"
            );
        }
    }
}

/// The lines of the sample file that match, counted from 1.
const MATCHING: [usize; 5] = [4, 15, 27, 156, 168];

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder in which the commands of the examples can be run, and the sample file's lines.
fn workplace() -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    let examples = root().join("examples").canonicalize().unwrap();
    symlink(&examples, folder.path().join("examples")).unwrap();
    let sample = fs::read_to_string(examples.join("samples/teams.ndjson")).unwrap();
    (folder, sample.lines().map(str::to_owned).collect())
}

/// Checks that records are those of the sample, with tags in those that match.
fn check(sample: &[String], out: &str, what: &str) {
    assert_eq!(out.lines().count(), sample.len(), "{what}");
    let mut tagged = 0;
    for (line, out) in sample.iter().zip(out.lines()) {
        let (out, tag) = without_tag(out);
        // The parser leaves a line that is no object as it is, in `log`.
        let mut record = line.clone().into_bytes();
        if !line.starts_with('{') {
            record = b"{\"log\":".to_vec();
            poseur_matcher::json::string(line.as_bytes(), &mut record);
            record.push(b'}');
        }
        // Numbers and escapes may be spelled in another way.
        let same = packed(&record).is_some() && packed(&record) == packed(out.as_bytes());
        assert!(same, "{what}: {line}\n{out}");
        tagged += usize::from(tag);
    }
    assert_eq!(tagged, MATCHING.len(), "{what}");
}

#[test]
fn the_recipes_for_files_run_as_they_stand() {
    let Some(program) = program().filter(|program| reads_plugins_from_yaml(program)) else {
        return;
    };
    for name in ["teams.yaml", "processor.yaml"] {
        let (folder, sample) = workplace();
        let ran = Command::new(&program)
            .args(["-c", &format!("examples/fluent-bit/{name}")])
            .current_dir(&folder)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{name}: {log}");
        let out = fs::read_to_string(folder.path().join("tagged.ndjson"));
        let out = out.unwrap_or_else(|error| panic!("{name}: no output: {error}: {log}"));
        check(&sample, &out, name);
        for line in MATCHING {
            let line = out.lines().nth(line - 1).unwrap();
            assert!(without_tag(line).1, "{name}: {line}");
        }
    }
}

#[test]
fn the_recipe_for_http_runs_as_it_stands() {
    let Some(program) = program().filter(|program| reads_plugins_from_yaml(program)) else {
        return;
    };
    let help = Command::new(&program).arg("--help").output().unwrap();
    if !String::from_utf8_lossy(&help.stdout).contains("\n  http ") {
        eprintln!("SKIPPED: this Fluent Bit has no input `http`");
        return;
    }
    let (folder, sample) = workplace();
    // Arrays between records end what is read.
    let sample: Vec<String> = sample
        .into_iter()
        .filter(|line| line.starts_with('{'))
        .collect();
    let recipe = fs::read_to_string(root().join("examples/fluent-bit/http.yaml")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let port = port.port().to_string();
    assert_eq!(recipe.matches("port: 9880").count(), 1);
    let config = folder.path().join("http.yaml");
    fs::write(
        &config,
        recipe.replace("port: 9880", &format!("port: {port}")),
    )
    .unwrap();
    for body in [sample.join("\n"), format!("[{}]", sample.join(","))] {
        let tagged = folder.path().join("tagged.ndjson");
        let mut running = Command::new(&program)
            .args(["-q", "-c", "http.yaml"])
            .current_dir(&folder)
            .stdout(File::create(&tagged).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let patience = Instant::now() + Duration::from_secs(60);
        let answer = loop {
            match post(&port, &body) {
                Ok(answer) => break answer,
                Err(error) => assert!(Instant::now() < patience, "{error}"),
            }
            sleep(Duration::from_millis(100));
        };
        let out = || fs::read_to_string(&tagged).unwrap();
        while out().lines().count() < sample.len() && Instant::now() < patience {
            sleep(Duration::from_millis(100));
        }
        // SAFETY: the program was started here and was not waited for.
        unsafe { libc::kill(running.id() as libc::pid_t, libc::SIGTERM) };
        running.wait().unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        check(&sample, &out(), "http.yaml");
    }
}

/// Posts a body, and gives what is answered.
fn post(port: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    let head = format!(
        "POST /o365 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn the_filter_is_loaded_from_the_command_line() {
    let Some(program) = program() else { return };
    let (folder, sample) = workplace();
    let records = sample.iter().filter(|line| line.starts_with('{'));
    let records: Vec<String> = records.cloned().collect();
    let mut running = Command::new(&program)
        .args(["-q", "-e", "./flb-filter_poseur.so", "-i", "stdin"])
        .args(["-F", "poseur", "-m", "*"])
        .args(["-o", "stdout", "-p", "format=json_lines"])
        .args(["-p", "json_date_key=false", "-m", "*"])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = running.stdin.take().unwrap();
    input
        .write_all((records.join("\n") + "\n").as_bytes())
        .unwrap();
    drop(input);
    let ran = running.wait_with_output().unwrap();
    check(&records, &String::from_utf8_lossy(&ran.stdout), "-e");
}
