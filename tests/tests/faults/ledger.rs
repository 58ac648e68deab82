//! What arrived downstream, checked record by record with other readers than the stage's own.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use poseur_tagger::TagOptions;
use poseur_tests::protobuf::{Event, EventWrapper, Log, LogKind, nothing_but_tags, unpacked};
use prost::Message;
use serde_json::Value;

use crate::command_support::RULE_A;
use crate::journal;
use crate::peers::Protocol;
use crate::peers::forward::option;
use crate::records::{self, Wrapped, event, json, one, wrapped};

/// What a downstream has taken. It survives the downstream, as a disk does.
#[derive(Debug)]
pub struct Ledger {
    /// By sender: every record below this number is here.
    arrived: Vec<AtomicU64>,
    /// What is spoken on either side of the stage. Records must be the same bytes if it is the same, else the same values.
    source: Protocol,
    sink: Protocol,
    /// The rules in the tags of records that match, as JSON; empty: any.
    pub rules: Mutex<String>,
    /// The rules in the tag that came last.
    pub last: Mutex<String>,
    pub duplicates: AtomicU64,
    pub tagged: AtomicU64,
    wrong: Mutex<VecDeque<String>>,
    /// What a downstream that is a process writes, and how.
    journal: Mutex<Option<(Protocol, journal::Reader)>>,
}

impl Ledger {
    pub fn new(senders: usize, source: Protocol, sink: Protocol) -> Ledger {
        Ledger {
            arrived: (0..senders).map(|_| AtomicU64::new(0)).collect(),
            source,
            sink,
            rules: Mutex::new(format!("[\"{RULE_A}\"]")),
            last: Mutex::default(),
            duplicates: AtomicU64::new(0),
            tagged: AtomicU64::new(0),
            wrong: Mutex::default(),
            journal: Mutex::default(),
        }
    }

    /// Reads a journal from now on.
    pub fn follow(&self, protocol: Protocol, journal: journal::Reader) {
        *self.journal.lock().unwrap() = Some((protocol, journal));
    }

    /// Reads a journal, to which nothing more comes, to its end.
    pub fn leave(&self) {
        self.read_on();
        *self.journal.lock().unwrap() = None;
    }

    /// Reads what is new in the journal.
    fn read_on(&self) {
        if let Some((protocol, journal)) = &mut *self.journal.lock().unwrap() {
            journal.read(|message| protocol.read(self, message));
        }
    }

    /// How many records of a sender are here, from its first one on, without a gap.
    pub fn arrived(&self, sender: usize) -> u64 {
        self.read_on();
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

    /// Takes a whole message of the Forward protocol.
    pub fn message(&self, mut message: &[u8]) {
        let read = rmpv::decode::read_value(&mut message);
        let Ok(rmpv::Value::Array(parts)) = read else {
            return self.wrong("no message");
        };
        let [_, rmpv::Value::Binary(events), options] = &parts[..] else {
            return self.wrong(format!("a message of {} parts", parts.len()));
        };
        match option(options, "compressed").as_deref() {
            None => self.events(events),
            Some("gzip") => self.unpack(events).iter().for_each(|all| self.events(all)),
            Some(other) => self.wrong(format!("events as {other}")),
        }
    }

    /// Unpacks what gzip packed.
    fn unpack(&self, packed: &[u8]) -> Option<Vec<u8>> {
        let mut unpacked = Vec::new();
        let read = flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut unpacked);
        let failed = |error| self.wrong(format!("events that cannot be unpacked: {error}"));
        read.map_err(failed).ok().map(|_| unpacked)
    }

    /// Takes a request of Vector's protocol, with its head.
    pub fn push(&self, framed: &[u8]) {
        let message = match framed.split_first_chunk::<5>() {
            Some(([0, ..], message)) => Some(message.to_vec()),
            Some(([1, ..], message)) => self.unpack(message),
            _ => None,
        };
        let Some(Ok(request)) = message.map(|bytes| Wrapped::decode(&bytes[..])) else {
            return self.wrong("no request");
        };
        for bytes in &request.events {
            let wrapper = EventWrapper::decode(&bytes[..]);
            let fields = wrapper.ok().and_then(|wrapper| match wrapper.event? {
                Event::Log(Log {
                    value: None,
                    fields,
                    ..
                }) => Some(fields),
                Event::Log(log) => match log.value?.kind? {
                    LogKind::Map(map) => Some(map.fields),
                    _ => None,
                },
                _ => None,
            });
            let record = fields.and_then(|fields| serde_json::from_slice(&unpacked(&fields)).ok());
            let Some(record) = record else {
                return self.wrong("an event without a record");
            };
            self.record(record, |sender, number, tag| {
                let plain = wrapped(sender, number);
                match tag {
                    None => *bytes == plain,
                    Some(_) => {
                        let [plain, bytes] = [plain, bytes.clone()].map(one);
                        let tagged = || nothing_but_tags(&plain, &bytes, &TagOptions::default());
                        std::panic::catch_unwind(tagged).is_ok()
                    }
                }
            });
        }
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

    /// A record's values after they were converted.
    fn converted(&self, sender: usize, number: u64) -> Value {
        let mut record: Value = serde_json::from_str(&json(sender, number)).unwrap();
        if [self.source, self.sink].contains(&Protocol::Vector)
            && let Some(values) = record.get_mut("Values").and_then(Value::as_array_mut)
        {
            // Vector's integers have 64 bits with their sign.
            for value in values.iter_mut().filter(|value| value.is_u64()) {
                *value = value.as_f64().into();
            }
        }
        if (self.source, self.sink) == (Protocol::Forward, Protocol::Vector) {
            record["timestamp"] = records::TIME.into();
        }
        record
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
        let same = match self.source == self.sink {
            true => same_bytes(sender, number, tag.as_ref()),
            false => self.converted(sender, number) == record,
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
    use crate::peers::gzip;
    use crate::records::in_form;

    /// What must not be is seen.
    #[test]
    fn the_ledger_sees_what_is_wrong() {
        let tag = format!(r#","poseur":{{"rules":["{RULE_A}"]}}}}"#);
        let tagged = |number| json(0, number).strip_suffix('}').unwrap().to_owned() + &tag;
        let all = [json(0, 0), json(0, 1), json(0, 2), tagged(3), json(0, 4)];
        let told = |lines: &[String]| {
            let ledger = Ledger::new(1, Protocol::Http, Protocol::Http);
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

    /// In requests of Vector's protocol, too.
    #[test]
    fn the_ledger_sees_what_is_wrong_in_requests() {
        // In the form in which a new member comes last.
        const SENDER: usize = 2;
        let plain = |number| json(SENDER, number);
        let tagged = |number| {
            let tag = format!(r#","poseur":{{"rules":["{RULE_A}"]}}}}"#);
            plain(number).strip_suffix('}').unwrap().to_owned() + &tag
        };
        let told = |lines: &[String]| {
            let ledger = Ledger::new(4, Protocol::Vector, Protocol::Vector);
            let events = lines.iter().map(|line| in_form(SENDER, line));
            let events = events.collect();
            let message = Wrapped { events }.encode_to_vec();
            ledger.push(&[&[0; 5], &message[..]].concat());
            ledger.push(&[&[1, 0, 0, 0, 0], &gzip(&message)[..]].concat());
            let wrong = ledger.wrong.lock().unwrap();
            let told = wrong.iter().cloned().collect::<String>();
            (told, ledger.all(), ledger.duplicates.load(Ordering::SeqCst))
        };
        let all = [plain(0), plain(1), plain(2), tagged(3)];
        assert_eq!(told(&all), (String::new(), 4, 4));
        for (at, line, expected) in [
            (1, plain(2), "2-2 came, but 2-1 has not"),
            (3, plain(3), "2-3 has the tag None"),
            (2, tagged(2), "2-2 has the tag Some"),
            (2, plain(2).replace("Sent", "sent"), "2-2 was altered"),
            (3, tagged(3).replace("Chat", "chat"), "2-3 was altered"),
            (3, tagged(3).replace("25", "null"), "2-3 was altered"),
            (2, json(4, 2), "nobody sent"),
        ] {
            let mut lines = all.clone();
            lines[at] = line;
            let (told, ..) = told(&lines);
            assert!(told.contains(expected), "{told}");
        }
        let ledger = Ledger::new(1, Protocol::Vector, Protocol::Vector);
        ledger.push(b"");
        ledger.push(&[0, 0, 0, 0, 0, 0x12]);
        ledger.push(&[1, 0, 0, 0, 0, 0x12]);
        ledger.push(&[0, 0, 0, 0, 0, 0x0A, 0x00]);
        assert_eq!(ledger.wrong.lock().unwrap().len(), 5);
    }
}
