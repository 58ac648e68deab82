//! Counts the instructions of core paths and compares them with what was written down: a gate against
//! becoming slower that needs no quiet machine. See benches/README.md.
//!
//! Callgrind counts; this program starts itself under it, a path at a time, on traffic of a few megabytes
//! that is always the same. Answers are checked before counts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use poseur_benches::parts::{Reader, candidates};
use poseur_benches::{
    Contender, Job, Traffic, events, five_hundred, lines, requests, tagger, tagger_with,
    tags_events, tags_requests,
};
use poseur_tests::rules::Options;

const USAGE: &str = "usage: instructions check|update|run PATH";
const UPDATE: &str = "cargo run --release -p poseur-benches --bin instructions -- update";

/// How much more or less than what is written down is taken, in percent. Two runs of the same program
/// differ by about a thousandth; what is left is for the other neighbours in memory and for the C library's
/// choice of `memcpy` on another processor.
const TOLERANCE: f64 = 2.0;

/// What is counted, and how a run of it is made ready.
struct CorePath {
    name: &'static str,
    prepare: fn() -> Prepared,
}

/// Traffic, and what is to be done with it. That answers a number, which must be this one.
struct Prepared {
    records: u64,
    answer: u64,
    run: Box<dyn FnMut() -> u64>,
}

const PATHS: [CorePath; 8] = [
    CorePath {
        name: "candidate search on Teams",
        prepare: || {
            let traffic = Traffic::teams(4_000_000, 0.0);
            let search = tagger().candidates().clone();
            Prepared {
                records: traffic.truths.records,
                // The tagger walks what the search finds, and nothing else.
                answer: Job::new(tagger()).walk(&traffic.bytes),
                run: Box::new(move || candidates(&search, &traffic.bytes)),
            }
        },
    },
    CorePath {
        name: "index and walk of Teams chats",
        prepare: || {
            let traffic = Traffic::all_candidates(1_000_000);
            let mut reader = Reader::default();
            Prepared {
                records: traffic.truths.records,
                answer: traffic.truths.records,
                run: Box::new(move || {
                    let lines = lines(&traffic.bytes);
                    lines.filter(|line| reader.read(line)).count() as u64
                }),
            }
        },
    },
    CorePath {
        name: "all candidates",
        prepare: || tagged(Traffic::all_candidates(3_000_000), Job::new(tagger())),
    },
    CorePath {
        name: "all matching, tags spliced in",
        prepare: || tagged(Traffic::all_matching(1_000_000), Job::new(tagger())),
    },
    CorePath {
        name: "500 rules passed by",
        prepare: || {
            let rules = five_hundred(Options::default());
            tagged(
                Traffic::teams(4_000_000, 0.0),
                Job::new(tagger_with(&rules)),
            )
        },
    },
    CorePath {
        name: "MessageEvents",
        prepare: || tagged(Traffic::message_events(1_000_000), Job::new(tagger())),
    },
    CorePath {
        name: "MessagePack chunks",
        prepare: || {
            let traffic = Traffic::teams(4_000_000, 0.0);
            let events = Arc::new(events(&traffic, 2 << 20));
            let tagger = tags_events("poseur", &events, traffic.matches());
            contended(traffic, tagger)
        },
    },
    CorePath {
        name: "Vector's requests",
        prepare: || {
            let traffic = Traffic::teams(4_000_000, 0.0);
            let requests = Arc::new(requests(&traffic, 2 << 20));
            let tagger = tags_requests("poseur", &requests, traffic.matches());
            contended(traffic, tagger)
        },
    },
];

fn tagged(traffic: Traffic, mut job: Job) -> Prepared {
    Prepared {
        records: traffic.truths.records,
        answer: traffic.matches(),
        run: Box::new(move || job.tag(&traffic.bytes)),
    }
}

fn contended(traffic: Traffic, mut tagger: Contender) -> Prepared {
    Prepared {
        records: traffic.truths.records,
        answer: traffic.matches(),
        run: Box::new(move || tagger.run()),
    }
}

/// What is known of a path: the records it goes over, its answer, its instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figures {
    path: String,
    records: u64,
    answer: u64,
    instructions: u64,
}

/// Figures, and what they depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Book {
    /// The compiler's version.
    compiler: String,
    /// The architecture, and whether there are vectors of 32 bytes.
    processor: String,
    figures: Vec<Figures>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["check"] => check(),
        ["update"] => update(),
        ["run", name] => run(name),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The only function whose instructions are counted, with all that it calls.
#[inline(never)]
fn counted_by_callgrind(run: &mut dyn FnMut() -> u64) -> u64 {
    run()
}

/// Goes over one path: once to warm up and to be checked, once to be counted.
fn run(name: &str) -> Result<(), String> {
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.ok_or_else(|| format!("there is no path `{name}`"))?;
    let mut prepared = (path.prepare)();
    let first = (prepared.run)();
    let second = counted_by_callgrind(&mut prepared.run);
    let Prepared {
        records, answer, ..
    } = prepared;
    if (first, second) != (answer, answer) {
        return Err(format!(
            "{name}: answers {first}, then {second}, instead of {answer}"
        ));
    }
    println!("{records} {answer} {}", processor());
    Ok(())
}

/// As this process sees it: a tool that runs it may know fewer instructions than the processor.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let vectors = std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let vectors = false;
    let vectors = if vectors { "with" } else { "without" };
    format!("{} {vectors} AVX2", std::env::consts::ARCH)
}

fn compiler() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let output = output.map_err(|error| format!("cannot run rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Counts all paths.
fn count() -> Result<Book, String> {
    let mut book = Book {
        compiler: compiler()?,
        ..Book::default()
    };
    for path in &PATHS {
        let (figures, processor) = count_one(path.name)?;
        book.figures.push(figures);
        book.processor = processor;
    }
    Ok(book)
}

fn count_one(name: &str) -> Result<(Figures, String), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*counted_by_callgrind*")
        .arg(own)
        .args(["run", name])
        .output()
        .map_err(|error| {
            format!("cannot run valgrind ({error}). On Debian: apt-get install valgrind")
        })?;
    let (told, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if !output.status.success() {
        return Err(format!("{name}: {}\n{said}", output.status));
    }
    let figures = || {
        let (records, rest) = told.trim().split_once(' ')?;
        let (answer, processor) = rest.split_once(' ')?;
        let collected = said
            .lines()
            .find_map(|line| line.split_once("Collected :"))?;
        let figures = Figures {
            path: name.to_owned(),
            records: records.parse().ok()?,
            answer: answer.parse().ok()?,
            instructions: collected.1.trim().parse().ok()?,
        };
        Some((figures, processor.to_owned()))
    };
    match figures() {
        Some((figures, processor)) if figures.instructions > 0 => Ok((figures, processor)),
        _ => Err(format!(
            "{name}: callgrind has counted nothing\n{told}{said}"
        )),
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.tsv")
}

fn update() -> Result<(), String> {
    let book = count()?;
    let text = write(&book);
    print!("{text}");
    std::fs::write(file(), text).map_err(|error| format!("{}: {error}", file().display()))
}

fn check() -> Result<(), String> {
    let path = file();
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    let old = read(&text)
        .ok_or_else(|| format!("{} is not as it is written by: {UPDATE}", path.display()))?;
    let new = count()?;
    let (report, failed) = compare(&old, &new);
    print!("{report}");
    if failed {
        return Err(format!(
            "If that is wanted, write the new figures down with\n  {UPDATE}"
        ));
    }
    Ok(())
}

/// Says what is different, and whether that fails.
fn compare(old: &Book, new: &Book) -> (String, bool) {
    let (mut report, mut failed) = (String::new(), false);
    let same_place = (&old.compiler, &old.processor) == (&new.compiler, &new.processor);
    if old.figures.len() != new.figures.len() {
        failed = true;
        let _ = writeln!(
            report,
            "FAILED: other paths are written down than are counted"
        );
    }
    for new in &new.figures {
        let Some(old) = old.figures.iter().find(|old| old.path == new.path) else {
            failed = true;
            let _ = writeln!(report, "FAILED: {}: not written down yet", new.path);
            continue;
        };
        let Figures {
            path,
            records,
            answer,
            instructions,
        } = new;
        if (old.records, old.answer) != (*records, *answer) {
            failed = true;
            let _ = writeln!(
                report,
                "FAILED: {path}: {answer} of {records} records instead of {} of {}: the traffic or the \
                 answers have changed, counts are not compared",
                old.answer, old.records,
            );
            continue;
        }
        let percent = (*instructions as f64 / old.instructions as f64 - 1.0) * 100.0;
        let verdict = match percent {
            _ if !same_place => "not compared",
            more if more > TOLERANCE => "FAILED: slower",
            less if less < -TOLERANCE => {
                "FAILED: faster, so that what is written down guards nothing"
            }
            _ => "ok",
        };
        failed |= verdict.starts_with("FAILED");
        let _ = writeln!(
            report,
            "{verdict}: {path}: {answer} of {records} records as expected, {} instructions, now {instructions} \
             ({percent:+.2} %)",
            old.instructions,
        );
    }
    if !same_place {
        let _ = writeln!(
            report,
            "Counts are of {} on {}, here is {} on {}: only answers were compared.",
            old.compiler, old.processor, new.compiler, new.processor,
        );
    }
    (report, failed)
}

fn write(book: &Book) -> String {
    let mut text = format!(
        "# Written by: {UPDATE}\ncompiler\t{}\nprocessor\t{}\n",
        book.compiler, book.processor
    );
    text += "path\trecords\tanswer\tinstructions\n";
    for Figures {
        path,
        records,
        answer,
        instructions,
    } in &book.figures
    {
        let _ = writeln!(text, "{path}\t{records}\t{answer}\t{instructions}");
    }
    text
}

fn read(text: &str) -> Option<Book> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut named = |name: &str| {
        let value = lines.next()?.strip_prefix(name)?.strip_prefix('\t')?;
        Some(value.to_owned())
    };
    let (compiler, processor) = (named("compiler")?, named("processor")?);
    named("path")?;
    let figures = lines.map(|line| {
        let mut cells = line.split('\t');
        let path = cells.next()?.to_owned();
        let mut number = || cells.next()?.parse().ok();
        Some(Figures {
            path,
            records: number()?,
            answer: number()?,
            instructions: number()?,
        })
    });
    Some(Book {
        compiler,
        processor,
        figures: figures.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(instructions: u64) -> Book {
        Book {
            compiler: "rustc 1".to_owned(),
            processor: "some".to_owned(),
            figures: vec![Figures {
                path: "a path".to_owned(),
                records: 10,
                answer: 3,
                instructions,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write(&book(7))), Some(book(7)));
        assert_eq!(read("compiler\tx\n"), None);
    }

    #[test]
    fn slower_and_faster_fail_with_path_old_new_and_percent() {
        assert!(!compare(&book(10_000), &book(10_190)).1);
        let (report, failed) = compare(&book(10_000), &book(10_500));
        assert!(failed);
        for part in ["slower", "a path", "10000", "10500", "+5.00 %"] {
            assert!(report.contains(part), "{part}: {report}");
        }
        assert!(compare(&book(10_000), &book(9_000)).1);
    }

    #[test]
    fn answers_are_compared_whatever_the_compiler() {
        let mut other = book(20_000);
        other.compiler = "rustc 2".to_owned();
        let (report, failed) = compare(&book(10_000), &other);
        assert!(
            !failed && report.contains("only answers were compared"),
            "{report}"
        );
        other.figures[0].answer = 4;
        let (report, failed) = compare(&book(10_000), &other);
        assert!(
            failed && report.contains("4 of 10 records instead of 3 of 10"),
            "{report}"
        );
        assert!(compare(&book(1), &Book::default()).1);
    }
}
