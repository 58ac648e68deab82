//! The programs that are compared, and how each is told to do the job. What they are told is in `jobs/`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;
use crate::answer::Does;
use crate::process::Job;
use crate::rule::Rule;

/// The present of generated traffic. The jobs for rule B look at the thirty days before it.
const NOW: &str = "2026-11-20T12:00:00Z";

/// Where a run finds its input and leaves its output.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The file to read.
    pub input: &'a Path,
    /// The file to write. It does not exist yet.
    pub output: &'a Path,
    /// A folder for what the tool needs to keep. It is empty.
    pub folder: &'a Path,
    /// The rule to ask for.
    pub rule: Rule,
}

/// Makes the job of one run, and writes the files that it needs.
type Prepare = Box<dyn Fn(Place<'_>) -> io::Result<Job>>;

/// One row of the comparison: a program and a way to use it.
pub struct Tool {
    /// What to call it.
    pub name: String,
    /// Its version, as it says itself.
    pub version: String,
    /// What it does with the stream.
    pub does: Does,
    /// Where the program is.
    pub program: PathBuf,
    prepare: Prepare,
}

impl Tool {
    /// Makes ready for a run.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn job(&self, place: Place<'_>) -> io::Result<Job> {
        (self.prepare)(place)
    }
}

/// A program this command knows.
struct Known {
    /// What its row is called, and what to call it in `--tools`.
    name: &'static str,
    program: &'static str,
    /// The argument that prints the version.
    version: &'static str,
    /// The rules it has a way to say.
    rules: &'static [Rule],
    does: Does,
    prepare: fn(Place<'_>) -> io::Result<Job>,
}

const KNOWN: [Known; 9] = [
    Known {
        name: "cat",
        program: "cat",
        version: "--version",
        rules: Rule::ALL,
        does: Does::Copies,
        prepare: |place| printing(&[], place),
    },
    Known {
        name: "vector",
        program: "vector",
        version: "--version",
        rules: Rule::ALL,
        does: Does::Tags,
        prepare: vector,
    },
    Known {
        name: "fluent-bit",
        program: "fluent-bit",
        version: "--version",
        rules: Rule::ALL,
        does: Does::Tags,
        prepare: fluent_bit,
    },
    Known {
        name: "rsyslog",
        program: "rsyslogd",
        version: "-v",
        rules: Rule::ALL,
        does: Does::Tags,
        prepare: rsyslog,
    },
    Known {
        name: "jaq",
        program: "jaq",
        version: "--version",
        rules: Rule::ALL,
        does: Does::Tags,
        prepare: like_jq,
    },
    Known {
        name: "gojq",
        program: "gojq",
        version: "--version",
        rules: Rule::ALL,
        does: Does::Tags,
        prepare: like_jq,
    },
    Known {
        name: "jq",
        program: "jq",
        version: "--version",
        rules: Rule::ALL,
        does: Does::Tags,
        prepare: jq,
    },
    Known {
        name: "rsigma",
        program: "rsigma",
        version: "--version",
        rules: &[Rule::A],
        does: Does::FindsMatches,
        prepare: rsigma,
    },
    Known {
        name: "ripgrep",
        program: "rg",
        version: "--version",
        rules: Rule::ALL,
        does: Does::FindsCandidates,
        prepare: |place| {
            // Fixed texts: a regular expression for the rule itself would be wrong wherever JSON is written otherwise.
            let mut arguments = vec!["--no-config", "--no-line-number", "--no-filename", "--text"];
            arguments.push("--fixed-strings");
            if place.rule.ignores_case() {
                arguments.push("--ignore-case");
            }
            for literal in place.rule.literals() {
                arguments.extend(["-e", literal]);
            }
            arguments.push("--");
            printing(&arguments, place)
        },
    },
];

/// All programs that are here and can say the rule; or those with these names, which must be and can.
///
/// # Errors
/// If one asked for by name is not known, cannot say the rule, or is not on `PATH`.
pub fn find(rule: Rule, names: Option<&[String]>) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for name in names.unwrap_or_default() {
        match KNOWN.iter().find(|known| known.name == name) {
            None => return Err(Error::UnknownTool(name.clone())),
            Some(known) if !known.rules.contains(&rule) => {
                return Err(Error::UnableTool(name.clone()));
            }
            Some(_) => {}
        }
    }
    for known in KNOWN.iter().filter(|known| known.rules.contains(&rule)) {
        let asked = names.map(|names| names.iter().any(|name| name == known.name));
        match (asked, on_path(known.program)) {
            (Some(false), _) | (None, None) => {}
            (Some(true), None) => return Err(Error::NoTool(known.name.to_owned())),
            (_, Some(program)) => tools.push(Tool {
                name: known.name.to_owned(),
                version: version(&program, known.version),
                does: known.does,
                program,
                prepare: Box::new(known.prepare),
            }),
        }
    }
    Ok(tools)
}

/// The names of the programs that could say the rule and are not here.
pub fn absent(rule: Rule) -> Vec<String> {
    names(|known| known.rules.contains(&rule) && on_path(known.program).is_none())
}

/// The names of the programs that have no way to say the rule.
pub fn unable(rule: Rule) -> Vec<String> {
    names(|known| !known.rules.contains(&rule))
}

fn names(are: impl Fn(&Known) -> bool) -> Vec<String> {
    let known = KNOWN.iter().filter(|known| are(known));
    known.map(|known| known.name.to_owned()).collect()
}

/// The command under test, on so many threads.
pub fn poseur(program: &Path, threads: usize) -> Tool {
    Tool {
        name: match threads {
            1 => "poseur".to_owned(),
            threads => format!("poseur, {threads} threads"),
        },
        version: version(program, "--version"),
        does: Does::Splices,
        program: program.to_owned(),
        prepare: Box::new(move |place| {
            let threads = threads.to_string();
            let mut arguments: Vec<OsString> = Vec::new();
            arguments.extend(["tag", "--quiet", "--threads", &threads].map(OsString::from));
            arguments.extend(["--at", NOW, "-o"].map(OsString::from));
            arguments.extend([place.output.into(), place.input.into()]);
            Ok(Job {
                arguments,
                ..Job::default()
            })
        }),
    }
}

/// A command of the reader's: a line for `sh`, which reads `$INPUT`, writes `$OUTPUT` and tags.
pub fn custom(name: &str, line: &str) -> Tool {
    let line = line.to_owned();
    Tool {
        name: name.to_owned(),
        version: String::new(),
        does: Does::Tags,
        program: PathBuf::from("sh"),
        prepare: Box::new(move |place| {
            let script = format!("INPUT=$1 OUTPUT=$2; {line}");
            let mut arguments: Vec<OsString> = vec!["-c".into(), script.into(), "sh".into()];
            arguments.extend([place.input.into(), place.output.into()]);
            Ok(Job {
                arguments,
                ..Job::default()
            })
        }),
    }
}

/// The command `poseur`: beside this program, or on `PATH`.
///
/// # Errors
/// [`Error::NoPoseur`].
pub fn find_poseur() -> Result<PathBuf, Error> {
    let name = format!("poseur{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe().ok().and_then(|own| {
        let candidate = own.parent()?.join(&name);
        candidate.is_file().then_some(candidate)
    });
    beside.or_else(|| on_path(&name)).ok_or(Error::NoPoseur)
}

/// Where a program is. Daemons often are where only the administrator looks.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let mut candidates = folders.map(|folder| folder.join(program));
    candidates.find(|candidate| candidate.is_file())
}

fn version(program: &Path, argument: &str) -> String {
    let output = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .output();
    let text = output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    number(&text).unwrap_or_else(|| "unknown".to_owned())
}

/// The first word with digits around a dot, from its first digit on.
fn number(text: &str) -> Option<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || "(),".contains(letter));
    for word in words {
        let Some(start) = word.find(|letter: char| letter.is_ascii_digit()) else {
            continue;
        };
        let word = &word[start..];
        let after = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if after.len() > 1 && after.starts_with('.') && after.as_bytes()[1].is_ascii_digit() {
            return Some(word.to_owned());
        }
    }
    None
}

/// A program that takes files as arguments and prints.
fn printing(arguments: &[&str], place: Place<'_>) -> io::Result<Job> {
    let mut arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    arguments.push(place.input.into());
    Ok(Job {
        arguments,
        stdout: Some(place.output.to_owned()),
        ..Job::default()
    })
}

fn jq(place: Place<'_>) -> io::Result<Job> {
    let program = match place.rule {
        Rule::A => include_str!("../jobs/rule_a.jq"),
        Rule::B => include_str!("../jobs/rule_b_regex.jq"),
    };
    filter(place, program)
}

/// gojq and jaq: other programs for the same language, with other costs.
fn like_jq(place: Place<'_>) -> io::Result<Job> {
    let program = match place.rule {
        Rule::A => include_str!("../jobs/rule_a.jq"),
        Rule::B => include_str!("../jobs/rule_b.jq"),
    };
    filter(place, program)
}

fn filter(place: Place<'_>, program: &str) -> io::Result<Job> {
    let program = write(place, "rule.jq", program)?;
    printing(&["-c", "-f", &program], place)
}

fn vector(place: Place<'_>) -> io::Result<Job> {
    let program = match place.rule {
        Rule::A => include_str!("../jobs/rule_a.vrl"),
        Rule::B => include_str!("../jobs/rule_b.vrl"),
    };
    write(place, "rule.vrl", program)?;
    let config = write(place, "vector.yaml", include_str!("../jobs/vector.yaml"))?;
    Ok(Job {
        arguments: ["--quiet", "--config", &config]
            .map(OsString::from)
            .to_vec(),
        stdin: Some(place.input.to_owned()),
        ..Job::default()
    })
}

fn fluent_bit(place: Place<'_>) -> io::Result<Job> {
    let script = match place.rule {
        Rule::A => include_str!("../jobs/rule_a.lua"),
        Rule::B => include_str!("../jobs/rule_b.lua"),
    };
    write(place, "rule.lua", script)?;
    let config = include_str!("../jobs/fluent-bit.yaml");
    let config = write(place, "fluent-bit.yaml", config)?;
    Ok(Job {
        arguments: ["--quiet", "--config", &config]
            .map(OsString::from)
            .to_vec(),
        ..Job::default()
    })
}

fn rsyslog(place: Place<'_>) -> io::Result<Job> {
    let script = match place.rule {
        Rule::A => include_str!("../jobs/rule_a.rsyslog"),
        Rule::B => include_str!("../jobs/rule_b.rsyslog"),
    };
    write(place, "rule.rsyslog", script)?;
    let config = write(place, "rsyslog.conf", include_str!("../jobs/rsyslog.conf"))?;
    let lock = place.folder.join("lock").display().to_string();
    Ok(Job {
        arguments: ["-n", "-f", &config, "-i", &lock]
            .map(OsString::from)
            .to_vec(),
        endless: Some(place.output.to_owned()),
        ..Job::default()
    })
}

fn rsigma(place: Place<'_>) -> io::Result<Job> {
    let rule = write(place, "rule.yml", include_str!("../jobs/rule_a.yml"))?;
    let input = format!("@{}", place.input.display());
    let mut arguments: Vec<OsString> = Vec::new();
    arguments.extend(["engine", "eval", "--input-format", "json"].map(OsString::from));
    arguments.extend(["--output-format", "ndjson", "--include-event"].map(OsString::from));
    arguments.extend(["--rules", &rule, "--event", &input].map(OsString::from));
    Ok(Job {
        arguments,
        stdout: Some(place.output.to_owned()),
        ..Job::default()
    })
}

/// Writes a file that a tool needs, with the places of this run filled in; its path.
fn write(place: Place<'_>, name: &str, text: &str) -> io::Result<String> {
    let path = place.folder.join(name);
    let part = |path: Option<&Path>| path.unwrap_or(Path::new("")).display().to_string();
    let file = place.output.file_name().map(Path::new);
    let text = text
        .replace("@INPUT@", &place.input.display().to_string())
        .replace("@OUTPUT_FOLDER@", &part(place.output.parent()))
        .replace("@OUTPUT_NAME@", &part(file))
        .replace("@OUTPUT@", &place.output.display().to_string())
        .replace("@FOLDER@", &place.folder.display().to_string());
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_what_programs_print() {
        for (text, version) in [
            ("cat (GNU coreutils) 9.1\nCopyright", "9.1"),
            ("jq-1.6\n", "1.6"),
            ("gojq 0.12.11 (rev: HEAD/go1.19.5)", "0.12.11"),
            (
                "rsyslogd  8.2302.0 (aka 2023.02) compiled with:",
                "8.2302.0",
            ),
            ("Fluent Bit v5.1.1\nGit commit: ", "5.1.1"),
            ("vector 0.58.0 (x86_64-unknown-linux-gnu)", "0.58.0"),
        ] {
            assert_eq!(number(text).unwrap(), version);
        }
        assert_eq!(number("cat, version 9."), None);
    }

    #[test]
    fn places_are_filled_in() {
        for (rule, files) in [(Rule::A, 8), (Rule::B, 7)] {
            let folder = tempfile::tempdir().unwrap();
            let place = Place {
                input: Path::new("/in/records"),
                output: Path::new("/out/records"),
                folder: folder.path(),
                rule,
            };
            for known in KNOWN.iter().filter(|known| known.rules.contains(&rule)) {
                (known.prepare)(place).unwrap();
            }
            let mut texts = String::new();
            let mut seen = 0;
            for entry in fs::read_dir(folder.path()).unwrap() {
                let path = entry.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                for mark in ["@INPUT", "@OUTPUT", "@FOLDER"] {
                    assert!(!text.contains(mark), "{}", path.display());
                }
                texts += &text;
                seen += 1;
            }
            assert_eq!(seen, files);
            for other in Rule::ALL {
                assert_eq!(texts.contains(other.id()), *other == rule);
            }
        }
    }

    #[test]
    fn tools_asked_for_must_be_there() {
        let asked = |name: &str| find(Rule::B, Some(&[name.to_owned()]));
        assert_eq!(asked("cat").unwrap().len(), 1);
        assert!(matches!(asked("dog"), Err(Error::UnknownTool(name)) if name == "dog"));
        assert!(matches!(asked("rsigma"), Err(Error::UnableTool(name)) if name == "rsigma"));
        assert_eq!(unable(Rule::B), ["rsigma"]);
        assert!(unable(Rule::A).is_empty());
    }
}
