//! What every audit record has in common: the fields at its head, the ECS fields derived from them, and padding.

use super::Truth;
use super::clock::{Clock, Format, Stamp};
use super::names::{Address, HOME};
use super::padding::{Words, property};
use super::rng::{Guid, Rng};
use super::writer::{Body, Layout, Style};

/// What a record is meant to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Cannot match, and is not meant to look as if it could.
    Background,
    /// Has what a pre-filter looks for, but does not match: often only just.
    Candidate,
    /// Matches the rule of its kind.
    Match,
}

/// How one record is to be written.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub plan: Plan,
    /// An ECS document instead of the raw record.
    pub ecs: bool,
    pub layout: Layout,
    /// Hold at least one `\u00xx`.
    pub escape: bool,
}

/// The state that records are drawn from.
pub(super) struct Gen {
    pub rng: Rng,
    pub clock: Clock,
    target: Option<usize>,
    /// How far the records so far fall short of the target (or overshoot it), in bytes.
    behind: i64,
    /// Where in the buffer the record now being written should end.
    goal: usize,
}

/// The fields every audit record begins with, in the order the real ones have.
pub(super) struct Head<'a> {
    pub app_context: bool,
    pub stamp: Stamp,
    pub id: Guid,
    pub operation: &'a str,
    pub record_type: u16,
    pub result: Option<&'a str>,
    pub user_key: &'a str,
    pub user_type: u8,
    pub workload: &'a str,
    pub ip: Option<Ip>,
    pub object: Option<&'a str>,
    pub user: &'a str,
    pub hide: Hide,
    /// ECS documents only: leave out `user.email`, as an operator's own pipeline may.
    pub drop_email: bool,
}

/// What a disguised record spells with an escape.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hide {
    Nothing,
    Operation,
    User,
    /// The display name that a chat matches by.
    Member,
}

/// A client address and how the record spells it.
pub(super) struct Ip {
    address: Address,
    form: u8,
    port: u16,
}

impl Ip {
    pub fn random(rng: &mut Rng) -> Self {
        let form = if rng.one_in(6) {
            rng.below(3) as u8 + 1
        } else {
            0
        };
        Self {
            address: Address::random(rng),
            form,
            port: rng.range(1024, 65_535) as u16,
        }
    }

    /// `192.0.2.7`, `192.0.2.7:51522`, `::ffff:192.0.2.7`, `[::ffff:192.0.2.7]:51522` and the like.
    fn write(&self, body: &mut Body<'_>) {
        let text = self.address.as_str();
        let v6 = text.contains(':');
        match (self.form, v6) {
            (0, _) | (2, true) => body.lit(text),
            (1, false) => body.lit(text).lit(":").num(u64::from(self.port)),
            (2, false) => body.lit("::ffff:").lit(text),
            (_, false) => body
                .lit("[::ffff:")
                .lit(text)
                .lit("]:")
                .num(u64::from(self.port)),
            (_, true) => body.lit("[").lit(text).lit("]:").num(u64::from(self.port)),
        };
    }
}

impl Gen {
    pub fn new(seed: u64, at: i64, target: Option<usize>) -> Self {
        Self {
            rng: Rng::new(seed),
            clock: Clock::new(at),
            target,
            behind: 0,
            goal: 0,
        }
    }

    /// Sets how long the record that begins at `start` should get.
    pub fn aim(&mut self, start: usize) {
        let Some(target) = self.target else { return };
        // Sizes spread by 40 % around the target; what earlier records missed is made up for slowly.
        let spread = target * self.rng.range(60, 140) as usize / 100;
        let want = (spread as i64 + self.behind / 8).clamp(0, target as i64 * 3);
        self.goal = start + want as usize;
    }

    /// Counts what the record that began at `start` came to.
    pub fn landed(&mut self, start: usize, end: usize) {
        if let Some(target) = self.target {
            self.behind += target as i64 - (end - start) as i64;
        }
    }

    /// How many bytes the record may still take, if `after` more follow for certain.
    pub fn room(&self, body: &Body<'_>, after: usize) -> usize {
        self.goal.saturating_sub(body.out.len() + after)
    }

    /// The style of one record; the older services write `\/`.
    pub fn style(&mut self, order: Order, slash_in_ten: u32) -> Style {
        Style {
            escape: order.escape,
            slash: self.rng.below(10) < slash_in_ten,
        }
    }

    /// Writes a list of named values under `name`: what `own` adds, then realistic ones until the record, with `after`
    /// more bytes, has the length aimed at.
    pub fn properties(
        &mut self,
        body: &mut Body<'_>,
        name: &str,
        words: Words,
        after: usize,
        own: impl FnOnce(&mut Gen, &mut Body<'_>),
    ) {
        body.list(name, |body| {
            own(self, body);
            loop {
                let room = self.room(body, after);
                if room < 40 {
                    break;
                }
                property(&mut self.rng, body, words, room);
            }
        });
    }
}

impl Head<'_> {
    /// Writes everything up to the record's own fields.
    pub fn begin(&self, order: Order, rng: &mut Rng, body: &mut Body<'_>) {
        if order.ecs {
            self.ecs_front(body);
        }
        if self.app_context {
            body.group("AppAccessContext");
            body.guid("AADSessionId", &rng.guid());
            body.stamp(
                "IssuedAtTime",
                self.stamp.plus(-i64::from(rng.range(60, 80_000))),
                Format::Bare,
            );
            body.key("UniqueTokenId").lit("\"");
            token(rng, body, 22);
            body.lit("\"").end_group();
        }
        body.stamp("CreationTime", self.stamp, Format::Bare)
            .guid("Id", &self.id);
        self.spell(body, "Operation", self.operation, Hide::Operation);
        body.guid("OrganizationId", &HOME.id);
        // The integration keeps these three as text.
        let quote = if order.ecs { "\"" } else { "" };
        body.key("RecordType")
            .lit(quote)
            .num(u64::from(self.record_type))
            .lit(quote);
        if let Some(result) = self.result {
            body.plain("ResultStatus", result);
        }
        body.text("UserKey", self.user_key);
        body.key("UserType")
            .lit(quote)
            .num(u64::from(self.user_type))
            .lit(quote);
        body.key("Version").lit(quote).lit("1").lit(quote);
        body.plain("Workload", self.workload);
        if let Some(ip) = &self.ip {
            body.key("ClientIP").lit("\"");
            ip.write(body);
            body.lit("\"");
        }
        if let Some(object) = self.object {
            body.text("ObjectId", object);
        }
        self.spell(body, "UserId", self.user, Hide::User);
    }

    /// Writes what follows the record's own fields, and ends the record.
    pub fn finish(&self, order: Order, mut body: Body<'_>) {
        if order.ecs {
            self.ecs_back(&mut body);
        }
        body.close();
    }

    /// A text member, disguised if it is what this record hides.
    fn spell(&self, body: &mut Body<'_>, key: &str, value: &str, what: Hide) {
        if self.hide == what {
            body.key(key)
                .disguised(value, if what == Hide::User { 0 } else { 7 });
        } else {
            body.text(key, value);
        }
    }

    fn ecs_front(&self, body: &mut Body<'_>) {
        body.stamp("@timestamp", self.stamp, Format::Millis);
        body.group("data_stream");
        body.raw("dataset", "\"o365.audit\"")
            .raw("namespace", "\"default\"")
            .raw("type", "\"logs\"")
            .end_group();
        body.group("ecs").raw("version", "\"8.11.0\"").end_group();
        body.group("event");
        // Of the actions seen here, the integration renames this one.
        let action = if self.operation == "MemberAdded" {
            "added-users-to-team"
        } else {
            self.operation
        };
        self.spell(body, "action", action, Hide::Operation);
        body.raw(
            "category",
            if self.operation.starts_with("UserLog") {
                "[\"authentication\"]"
            } else {
                "[\"web\"]"
            },
        );
        body.plain("code", self.workload)
            .raw("dataset", "\"o365.audit\"")
            .guid("id", &self.id);
        body.stamp("ingested", self.stamp.plus(95), Format::Seconds)
            .raw("kind", "\"event\"")
            .raw("module", "\"o365\"");
        body.plain("outcome", self.outcome())
            .plain("provider", self.workload)
            .raw("type", "[\"info\"]")
            .end_group();
        body.group("input").raw("type", "\"o365audit\"").end_group();
        body.group("o365").group("audit");
    }

    fn ecs_back(&self, body: &mut Body<'_>) {
        body.end_group().end_group();
        body.group("organization").guid("id", &HOME.id).end_group();
        if let Some(ip) = &self.ip {
            body.group("source")
                .plain("ip", ip.address.as_str())
                .end_group();
        }
        body.raw("tags", "[\"forwarded\",\"o365-audit\"]");
        body.group("user");
        let mut parts = self.user.split('@');
        if let (Some(name), Some(domain), None) = (parts.next(), parts.next(), parts.next()) {
            body.text("domain", domain);
            if !self.drop_email {
                self.spell(body, "email", self.user, Hide::User);
            }
            self.spell(body, "id", self.user, Hide::User);
            self.spell(body, "name", name, Hide::User);
        } else {
            body.text("id", self.user);
        }
        body.end_group();
    }

    /// What the integration makes of `ResultStatus`.
    fn outcome(&self) -> &'static str {
        match self.result {
            Some("Failed" | "False") => "failure",
            _ => "success",
        }
    }
}

/// A random token of `len` characters, as service ids have them.
pub(super) fn token(rng: &mut Rng, body: &mut Body<'_>, len: usize) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789-_0123456";
    let mut bits = 0;
    for at in 0..len {
        if at % 10 == 0 {
            bits = rng.u64();
        }
        body.out.push(LETTERS[(bits & 63) as usize]);
        bits >>= 6;
    }
}

/// The truth about one record of the kinds that rule A is about.
pub(super) fn audit_truth(order: Order) -> Truth {
    Truth {
        records: 1,
        candidates: u32::from(order.plan != Plan::Background),
        matches_a: u32::from(order.plan == Plan::Match),
        matches_b: 0,
        escaped: u32::from(order.escape),
    }
}
