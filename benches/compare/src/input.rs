//! The input, as files: all of it, and a slice from its beginning for slow tools.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use poseur_tests::traffic::{Config, Kind, Shape, Traffic};
use serde_json::Value;

use crate::Error;
use crate::rule::{self, Rule};

/// Of so many lines of other people's records, one is a generated record that matches.
const PLANTED: u64 = 1000;

/// Where records come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Generated Teams traffic: 1 % candidates, 0.1 % matching, 5 % with `\u00` escapes.
    Teams,
    /// Generated Defender MessageEvents: 30 % external threads, 1 % matching, 5 % with `\u00` escapes.
    MessageEvents,
    /// Raw Office 365 records of these files, over and over; a generated one that matches after every 999.
    Files(Vec<PathBuf>),
}

impl Source {
    /// The rule that these records can match.
    pub fn rule(&self) -> Rule {
        match self {
            Source::Teams | Source::Files(_) => Rule::A,
            Source::MessageEvents => Rule::B,
        }
    }
}

/// A file of records, and what is true of it.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// The rule that its records can match.
    pub rule: Rule,
    /// Its size.
    pub bytes: u64,
    /// How many records it holds, one a line.
    pub lines: u64,
    /// How many lines hold one of the rule's literals, which is all that a search for them can say.
    pub candidates: u64,
    /// The name of each record that matches the rule, sorted.
    pub matching: Vec<String>,
}

/// All of the input, and the slice. Both hold whole lines.
#[derive(Debug)]
pub struct Inputs {
    /// All of it.
    pub whole: Input,
    /// Its beginning.
    pub slice: Input,
    /// Lines of the files that are no JSON object, and were left out.
    pub left_out: u64,
}

/// Writes the input into a folder, as `whole.ndjson` and `slice.ndjson`.
///
/// # Errors
/// If a file cannot be read or written, or the files hold no record.
pub fn make(source: &Source, bytes: u64, slice: u64, folder: &Path) -> Result<Inputs, Error> {
    if slice > bytes || slice == 0 {
        let message = format!("a slice of {slice} bytes is no part of {bytes} bytes");
        return Err(Error::Size(message));
    }
    let mut records = Records::open(source)?;
    let create = |name| Draft::create(&folder.join(name), source.rule());
    let (mut whole, mut part) = (create("whole.ndjson")?, create("slice.ndjson")?);
    let mut line = Vec::new();
    while whole.input.bytes < bytes {
        let matching = records.next(&mut line)?;
        if part.input.bytes < slice {
            part.add(&line, matching.as_deref())?;
        }
        whole.add(&line, matching.as_deref())?;
    }
    Ok(Inputs {
        whole: whole.finish()?,
        slice: part.finish()?,
        left_out: records.left_out,
    })
}

/// A file while it is written.
struct Draft {
    file: BufWriter<File>,
    input: Input,
}

impl Draft {
    fn create(path: &Path, rule: Rule) -> Result<Draft, Error> {
        let file = File::create(path).map_err(Error::file(path))?;
        Ok(Draft {
            file: BufWriter::with_capacity(1 << 20, file),
            input: Input {
                path: path.to_owned(),
                rule,
                ..Input::default()
            },
        })
    }

    fn add(&mut self, line: &[u8], matching: Option<&str>) -> Result<(), Error> {
        let input = &mut self.input;
        self.file
            .write_all(line)
            .map_err(Error::file(&input.path))?;
        input.lines += 1;
        input.bytes += line.len() as u64;
        input.candidates += u64::from(input.rule.finds(line));
        input.matching.extend(matching.map(str::to_owned));
        Ok(())
    }

    fn finish(mut self) -> Result<Input, Error> {
        self.file.flush().map_err(Error::file(&self.input.path))?;
        self.input.matching.sort_unstable();
        Ok(self.input)
    }
}

/// An endless stream of records.
struct Records {
    rule: Rule,
    generated: Traffic,
    files: Option<Files>,
    count: u64,
    left_out: u64,
}

impl Records {
    fn open(source: &Source) -> Result<Records, Error> {
        let mut config = match source.rule() {
            Rule::A => Config::new(Kind::Teams, Shape::O365),
            Rule::B => Config::new(Kind::MessageEvents, Shape::Defender),
        };
        let files = match source {
            Source::Teams => None,
            Source::MessageEvents => {
                config.match_rate = 0.01;
                None
            }
            Source::Files(paths) => {
                config.candidate_rate = Some(1.0);
                config.match_rate = 1.0;
                Some(Files::new(paths))
            }
        };
        Ok(Records {
            rule: source.rule(),
            generated: Traffic::new(config).map_err(|error| Error::Size(error.to_string()))?,
            files,
            count: 0,
            left_out: 0,
        })
    }

    /// The next line, with its line feed, and the record's name if it matches.
    fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<String>, Error> {
        self.count += 1;
        line.clear();
        let planted = self.count.is_multiple_of(PLANTED);
        let Some(files) = self.files.as_mut().filter(|_| !planted) else {
            let truth = self.generated.next(line);
            let matches = truth.matches_a + truth.matches_b > 0;
            let name = || self.rule.name(&parse(line).unwrap_or_default());
            return Ok(matches.then(name));
        };
        loop {
            files.next(line)?;
            if let Some(record) = parse(line) {
                files.found = true;
                return Ok(rule::holds(&record).then(|| self.rule.name(&record)));
            }
            self.left_out += u64::from(!line.trim_ascii().is_empty());
        }
    }
}

/// The lines of files, again and again.
struct Files {
    paths: Vec<PathBuf>,
    next: usize,
    open: Option<BufReader<File>>,
    /// Whether there was any record.
    found: bool,
}

impl Files {
    fn new(paths: &[PathBuf]) -> Files {
        Files {
            paths: paths.to_vec(),
            next: 0,
            open: None,
            found: false,
        }
    }

    fn next(&mut self, line: &mut Vec<u8>) -> Result<(), Error> {
        line.clear();
        loop {
            if let Some(file) = &mut self.open {
                let path = &self.paths[self.next - 1];
                if file.read_until(b'\n', line).map_err(Error::file(path))? > 0 {
                    if line.last() != Some(&b'\n') {
                        line.push(b'\n');
                    }
                    return Ok(());
                }
            }
            if self.next == self.paths.len() {
                if !self.found {
                    return Err(Error::NoRecords);
                }
                self.next = 0;
            }
            let path = self.paths.get(self.next).ok_or(Error::NoRecords)?;
            let file = File::open(path).map_err(Error::file(path))?;
            self.open = Some(BufReader::with_capacity(1 << 20, file));
            self.next += 1;
        }
    }
}

fn parse(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn generated_traffic_and_its_slice() {
        let folder = tempfile::tempdir().unwrap();
        for source in [Source::Teams, Source::MessageEvents] {
            let inputs = make(&source, 6_000_000, 3_000_000, folder.path()).unwrap();
            for (input, least) in [(&inputs.whole, 6_000_000), (&inputs.slice, 3_000_000)] {
                let bytes = fs::read(&input.path).unwrap();
                assert_eq!(input.bytes, bytes.len() as u64);
                assert!(input.bytes >= least && input.bytes < least + 100_000);
                assert_eq!(input.lines, bytes.split(|b| *b == b'\n').count() as u64 - 1);
                assert!(input.candidates > input.lines / 100);
                assert!(!input.matching.is_empty());
                let mut names = input.matching.clone();
                names.dedup();
                assert_eq!(names.len(), input.matching.len(), "a name is of one record");
            }
            assert!(inputs.slice.matching.len() < inputs.whole.matching.len());
        }
    }

    #[test]
    fn records_of_files_are_repeated_and_matching_ones_planted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("real.ndjson");
        fs::write(&file, "{\"Id\":\"a\"}\n\nno record\n[1]\n{\"Id\":\"b\"}").unwrap();
        let source = Source::Files(vec![file]);
        let inputs = make(&source, 30_000, 15_000, folder.path()).unwrap();
        let text = fs::read_to_string(&inputs.whole.path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..3],
            ["{\"Id\":\"a\"}", "{\"Id\":\"b\"}", "{\"Id\":\"a\"}"]
        );
        assert!(inputs.left_out >= 4);
        let planted: Vec<&str> = lines.iter().skip(999).step_by(1000).copied().collect();
        assert!(!planted.is_empty());
        assert_eq!(inputs.whole.matching.len(), planted.len());
        assert!(planted.iter().all(|line| line.len() > 500));
    }

    #[test]
    fn input_without_records_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.ndjson");
        fs::write(&file, "\nx\n").unwrap();
        let made = make(&Source::Files(vec![file]), 1000, 1000, folder.path());
        assert!(matches!(made, Err(Error::NoRecords)), "{made:?}");
        let made = make(&Source::Files(vec![]), 1000, 1000, folder.path());
        assert!(matches!(made, Err(Error::NoRecords)), "{made:?}");
        let made = make(&Source::Teams, 10, 20, folder.path());
        assert!(matches!(made, Err(Error::Size(_))), "{made:?}");
    }
}
