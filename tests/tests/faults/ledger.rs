//! What arrived downstream, checked record by record with other readers than the stage's own.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::command_support::RULE_A;
use crate::records::{self, event, json};

/// What a downstream has taken. It survives the downstream, as a disk does.
#[derive(Debug)]
pub struct Ledger {
    /// By sender: every record below this number is here.
    arrived: Vec<AtomicU64>,
    /// Whether records must be the same bytes, or only the same values.
    by_bytes: bool,
    /// The rules in the tags of records that match, as JSON; empty: any.
    pub rules: Mutex<String>,
    /// The rules in the tag that came last.
    pub last: Mutex<String>,
    pub duplicates: AtomicU64,
    pub tagged: AtomicU64,
    wrong: Mutex<VecDeque<String>>,
}

impl Ledger {
    pub fn new(senders: usize, by_bytes: bool) -> Ledger {
        Ledger {
            arrived: (0..senders).map(|_| AtomicU64::new(0)).collect(),
            by_bytes,
            rules: Mutex::new(format!("[\"{RULE_A}\"]")),
            last: Mutex::default(),
            duplicates: AtomicU64::new(0),
            tagged: AtomicU64::new(0),
            wrong: Mutex::default(),
        }
    }

    /// How many records of a sender are here, from its first one on, without a gap.
    pub fn arrived(&self, sender: usize) -> u64 {
        self.arrived[sender].load(Ordering::SeqCst)
    }

    /// How many different records are here.
    pub fn all(&self) -> u64 {
        (0..self.arrived.len())
            .map(|sender| self.arrived(sender))
            .sum()
    }

    /// Notes something that must not be.
    pub fn wrong(&self, what: impl Into<String>) {
        let mut wrong = self.wrong.lock().unwrap();
        wrong.push_back(what.into());
        wrong.truncate(20);
    }

    /// Panics if anything was wrong.
    #[track_caller]
    pub fn check(&self) {
        let wrong = self.wrong.lock().unwrap();
        let told = wrong.iter().map(|one| one.chars().take(600).collect());
        let told: Vec<String> = told.collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
    }

    /// Takes lines.
    pub fn lines(&self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match serde_json::from_slice::<Value>(line) {
                Ok(value) => self.record(value, |sender, number, tag| {
                    let plain = json(sender, number);
                    match tag {
                        None => line == plain.as_bytes(),
                        // The tag's text goes before the closing brace.
                        Some(tag) => {
                            let start = &plain[..plain.len() - 1];
                            let text = line.strip_prefix(start.as_bytes());
                            let text = text.and_then(|text| text.strip_prefix(b",\"poseur\":"));
                            let text = text.and_then(|text| text.strip_suffix(b"}"));
                            text.is_some_and(|text| {
                                serde_json::from_slice::<Value>(text).is_ok_and(|text| text == *tag)
                            })
                        }
                    }
                }),
                Err(error) => {
                    self.wrong(format!("{error}: {}", String::from_utf8_lossy(line)));
                }
            }
        }
    }

    /// Takes a whole message of the Forward protocol; its chunk's id.
    pub fn message(&self, mut message: &[u8]) -> Option<String> {
        let read = rmpv::decode::read_value(&mut message);
        let Ok(rmpv::Value::Array(parts)) = read else {
            self.wrong("no message");
            return None;
        };
        let [_, rmpv::Value::Binary(events), options] = &parts[..] else {
            self.wrong(format!("a message of {} parts", parts.len()));
            return None;
        };
        let option = |name| {
            let pairs = options.as_map()?.iter();
            let (_, value) = pairs
                .into_iter()
                .find(|(key, _)| key.as_str() == Some(name))?;
            value.as_str().map(str::to_owned)
        };
        match option("compressed").as_deref() {
            None => self.events(events),
            Some("gzip") => {
                let mut unpacked = Vec::new();
                let mut unpack = flate2::read::MultiGzDecoder::new(&events[..]);
                match unpack.read_to_end(&mut unpacked) {
                    Ok(_) => self.events(&unpacked),
                    Err(error) => self.wrong(format!("events that cannot be unpacked: {error}")),
                }
            }
            Some(other) => self.wrong(format!("events as {other}")),
        }
        option("chunk")
    }

    /// Takes events.
    fn events(&self, events: &[u8]) {
        let mut left = events;
        while !left.is_empty() {
            let start = left;
            let Ok(rmpv::Value::Array(parts)) = rmpv::decode::read_value(&mut left) else {
                return self.wrong("no event");
            };
            let bytes = &start[..start.len() - left.len()];
            let Some(record) = parts.get(1).and_then(plain) else {
                return self.wrong("an event without a record");
            };
            self.record(record, |sender, number, tag| match tag {
                None => bytes == event(sender, number),
                Some(_) => without_tag(bytes).is_some_and(|bytes| bytes == event(sender, number)),
            });
        }
    }

    /// Takes a record. `same_bytes` compares what it came in with what was sent, but for its tag.
    fn record(
        &self,
        mut record: Value,
        same_bytes: impl FnOnce(usize, u64, Option<&Value>) -> bool,
    ) {
        let id = record["Id"].as_str().and_then(|id| id.split_once('-'));
        let id = id.and_then(|(sender, number)| Some((sender.parse().ok()?, number.parse().ok()?)));
        let Some((sender, number)) = id.filter(|(sender, _)| *sender < self.arrived.len()) else {
            return self.wrong(format!("a record that nobody sent: {record}"));
        };
        let tag = record.as_object_mut().and_then(|map| map.remove("poseur"));
        let wanted = self.rules.lock().unwrap();
        let well_tagged = match &tag {
            Some(tag) => {
                let rules = tag["rules"].to_string();
                let fits = wanted.is_empty() || rules == *wanted;
                *self.last.lock().unwrap() = rules;
                records::matches(number) && fits
            }
            None => !records::matches(number),
        };
        drop(wanted);
        if !well_tagged {
            self.wrong(format!("{sender}-{number} has the tag {tag:?}"));
        }
        let same = match self.by_bytes {
            true => same_bytes(sender, number, tag.as_ref()),
            false => serde_json::from_str::<Value>(&json(sender, number)).unwrap() == record,
        };
        if !same {
            self.wrong(format!("{sender}-{number} was altered: {record}"));
        }
        self.tagged
            .fetch_add(tag.is_some().into(), Ordering::Relaxed);
        // Whatever was repeated in between: a record comes for the first time when all before it are here.
        match self.arrived[sender].fetch_max(number + 1, Ordering::SeqCst) {
            next if next == number => {}
            next if next > number => {
                self.duplicates.fetch_add(1, Ordering::Relaxed);
            }
            next => self.wrong(format!(
                "{sender}-{number} came, but {sender}-{next} has not"
            )),
        }
    }
}

/// A value of MessagePack as JSON has it; `None` if it has not.
fn plain(value: &rmpv::Value) -> Option<Value> {
    Some(match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(value) => (*value).into(),
        rmpv::Value::Integer(value) => match value.as_u64() {
            Some(value) => value.into(),
            None => value.as_i64()?.into(),
        },
        rmpv::Value::F32(value) => (*value).into(),
        rmpv::Value::F64(value) => (*value).into(),
        rmpv::Value::String(text) => text.as_str()?.into(),
        rmpv::Value::Array(values) => {
            Value::Array(values.iter().map(plain).collect::<Option<_>>()?)
        }
        rmpv::Value::Map(pairs) => {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(key, value)| Some((key.as_str()?.to_owned(), plain(value)?)));
            Value::Object(pairs.collect::<Option<_>>()?)
        }
        rmpv::Value::Binary(_) | rmpv::Value::Ext(..) => return None,
    })
}

/// The bytes of an event as they were before its tag was added: one member less.
fn without_tag(event: &[u8]) -> Option<Vec<u8>> {
    let mut left = event.strip_prefix(b"\x92")?;
    rmpv::decode::read_value(&mut left).ok()?;
    let mut out = event[..event.len() - left.len()].to_vec();
    let head = left.first().filter(|head| (0x81..0x90).contains(*head))?;
    out.push(head - 1);
    left = &left[1..];
    for _ in 0..head & 0xF {
        let start = left;
        let key = rmpv::decode::read_value(&mut left).ok()?;
        rmpv::decode::read_value(&mut left).ok()?;
        if key.as_str() != Some("poseur") {
            out.extend_from_slice(&start[..start.len() - left.len()]);
        }
    }
    left.is_empty().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What must not be is seen.
    #[test]
    fn the_ledger_sees_what_is_wrong() {
        let tag = format!(r#","poseur":{{"rules":["{RULE_A}"]}}}}"#);
        let tagged = |number| json(0, number).strip_suffix('}').unwrap().to_owned() + &tag;
        let all = [json(0, 0), json(0, 1), json(0, 2), tagged(3), json(0, 4)];
        let told = |lines: &[String]| {
            let ledger = Ledger::new(1, true);
            lines.iter().for_each(|line| ledger.lines(line.as_bytes()));
            let wrong = ledger.wrong.lock().unwrap();
            let told = wrong.iter().cloned().collect::<String>();
            (told, ledger.all(), ledger.duplicates.load(Ordering::SeqCst))
        };
        assert_eq!(told(&all), (String::new(), 5, 0));
        let twice = [&all[..3], &all[1..]].concat();
        assert_eq!(told(&twice), (String::new(), 5, 2));
        for (at, line, expected) in [
            (1, json(0, 2), "0-2 came, but 0-1 has not"),
            (3, json(0, 3), "0-3 has the tag None"),
            (2, tagged(2), "0-2 has the tag Some"),
            (2, json(0, 2).replace("Sent", "sent"), "0-2 was altered"),
            (2, json(0, 2).replacen(':', ": ", 1), "0-2 was altered"),
            (3, tagged(3).replace("Chat", "chat"), "0-3 was altered"),
            (2, json(1, 2), "nobody sent"),
            (2, json(0, 2).replace('}', ""), "EOF"),
        ] {
            let mut lines = all.clone();
            lines[at] = line;
            let (told, ..) = told(&lines);
            assert!(told.contains(expected), "{told}");
        }
        let mut bytes = event(1, 3);
        let head = bytes
            .iter()
            .position(|byte| byte & 0xF0 == 0x80 && *byte > 0x84);
        bytes[head.unwrap()] += 1;
        bytes.extend_from_slice(b"\xA6poseur\x01");
        assert_eq!(without_tag(&bytes), Some(event(1, 3)));
    }
}
