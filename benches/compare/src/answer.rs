//! What a tool wrote, and whether it is right.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use memchr::memmem;
use serde::Serialize;
use serde_json::Value;

use crate::input::Input;

/// What a tool does with the stream: its obligation, and what its answer is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// Writes all of it as it is: the limit.
    Copies,
    /// Writes all of it, with a key added to the records that match; not one other byte changes.
    Splices,
    /// Writes all records, with a key added to those that match; the others may look different.
    Tags,
    /// Writes what it found out about the records that match. The stream does not come out.
    FindsMatches,
    /// Writes the lines that hold a literal. No verdict, and the stream does not come out.
    FindsCandidates,
}

impl Does {
    /// The same for readers of a table.
    pub fn text(self) -> &'static str {
        match self {
            Does::Copies => "copies",
            Does::Splices => "tags in place",
            Does::Tags => "tags",
            Does::FindsMatches => "only finds matches",
            Does::FindsCandidates => "only finds candidate lines",
        }
    }

    /// Whether the whole stream comes out, matching records tagged.
    pub fn is_tagging(self) -> bool {
        matches!(self, Does::Splices | Does::Tags)
    }
}

/// What a tool wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// How many lines.
    pub lines: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The name of each record with a tag that names the rule, sorted.
    pub tagged: Vec<String>,
    /// The name of each record that is shown as a match of the rule, sorted.
    pub found: Vec<String>,
    /// How many lines are those of the input at the same place, byte for byte.
    pub kept: u64,
    /// How many lines hold another record than the line of the input at the same place.
    pub moved: u64,
    /// How many tagged lines are not those of the input with something inserted at one place.
    pub mangled: u64,
}

/// Reads what a tool wrote beside its input.
///
/// # Errors
/// If a file cannot be read. A line that is neither that of the input nor JSON is an error of the kind `InvalidData`.
pub fn read(input: &Input, output: &Path) -> io::Result<Answer> {
    let open = |path: &Path| File::open(path).map(|file| BufReader::with_capacity(1 << 20, file));
    let rule = input.rule;
    let (mut input, mut output) = (open(&input.path)?, open(output)?);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut answer = Answer::default();
    let tag = memmem::Finder::new(b"\"poseur\"");
    let id = memmem::Finder::new(rule.id());
    loop {
        before.clear();
        after.clear();
        input.read_until(b'\n', &mut before)?;
        answer.bytes += output.read_until(b'\n', &mut after)? as u64;
        if after.is_empty() {
            break;
        }
        answer.lines += 1;
        if before == after {
            answer.kept += 1;
            continue;
        }
        let record: Value = serde_json::from_slice(&after)?;
        let original: Value = serde_json::from_slice(&before).unwrap_or_default();
        answer.moved += u64::from(rule.name(&record) != rule.name(&original));
        if id.find(&after).is_none() {
            continue;
        }
        if tag.find(&after).is_some() && names_rule(&record["poseur"]["rules"], rule.id()) {
            answer.tagged.push(rule.name(&record));
            answer.mangled += u64::from(!is_insertion(&before, &after));
        } else if let Some(event) = record.get("event") {
            answer.found.push(rule.name(event));
        }
    }
    answer.tagged.sort_unstable();
    answer.found.sort_unstable();
    Ok(answer)
}

/// Rsyslog cannot write arrays.
fn names_rule(rules: &Value, id: &str) -> bool {
    rules == id
        || rules
            .as_array()
            .is_some_and(|rules| rules.iter().any(|rule| rule == id))
}

/// Whether `after` is `before` with bytes inserted at one place.
fn is_insertion(before: &[u8], after: &[u8]) -> bool {
    let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
    let head = before.iter().zip(after).take_while(same).count();
    let rest = &before[head..];
    after.len() >= before.len() && after.ends_with(rest)
}

/// What is wrong with an answer, if anything.
///
/// # Errors
/// A sentence for the reader of the table.
pub fn judge(does: Does, input: &Input, answer: &Answer) -> Result<(), String> {
    let lines = match does {
        Does::Copies | Does::Splices | Does::Tags => input.lines,
        Does::FindsMatches => input.matching.len() as u64,
        Does::FindsCandidates => input.candidates,
    };
    if answer.lines != lines {
        return Err(format!("{} lines instead of {lines}", answer.lines));
    }
    let none = Vec::new();
    let (tagged, found) = match does {
        Does::Splices | Does::Tags => (&input.matching, &none),
        Does::FindsMatches => (&none, &input.matching),
        Does::Copies | Does::FindsCandidates => (&none, &none),
    };
    compare("tagged", &answer.tagged, tagged)?;
    compare("found", &answer.found, found)?;
    if does.is_tagging() && answer.moved > 0 {
        return Err(format!("{} records in another place", answer.moved));
    }
    let kept = match does {
        Does::Copies => lines,
        Does::Splices => lines - tagged.len() as u64,
        _ => return Ok(()),
    };
    if answer.kept != kept || answer.mangled > 0 {
        let changed = lines - answer.kept;
        return Err(format!(
            "{changed} lines changed instead of {}, {} of them elsewhere than in one place",
            lines - kept,
            answer.mangled
        ));
    }
    Ok(())
}

fn compare(what: &str, ours: &[String], wanted: &[String]) -> Result<(), String> {
    if ours == wanted {
        return Ok(());
    }
    let (ours, wanted) = (ours.len(), wanted.len());
    Err(if ours == wanted {
        format!("{ours} records {what}, as there should be, but other ones")
    } else {
        format!("{ours} records {what} instead of {wanted}")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use poseur_tests::reference::rules::RULE_A;

    use super::*;

    const LINES: &str = "{\"Id\":\"a\"}\n{\"Id\":\"b\"}\n{\"Id\":\"c\",\"n\":\"ChatCreated\"}\n";

    fn input() -> Input {
        Input {
            lines: 3,
            candidates: 1,
            matching: vec!["b".to_owned()],
            ..Input::default()
        }
    }

    fn answer(output: &str) -> Answer {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (folder.path().join("in"), folder.path().join("out"));
        fs::write(&before, LINES).unwrap();
        fs::write(&after, output).unwrap();
        let input = Input {
            path: before,
            ..input()
        };
        read(&input, &after).unwrap()
    }

    fn verdict(does: Does, output: &str) -> Result<(), String> {
        judge(does, &input(), &answer(output))
    }

    fn tag(text: &str) -> String {
        text.replace("RULE", RULE_A)
    }

    #[test]
    fn right_answers() {
        let spliced = tag(
            "{\"Id\":\"a\"}\n{\"Id\":\"b\",\"poseur\":{\"rules\":[\"RULE\"]}}\n{\"Id\":\"c\",\"n\":\"ChatCreated\"}\n",
        );
        let anew = tag(
            "{\"Id\": \"a\"}\n{\"poseur\":{\"rules\":\"RULE\"},\"Id\":\"b\"}\n{\"Id\":\"c\",\"n\":\"ChatCreated\"}\n",
        );
        let found = tag("{\"rule_id\":\"RULE\",\"event\":{\"Id\":\"b\"}}\n");
        assert_eq!(verdict(Does::Copies, LINES), Ok(()));
        assert_eq!(verdict(Does::Splices, &spliced), Ok(()));
        assert_eq!(verdict(Does::Tags, &spliced), Ok(()));
        assert_eq!(verdict(Does::Tags, &anew), Ok(()));
        assert_eq!(verdict(Does::FindsMatches, &found), Ok(()));
        let line = LINES.lines().last().unwrap();
        assert_eq!(verdict(Does::FindsCandidates, line), Ok(()));
        assert_eq!(answer(&spliced).kept, 2);
        assert_eq!(answer(&anew).kept, 1);
    }

    #[test]
    fn wrong_answers() {
        let lost = tag("{\"Id\":\"a\"}\n{\"Id\":\"b\",\"poseur\":{\"rules\":[\"RULE\"]}}\n");
        let other = tag(
            "{\"Id\":\"a\",\"poseur\":{\"rules\":[\"RULE\"]}}\n{\"Id\":\"b\"}\n{\"Id\":\"c\",\"n\":\"ChatCreated\"}\n",
        );
        let other_rule = other.replace(RULE_A, "another rule");
        let altered = tag(
            "{\"Id\":\"a\" }\n{\"Id\":\"b\",\"poseur\":{\"rules\":[\"RULE\"]}}\n{\"Id\":\"c\",\"n\":\"ChatCreated\"}\n",
        );
        let swapped = tag(
            "{\"Id\":\"b\",\"poseur\":{\"rules\":[\"RULE\"]}}\n{\"Id\":\"a\"}\n{\"Id\":\"c\",\"n\":\"ChatCreated\"}\n",
        );
        let mangled = tag(
            "{\"Id\":\"a\"}\n{ \"Id\":\"b\",\"poseur\":{\"rules\":[\"RULE\"]}}\n{\"Id\":\"c\",\"n\":\"ChatCreated\"}\n",
        );
        for (does, output, reason) in [
            (Does::Copies, &*lost, "2 lines instead of 3"),
            (
                Does::Copies,
                &LINES.replace("\"a\"", "\"x\""),
                "1 lines changed instead of 0",
            ),
            (Does::Tags, &lost, "2 lines instead of 3"),
            (Does::Tags, LINES, "0 records tagged instead of 1"),
            (
                Does::Tags,
                &other,
                "1 records tagged, as there should be, but other ones",
            ),
            (Does::Tags, &other_rule, "0 records tagged instead of 1"),
            (Does::Tags, &swapped, "2 records in another place"),
            (
                Does::Splices,
                &altered,
                "2 lines changed instead of 1, 0 of them",
            ),
            (
                Does::Splices,
                &mangled,
                "1 lines changed instead of 1, 1 of them",
            ),
            (Does::FindsMatches, "{}\n", "0 records found instead of 1"),
            (Does::FindsMatches, "", "0 lines instead of 1"),
            (Does::FindsCandidates, LINES, "3 lines instead of 1"),
        ] {
            let wrong = verdict(does, output).unwrap_err();
            assert!(wrong.starts_with(reason), "{wrong}");
        }
    }
}
