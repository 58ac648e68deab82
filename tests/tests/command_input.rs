//! What the command makes of inputs: bad lines, bad files, compressed files, pipes that close, lines
//! that never end.

mod command_support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use command_support::*;

fn tagged(sender: &str) -> String {
    let ran = run(["tag", "-q", "--at", AT], chat(sender)).expect(0);
    assert!(ran.text().contains("\"poseur\""));
    ran.text().to_owned()
}

/// Lines that are no records, and what they are counted as.
fn bad_lines() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let deep =
        |depth: usize| format!("{}{}", "{\"ChatCreated\":".repeat(depth), "1") + &"}".repeat(depth);
    vec![
        (b"{\"a\":}".to_vec(), Some("not valid JSON")),
        (b"{\"a\":1}}".to_vec(), Some("not valid JSON")),
        (b"{'a':1}".to_vec(), Some("not valid JSON")),
        (b"{\"ChatCreated\":tru}".to_vec(), Some("not valid JSON")),
        (b"hello".to_vec(), Some("not valid JSON")),
        (b"{\"a\":\"\x00\"}".to_vec(), Some("not valid JSON")),
        (b"\x00".to_vec(), Some("not valid JSON")),
        (b"{\"a\":\xff}".to_vec(), Some("not valid JSON")),
        (b"17".to_vec(), Some("not an object")),
        (b"\"text\"".to_vec(), Some("not an object")),
        (b"null".to_vec(), Some("not an object")),
        (b"{\"a\":1".to_vec(), Some("cut off")),
        (b"{\"a\":\"b".to_vec(), Some("cut off")),
        (deep(129).into_bytes(), Some("nested too deep")),
        (
            format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)).into_bytes(),
            Some("too long"),
        ),
        // These are records, or nothing at all.
        (deep(128).into_bytes(), None),
        (b"{\"a\":\"\xff\xfe\"}".to_vec(), None),
        (b"\xef\xbb\xbf{\"a\":1}".to_vec(), None),
        (b"{\"a\":1}\r".to_vec(), None),
        (b"  {\"a\":1}\t ".to_vec(), None),
        (b"[]".to_vec(), None),
        (b"[1,null]".to_vec(), None),
        (b"".to_vec(), None),
        (b"\r".to_vec(), None),
        (b" \t".to_vec(), None),
    ]
}

#[test]
fn bad_lines_pass_and_are_counted_by_reason() {
    let match_line = chat("helpdesk@evil.example");
    for threads in ["1", "2"] {
        let mut input = Vec::new();
        let mut wanted = Vec::new();
        let mut reasons = std::collections::BTreeMap::new();
        for (line, reason) in bad_lines() {
            for bytes in [&mut input, &mut wanted] {
                bytes.extend_from_slice(&line);
                bytes.push(b'\n');
            }
            // What comes after is not harmed.
            input.extend_from_slice(format!("{match_line}\n").as_bytes());
            wanted.extend_from_slice(format!("{}\n", tagged("helpdesk@evil.example")).as_bytes());
            if let Some(reason) = reason {
                *reasons.entry(reason).or_insert(0u64) += 1;
            }
        }
        let args = [
            "tag",
            "--at",
            AT,
            "--max-line",
            "64KiB",
            "--check-all",
            "--threads",
            threads,
        ];
        let ran = run(args, input.clone()).expect(0);
        assert!(ran.out == wanted);
        assert_eq!(ran.figure("records"), 2 * bad_lines().len() as u64);
        assert_eq!(ran.figure("matched"), bad_lines().len() as u64);
        assert_eq!(ran.figure("unreadable"), reasons.values().sum::<u64>());
        for (reason, count) in reasons {
            assert_eq!(ran.figure(reason), count, "{reason}");
        }
        // Without the flag the same is written.
        let args = [
            "tag",
            "--at",
            AT,
            "--max-line",
            "64KiB",
            "--threads",
            threads,
        ];
        assert!(run(args, input).expect(0).out == wanted);
    }
}

#[test]
fn each_bad_line_is_counted_as_what_it_is() {
    for (line, reason) in bad_lines() {
        let shown = String::from_utf8_lossy(&line[..line.len().min(40)]).into_owned();
        // Also as a last line that nothing ends.
        let ran = run(["tag", "--max-line", "64KiB", "--check-all"], line.clone()).expect(0);
        assert!(ran.out == line, "{shown}");
        assert_eq!(ran.figure("unreadable"), reason.is_some() as u64, "{shown}");
        if let Some(reason) = reason {
            assert_eq!(ran.figure(reason), 1, "{shown}");
        }
    }
}

#[test]
fn an_empty_input_is_an_empty_output() {
    let ran = run(["tag"], "").expect(0);
    assert!(ran.out.is_empty());
    assert_eq!((ran.figure("records"), ran.figure("bytes")), (0, 0));
}

#[test]
fn files_are_read_in_order_and_no_byte_comes_between_them() {
    let folder = Folder::new();
    let (record, with_tag) = (
        chat("helpdesk@evil.example"),
        tagged("helpdesk@evil.example"),
    );
    // No line feed ends any of them.
    let a = folder.file("a.ndjson", &record);
    let b = folder.file("b.ndjson", format!("{{\"b\":1}}\n{record}"));
    let empty = folder.file("empty.ndjson", "");
    for threads in ["1", "2"] {
        let args = [
            "tag",
            "--at",
            AT,
            "--threads",
            threads,
            &a,
            &b,
            &empty,
            "-",
            &a,
        ];
        let ran = run(args, record.clone()).expect(0);
        let wanted = format!("{with_tag}{{\"b\":1}}\n{with_tag}{with_tag}{with_tag}");
        assert_eq!(ran.text(), wanted);
        assert_eq!((ran.figure("records"), ran.figure("matched")), (5, 4));
    }
}

#[test]
fn what_cannot_be_opened_is_told_and_the_others_are_read() {
    let folder = Folder::new();
    let good = folder.file("good.ndjson", "{\"a\":1}\n");
    let (missing, inside) = (folder.path("missing.ndjson"), folder.path(""));
    for command in ["tag", "hunt", "explain"] {
        let ran = run([command, &missing, &good, &inside, &good], "").expect(1);
        assert!(
            ran.err
                .contains(&format!("poseur: {missing}: cannot be read: ")),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("it is a folder"), "{}", ran.err);
        match command {
            "tag" => assert_eq!(ran.text(), "{\"a\":1}\n{\"a\":1}\n"),
            "explain" => assert_eq!(ran.text().matches("good.ndjson:1").count(), 2),
            _ => {}
        }
        if command != "explain" {
            assert_eq!(ran.figure("records"), 2);
        }
    }
}

/// Compresses with the system's tools; `None` where they are missing.
fn compress(tool: &str, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(tool);
    command.args(args);
    if Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        eprintln!("skipped: there is no {tool} here");
        return None;
    }
    Some(run_command(command, input).expect(0).out)
}

#[test]
fn compressed_files_are_read_as_they_are() {
    let folder = Folder::new();
    // Nothing in it repeats what came before, or the second half would be a few bytes.
    let lines = |from: u64| -> String {
        let noise = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let lines = from..from + 12_000;
        lines
            .map(|number| format!("{{\"n\":{number},\"x\":\"{:x}\"}}\n", noise(number)))
            .collect()
    };
    let text = format!(
        "{}{}\n{}",
        lines(0),
        chat("helpdesk@evil.example"),
        lines(20_000)
    );
    let wanted = run(["tag", "-q", "--at", AT], text.clone()).expect(0).out;
    for (tool, extension, levels) in [("gzip", "gz", ["-1", "-9"]), ("zstd", "zst", ["-1", "-19"])]
    {
        for level in levels {
            let Some(bytes) = compress(tool, &[level, "-c"], text.as_bytes()) else {
                continue;
            };
            let one = folder.file(&format!("one.ndjson.{extension}"), &bytes);
            let two = folder.file(
                &format!("TWO.{}", extension.to_uppercase()),
                [&bytes[..], &bytes].concat(),
            );
            for threads in ["1", "2"] {
                let ran = run(["tag", "--at", AT, "--threads", threads, &one, &two], "").expect(0);
                assert!(ran.out == wanted.repeat(3), "{tool} {level}");
                assert_eq!(ran.figure("matched"), 3);
            }
            // Cut off: everything up to there, and the others.
            let cut = bytes.len() * 2 / 3;
            let short = folder.file(&format!("short.{extension}"), &bytes[..cut]);
            let ran = run(["tag", "--at", AT, &short, &one], "").expect(1);
            let passed = ran.out.len() - wanted.len();
            assert!(ran.out.ends_with(&wanted));
            assert!(
                passed > text.len() / 2,
                "{tool} {level}: {passed} of {}",
                text.len()
            );
            assert!(wanted.starts_with(&ran.out[..passed]));
            let message = format!(
                "poseur: {short}: corrupt at byte {cut} of the compressed file: the file is cut off here"
            );
            assert!(ran.err.contains(&message), "{}", ran.err);
            // Overwritten in the middle.
            let mut broken = bytes.clone();
            broken[cut..cut + 40].fill(0xAA);
            let broken = folder.file(&format!("broken.{extension}"), &broken);
            let ran = run(["tag", "--at", AT, &broken, &one], "").expect(1);
            assert!(ran.out.ends_with(&wanted));
            assert!(
                ran.out.len() - wanted.len() > text.len() / 2,
                "{tool} {level}"
            );
            assert!(
                ran.err
                    .contains(&format!("poseur: {broken}: corrupt at byte ")),
                "{}",
                ran.err
            );
            let offset = ran
                .err
                .split("at byte ")
                .nth(1)
                .unwrap()
                .split(' ')
                .next()
                .unwrap();
            let offset: usize = offset.parse().unwrap();
            assert!(
                offset <= bytes.len() && offset + 140_000 > cut,
                "{offset}, broken at {cut}"
            );
        }
        let nothing = folder.file(&format!("nothing.{extension}"), "");
        let ran = run(["tag", &nothing], "").expect(1);
        assert!(ran.err.contains("corrupt at byte 0"), "{}", ran.err);
        let plain = folder.file(&format!("plain.{extension}"), "{\"a\":1}\n");
        let ran = run(["tag", &plain], "").expect(1);
        assert!(
            ran.out.is_empty() && ran.err.contains("this is no "),
            "{}",
            ran.err
        );
    }
}

/// A command that runs beside the test.
fn start(args: &[&str]) -> Child {
    let mut command = poseur(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn stderr_of(child: &mut Child) -> String {
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn every_line_that_comes_is_written_at_once() {
    for args in [
        vec!["tag", "--at", AT],
        vec!["tag", "--at", AT, "--threads", "2"],
        vec!["tag", "--at", AT, "--threads", "5"],
        vec!["hunt", "--at", AT],
        vec!["hunt", "--at", AT, "--threads", "2"],
        vec!["hunt", "--at", AT, "--format", "table"],
        vec!["explain", "--at", AT, "--format", "json"],
    ] {
        let mut child = start(&args);
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let counting = seen.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = stdout.read(&mut buffer) {
                let ends = buffer[..read].iter().filter(|byte| **byte == b'\n').count();
                counting.fetch_add(ends, Ordering::SeqCst);
            }
        });
        let header = args.contains(&"table") as usize;
        for number in 1..=5 {
            let line = chat("helpdesk@evil.example") + "\n{\"half\":";
            stdin.write_all(line.as_bytes()).unwrap();
            stdin.flush().unwrap();
            let wanted = if args[0] == "tag" || header == 1 {
                number
            } else {
                1
            } + header;
            assert!(
                poll(|| seen.load(Ordering::SeqCst) >= wanted),
                "{args:?}: line {number} does not come"
            );
            // Ends the half line.
            stdin.write_all(b"1}\n").unwrap();
        }
        drop(stdin);
        assert_eq!(wait(&mut child), Some(0));
        reader.join().unwrap();
    }
}

#[test]
fn a_closed_pipe_ends_everything_quietly() {
    let folder = Folder::new();
    let line = chat("helpdesk@evil.example") + "\n";
    let file = folder.file("in.ndjson", line.repeat(20_000));
    for args in [
        vec!["tag", "--at", AT, &file],
        vec!["tag", "--at", AT, "--threads", "2", &file],
        vec!["tag", "--at", AT, "--threads", "6", &file],
        vec!["hunt", "--at", AT, &file],
        vec![
            "hunt",
            "--at",
            AT,
            "--threads",
            "2",
            "--format",
            "csv",
            &file,
        ],
        vec!["hunt", "--at", AT, "--format", "table", &file],
        vec!["explain", "--at", AT, &file],
    ] {
        let mut child = start(&args);
        let mut byte = [0];
        child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
        assert_eq!(wait(&mut child), Some(0), "{args:?}");
        assert_eq!(stderr_of(&mut child), "", "{args:?}");
    }
    // Nobody reads from the beginning.
    for args in [
        vec!["rules", "list"],
        vec!["check"],
        vec!["man"],
        vec!["completions", "bash"],
    ] {
        let mut child = start(&args);
        drop(child.stdout.take());
        assert_eq!(wait(&mut child), Some(0), "{args:?}");
        assert_eq!(stderr_of(&mut child), "", "{args:?}");
    }
}

#[test]
fn a_closed_pipe_ends_a_command_that_waits_for_input() {
    for threads in ["1", "2", "4"] {
        let mut child = start(&["tag", "--at", AT, "--threads", threads]);
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdin.write_all(b"{}\n").unwrap();
        let mut bytes = [0; 3];
        stdout.read_exact(&mut bytes).unwrap();
        drop(stdout);
        // One more line is needed to notice; the input stays open.
        stdin.write_all(b"{}\n").unwrap();
        assert_eq!(wait(&mut child), Some(0), "{threads} threads");
        assert_eq!(stderr_of(&mut child), "", "{threads} threads");
        drop(stdin);
    }
}

/// Feeds a command from `next` until it gives nothing more, waits until everything has come out
/// again, and tells the most memory it ever held, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory(
    args: &[&str],
    mut next: impl FnMut() -> Option<Arc<Vec<u8>>> + Send + 'static,
) -> u64 {
    let mut child = start(args);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let came = Arc::new(AtomicUsize::new(0));
    let counting = came.clone();
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(read @ 1..) = stdout.read(&mut buffer) {
            counting.fetch_add(read, Ordering::SeqCst);
        }
    });
    let mut went = 0;
    while let Some(bytes) = next() {
        stdin.write_all(&bytes).unwrap();
        went += bytes.len();
    }
    let all = poll(|| came.load(Ordering::SeqCst) >= went);
    assert!(
        all,
        "{} of {went} bytes came out",
        came.load(Ordering::SeqCst)
    );
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(stdin);
    assert_eq!(wait(&mut child), Some(0));
    reader.join().unwrap();
    peak * 1024
}

#[cfg(target_os = "linux")]
const MOST_MEMORY: u64 = 64 << 20;

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_input() {
    use poseur_tests::traffic::{Config, Kind, Shape, generate_bytes};
    let (bytes, _) = generate_bytes(Config::new(Kind::Mixed, Shape::All), 10_000_000);
    let bytes = Arc::new(bytes);
    for threads in ["1", "2", "16"] {
        let mut left = 30;
        let bytes = bytes.clone();
        let peak = peak_memory(&["tag", "--at", AT, "--threads", threads], move || {
            left -= 1;
            (left >= 0).then(|| bytes.clone())
        });
        assert!(
            peak <= MOST_MEMORY,
            "{threads} threads: {peak} bytes for 300 MB"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_a_line() {
    let piece = Arc::new(vec![b'x'; 1 << 20]);
    for threads in ["1", "2"] {
        let mut left = 200;
        let piece = piece.clone();
        let peak = peak_memory(&["tag", "--at", AT, "--threads", threads], move || {
            left -= 1;
            (left >= 0).then(|| piece.clone())
        });
        assert!(
            peak <= MOST_MEMORY,
            "{threads} threads: {peak} bytes for a line of 200 MB"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_many_long_lines() {
    // As long as a line may be, and candidates, so that they are looked at.
    let mut line = br#"{"Operation":"ChatCreated","x":""#.to_vec();
    line.resize((16 << 20) - 2, b'x');
    line.extend_from_slice(b"\"}\n");
    let line = Arc::new(line);
    for threads in ["1", "2", "8"] {
        let mut left = 12;
        let line = line.clone();
        let peak = peak_memory(&["tag", "--at", AT, "--threads", threads], move || {
            left -= 1;
            (left >= 0).then(|| line.clone())
        });
        assert!(
            peak <= MOST_MEMORY,
            "{threads} threads: {peak} bytes for lines of 16 MiB"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_regular_file_can_be_standard_input() {
    let folder = Folder::new();
    let file = folder.file("in.ndjson", chat("helpdesk@evil.example"));
    let mut command = poseur(["tag", "-q", "--at", AT]);
    let output = command.stdin(File::open(file).unwrap()).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        tagged("helpdesk@evil.example")
    );
}
