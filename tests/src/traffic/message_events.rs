//! Defender MessageEvents: the rows that rule B is about.

use std::borrow::Cow;

use super::Truth;
use super::clock::{DAY, Format, Stamp};
use super::names::{DIRECTORY, HOME, Person};
use super::record::{Gen, Order, Plan, token};
use super::rng::Guid;
use super::writer::{Body, Layout, embed};

/// How a row is dressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dress {
    /// The streaming record: the row is under `properties`.
    Defender,
    /// The row itself, columns named as on the wire or as documented, recipients as JSON or as text.
    Hunting,
}

/// Recipients by which a row matches: display name and the part of the address before the `@`.
const LOADED: &[(&str, &str)] = &[
    ("Help Desk", "h.d"),
    ("HELP DESK", "hd"),
    ("Helpdesk", "team1"),
    ("IT Support", "first.line"),
    ("Global It-Support", "gs"),
    ("IT", "support"),
    ("Security", "cloud-support"),
    ("Agent Nine", "helpdesk"),
    ("Front Desk", "help"),
    ("Agent Ten", "it-support"),
    ("Working from Home", "wfh"),
    ("Remote working", "homeoffice"),
];
/// Recipients that carry only half of a pair, or one half of several.
const HALVES: &[(&str, &str)] = &[
    ("Front Desk", "reception"),
    ("Help Centre", "care"),
    ("Home Office", "owners"),
    ("Working Group Rails", "wg"),
    ("Support", "support"),
    ("Desktop Support", "apps"),
    ("Service Desk", "service.desk"),
];

struct Recipient<'a> {
    display: Cow<'a, str>,
    address: Cow<'a, str>,
    id: Guid,
}

/// Writes one row.
pub(super) fn write(this: &mut Gen, order: Order, dress: Dress, out: &mut Vec<u8>) -> Truth {
    let stamp = this.clock.next(&mut this.rng);
    let external = order.plan != Plan::Background;
    let mut flag = None;
    let mut recipient = None;
    let mut words_elsewhere = false;
    let mut sent = stamp;
    let mut avoid_it = false;
    match order.plan {
        Plan::Match => recipient = Some(*this.rng.pick(LOADED)),
        Plan::Candidate => match this.rng.below(20) {
            0..2 => {
                recipient = Some(*this.rng.pick(HALVES));
                avoid_it = true;
            }
            2 => words_elsewhere = true,
            // Written too long ago, edited just now.
            3 => {
                recipient = Some(*this.rng.pick(LOADED));
                sent = stamp.plus(-i64::from(this.rng.range(31, 60)) * DAY);
            }
            _ => {}
        },
        // The right words within the tenant, or in a thread that is not said to be external.
        Plan::Background => {
            if this.rng.one_in(15) {
                recipient = Some(*this.rng.pick(LOADED));
                flag = *this.rng.pick(&[None, None, None, Some("null"), Some("")]);
            }
        }
    }
    let flag = flag.unwrap_or_else(|| match this.rng.below(20) {
        0 => ["0", "1"][usize::from(external)],
        1 => ["\"False\"", "\"True\""][usize::from(external)],
        2 => ["\"false\"", "\"true\""][usize::from(external)],
        _ => ["false", "true"][usize::from(external)],
    });
    let sender = this.rng.pick(if external {
        &DIRECTORY.outsiders
    } else {
        &DIRECTORY.staff
    });
    let row = Row {
        order,
        dress,
        stamp,
        sent,
        flag,
        sender,
        recipient,
        words_elsewhere,
        avoid_it,
    };
    row.write(this, out);
    Truth {
        records: 1,
        candidates: u32::from(external),
        matches_a: 0,
        matches_b: u32::from(order.plan == Plan::Match),
        escaped: u32::from(order.escape),
    }
}

struct Row {
    order: Order,
    dress: Dress,
    /// When the row was made, and when its message was.
    stamp: Stamp,
    sent: Stamp,
    /// JSON for `IsExternalThread`; if empty, the column is left out.
    flag: &'static str,
    sender: &'static Person,
    recipient: Option<(&'static str, &'static str)>,
    /// The right words in columns that the rule does not read.
    words_elsewhere: bool,
    /// Nobody else may bring the letters `it` along.
    avoid_it: bool,
}

impl Row {
    fn write(&self, this: &mut Gen, out: &mut Vec<u8>) {
        let start = out.len();
        let style = this.style(self.order, 0);
        let mut body = Body::open(out, Layout::Nested, style);
        if self.dress == Dress::Defender {
            body.stamp("time", self.stamp.plus(163), Format::Ticks)
                .guid("tenantId", &HOME.id);
            body.raw("operationName", "\"Publish\"")
                .raw("category", "\"AdvancedHunting-MessageEvents\"");
            body.stamp("_TimeReceivedBySvc", self.stamp, Format::Ticks);
            body.group("properties");
            self.columns(this, &mut body, true);
            body.end_group().raw("Tenant", "\"DefaultTenant\"");
        } else {
            let wire = this.rng.one_in(2);
            self.columns(this, &mut body, wire);
        }
        body.close();
        // Some exporters write a space after every colon and comma.
        if this.rng.one_in(12) {
            spread(out, start);
        }
    }

    fn columns(&self, this: &mut Gen, body: &mut Body<'_>, wire: bool) {
        let group = this.rng.guid();
        let channel = this.rng.one_in(3);
        let millis = self.sent.millis();
        let format = if wire || this.rng.one_in(2) {
            Format::Millis
        } else {
            Format::Ticks
        };
        body.stamp("Timestamp", self.sent, format)
            .stamp("LastEditedTime", self.stamp, format);
        body.key("TeamsMessageId")
            .lit("\"")
            .esc("/teams/")
            .lit(group.as_str())
            .esc("/channels/19:");
        token(&mut this.rng, body, 44);
        body.esc("@thread.tacv2/messages/").num(millis).lit("\"");
        body.text(
            "SenderEmailAddress",
            if self.words_elsewhere {
                "it-support@fabrikam.example"
            } else {
                &self.sender.upn
            },
        );
        body.text(
            "SenderDisplayName",
            if self.words_elsewhere {
                "Help Desk"
            } else {
                &self.sender.display
            },
        );
        body.guid("SenderObjectId", &self.sender.id)
            .raw("SenderType", "\"User\"");
        body.key("RecipientDetails");
        self.recipients(this, body);
        body.bool("IsOwnedThread", this.rng.one_in(2))
            .key("MessageId")
            .lit("\"")
            .num(millis)
            .lit("\"");
        body.key("ParentMessageId").lit("\"").num(millis).lit("\"");
        let name = if self.words_elsewhere {
            "Zoë's team, working from home: help desk"
        } else if self.order.escape {
            "Zoë's plan <draft>"
        } else {
            this.rng
                .word(&["Rolling stock", "", "Depot rota", "Planung Süd", "乗務員"])
        };
        if channel || self.order.escape || self.words_elsewhere {
            body.guid("GroupId", &group).text("GroupName", name);
        } else {
            body.raw("GroupId", "null").raw("GroupName", "null");
        }
        body.key("ThreadId").lit("\"19:");
        token(&mut this.rng, body, 44);
        body.lit("@thread.tacv2\"");
        if wire {
            body.text("ThreadName", name)
                .raw("ThreadType", if channel { "\"space\"" } else { "\"chat\"" });
            body.raw("ThreadSubType", "\"None\"");
        } else {
            body.raw("ThreadSubtype", "\"None\"");
        }
        if !self.flag.is_empty() {
            body.raw("IsExternalThread", self.flag);
        }
        let (kind, subtype, subject) = match wire {
            true => ("MessageType", "MessageSubtype", "Subject"),
            false => (
                "MessageFormatType",
                "MessageFormatSubtype",
                "MessageSubject",
            ),
        };
        body.raw(kind, "\"RichText\"")
            .raw(subtype, this.rng.word(&["\"Html\"", "\"Html\"", "null"]));
        body.key("MessageVersion").lit("\"").num(millis).lit("\"");
        body.text(
            subject,
            this.rng
                .word(&["", "Tuesday's rota", "Ersatzverkehr", "Can you help?"]),
        );
        if this.rng.one_in(25) {
            body.raw("ThreatTypes", "\"Phish\"").raw(
                "DetectionMethods",
                "\"{\\\"Phish\\\":[\\\"URL reputation\\\"]}\"",
            );
            body.raw("ConfidenceLevel", "\"High\"")
                .raw("DeliveryAction", "\"Blocked\"");
        } else {
            body.raw("ThreatTypes", "null")
                .raw("DetectionMethods", "null")
                .raw("ConfidenceLevel", "null");
            body.raw("DeliveryAction", "\"Delivered\"");
        }
        body.raw("DeliveryLocation", "\"Teams\"")
            .guid("ReportId", &this.rng.guid())
            .raw("SafetyTip", "null");
    }

    /// The recipients: usually one, more in group chats and until the record has its size.
    fn recipients(&self, this: &mut Gen, body: &mut Body<'_>) {
        let text = self.dress == Dress::Hunting && this.rng.one_in(3);
        let disguise = self.order.plan == Plan::Match && self.order.escape && this.rng.one_in(4);
        let start = body.out.len();
        body.lit("[");
        let mut loaded = self.recipient.map(|(display, local)| {
            // A domain without the letters `it`, so that halves stay halves.
            let address = Cow::Owned(format!("{local}@fabrikam.example"));
            Recipient {
                display: Cow::Borrowed(display),
                address,
                id: this.rng.guid(),
            }
        });
        let mut count = 0;
        // What follows the recipients takes about this much.
        while loaded.is_some() || count == 0 || this.room(body, 800) > 110 {
            let special = loaded.is_some();
            let recipient = loaded.take().unwrap_or_else(|| self.bystander(this));
            body.lit(if count == 0 { "" } else { "," });
            body.lit("{\"RecipientSmtpAddress\":")
                .quoted(&recipient.address)
                .lit(",\"RecipientDisplayName\":");
            if special && disguise {
                body.disguised(&recipient.display, 0);
            } else {
                body.quoted(&recipient.display);
            }
            body.lit(",\"RecipientObjectId\":\"")
                .lit(recipient.id.as_str())
                .lit("\",\"RecipientType\":\"User\"}");
            count += 1;
        }
        body.lit("]");
        if text {
            let native = body.out.split_off(start);
            body.lit("\"");
            embed(&native, body.out);
            body.lit("\"");
        }
    }

    fn bystander(&self, this: &mut Gen) -> Recipient<'static> {
        let person = loop {
            let person = this.rng.pick(&DIRECTORY.staff);
            if !(self.avoid_it && person.has_it) {
                break person;
            }
        };
        Recipient {
            display: Cow::Borrowed(&person.display),
            address: Cow::Borrowed(&person.upn),
            id: person.id,
        }
    }
}

/// Puts a space after every colon and comma outside strings of the JSON from `start` on.
fn spread(out: &mut Vec<u8>, start: usize) {
    let tight = out.split_off(start);
    let mut inside = false;
    let mut escaped = false;
    for byte in tight {
        out.push(byte);
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte == b'"' {
            inside = true;
        } else if matches!(byte, b':' | b',') {
            out.push(b' ');
        }
    }
}
