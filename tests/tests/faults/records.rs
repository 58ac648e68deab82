//! Records, each made anew from its sender's number and its own whenever it is needed: nothing is kept of what was sent.

use std::fmt::Write;

use poseur_tests::msgpack::{TIMES, packed};
use poseur_tests::protobuf;
use prost::Message;

/// Records of one sender, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    pub sender: usize,
    pub first: u64,
    pub end: u64,
}

impl Batch {
    /// As NDJSON.
    pub fn lines(self) -> Vec<u8> {
        let mut lines = String::new();
        for number in self.first..self.end {
            lines += &json(self.sender, number);
            lines.push('\n');
        }
        lines.into_bytes()
    }

    /// As events of the Forward protocol.
    pub fn events(self) -> Vec<u8> {
        let mut events = Vec::new();
        for number in self.first..self.end {
            events.extend_from_slice(&event(self.sender, number));
        }
        events
    }

    /// As a request of Vector's protocol.
    pub fn request(self) -> Vec<u8> {
        let numbers = self.first..self.end;
        let events = numbers.map(|number| wrapped(self.sender, number));
        let events = events.collect();
        Wrapped { events }.encode_to_vec()
    }
}

/// `vector.PushEventsRequest` with events as they are on the wire.
#[derive(Clone, PartialEq, Message)]
pub struct Wrapped {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub events: Vec<Vec<u8>>,
}

/// A request of one event.
pub fn one(event: Vec<u8>) -> Vec<u8> {
    let events = vec![event];
    Wrapped { events }.encode_to_vec()
}

/// When an event of the Forward protocol was.
pub const TIME: &str = "2023-09-12T06:06:56.000000001Z";

/// Whether Elastic's rule holds for a record.
pub fn matches(number: u64) -> bool {
    number % 41 == 3
}

/// A record. Now and then there is a large one.
pub fn json(sender: usize, number: u64) -> String {
    let mut json = format!(r#"{{"Id":"{sender}-{number}","#);
    json += match matches(number) {
        true => {
            r#""CreationTime":"2026-11-20T08:00:00","Operation":"ChatCreated","RecordType":25,"UserId":"helpdesk@fabrikam.example","CommunicationType":"OneOnOne","ParticipantInfo":{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false},"#
        }
        false => r#""CreationTime":"2026-11-20T08:00:00","Operation":"MessageSent","#,
    };
    if number.is_multiple_of(7) {
        json += r#""Values":[null,true,-7,18446744073709551615,1.5,{"a":"\"\\\u0007é"},[]],"#;
    }
    let padding = match number {
        _ if number % 9001 == 77 => 700_000,
        _ if number.is_multiple_of(101) => 9_000,
        _ => 40 + number as usize % 300,
    };
    let _ = write!(json, r#""Workload":"MicrosoftTeams","Padding":""#);
    // Another text each time, so that a piece of another record shows.
    let piece = format!("{:x}.", (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    json += &piece.repeat(padding / piece.len() + 1);
    json += r#""}"#;
    json
}

/// A record as an event; those of odd senders have metadata, as Fluent Bit's.
pub fn event(sender: usize, number: u64) -> Vec<u8> {
    let time = TIMES[(sender + 1) % 2];
    [time, &packed(json(sender, number).as_bytes()).unwrap()].concat()
}

/// A record as an event of Vector's protocol.
pub fn wrapped(sender: usize, number: u64) -> Vec<u8> {
    in_form(sender, &json(sender, number))
}

/// A line as an event, in one of two forms that Vector's protocol knows.
pub fn in_form(sender: usize, line: &str) -> Vec<u8> {
    let fields = protobuf::packed(line.as_bytes()).unwrap();
    protobuf::events_of(&fields)[sender / 2 % 2].encode_to_vec()
}
