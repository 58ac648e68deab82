//! Microsoft Teams audit records, other than the chats that rule A is about (see `chats`).

use super::Truth;
use super::chats;
use super::clock::Format;
use super::names::{DIRECTORY, HOME, Person, Tenant};
use super::padding::Words;
use super::record::{Gen, Head, Hide, Ip, Order, Plan, audit_truth, token};
use super::rng::{Guid, Rng};
use super::writer::Body;

/// Writes one record.
pub(super) fn write(this: &mut Gen, order: Order, out: &mut Vec<u8>) -> Truth {
    if order.plan == Plan::Background {
        background(this, order, out);
    } else {
        chats::write(this, order, out);
    }
    audit_truth(order)
}

/// A Teams record's head, by somebody of the tenant.
pub(super) fn head<'a>(this: &mut Gen, operation: &'a str, actor: &'static Person) -> Head<'a> {
    Head {
        app_context: this.rng.one_in(3),
        stamp: this.clock.next(&mut this.rng),
        id: this.rng.guid(),
        operation,
        record_type: 25,
        result: None,
        user_key: actor.id.as_str(),
        user_type: 0,
        workload: "MicrosoftTeams",
        ip: if this.rng.one_in(10) {
            None
        } else {
            Some(Ip::random(&mut this.rng))
        },
        object: None,
        user: &actor.upn,
        hide: Hide::Nothing,
        drop_email: false,
    }
}

/// The properties of the client, which most Teams records carry; padding goes here.
pub(super) fn client(this: &mut Gen, order: Order, body: &mut Body<'_>, after: usize) {
    this.properties(
        body,
        "ExtraProperties",
        Words::KeyValue,
        after,
        |this, body| {
            let (zone, country, offset) = *this.rng.pick(&[
                ("Europe/Paris", "fr", "7200"),
                ("Europe/London", "gb", "3600"),
                ("America/New_York", "us", "-14400"),
                ("Asia/Tokyo", "jp", "32400"),
            ]);
            let (system, version) = *this.rng.pick(&[
                ("windows", "10"),
                ("windows", "11"),
                ("ios", "17.5.1"),
                ("mac", "14.6"),
            ]);
            Words::KeyValue.write(body, "TimeZone", zone);
            Words::KeyValue.write(body, "OsName", system);
            Words::KeyValue.write(body, "OsVersion", version);
            Words::KeyValue.write(body, "Country", country);
            Words::KeyValue.write(body, "ClientName", "skypeteams");
            body.comma().lit("{\"Key\":\"ClientVersion\",\"Value\":\"");
            body.esc("49/")
                .lit("1.0.0.20260")
                .num(u64::from(this.rng.range(10_000, 99_999)))
                .lit("\"}");
            Words::KeyValue.write(body, "ClientUtcOffsetSeconds", offset);
            if order.escape {
                Words::KeyValue.write(body, "DeviceName", "Zoë's laptop <R&D>");
            }
        },
    );
}

/// One member of a chat or team.
pub(super) fn member(
    body: &mut Body<'_>,
    tenant: Option<&Guid>,
    display: &str,
    role: Option<u32>,
    upn: &str,
) {
    member_open(body, tenant);
    body.quoted(display);
    member_close(body, role, upn);
}

pub(super) fn member_open(body: &mut Body<'_>, tenant: Option<&Guid>) {
    body.comma().lit("{");
    if let Some(tenant) = tenant {
        body.lit("\"OrganizationId\":\"")
            .lit(tenant.as_str())
            .lit("\",");
    }
    body.lit("\"DisplayName\":");
}

pub(super) fn member_close(body: &mut Body<'_>, role: Option<u32>, upn: &str) {
    if let Some(role) = role {
        body.lit(",\"Role\":").num(u64::from(role));
    }
    body.lit(",\"UPN\":").quoted(upn).lit("}");
}

/// The three lists that say which organisations take part.
pub(super) fn participants(body: &mut Body<'_>, tenants: &[&Tenant]) {
    body.list("ParticipatingDomains", |body| {
        for tenant in tenants {
            body.comma().quoted(tenant.domain);
        }
    });
    body.list("ParticipatingSIPDomains", |body| {
        for tenant in tenants {
            body.comma().lit("{\"DomainName\":").quoted(tenant.domain);
            body.lit(",\"TenantId\":\"")
                .lit(tenant.id.as_str())
                .lit("\"}");
        }
    });
    body.list("ParticipatingTenantIds", |body| {
        for tenant in tenants {
            body.comma().quoted(tenant.id.as_str());
        }
    });
}

/// A thread id: of two people, a group chat, a channel or a meeting.
pub(super) fn thread(rng: &mut Rng, body: &mut Body<'_>, kind: &str) {
    match kind {
        "OneOnOne" => body
            .lit("19:")
            .lit(rng.guid().as_str())
            .lit("_")
            .lit(rng.guid().as_str())
            .lit("@unq.gbl.spaces"),
        "Team" => {
            body.lit("19:");
            token(rng, body, 43);
            body.lit("1@thread.tacv2")
        }
        "GroupCall" => body
            .lit("19:meeting_")
            .lit(rng.guid().as_str())
            .lit("@thread.v2"),
        _ => body.lit("19:").lit(rng.guid().as_str()).lit("@thread.v2"),
    };
}

/// Texts that people see where rule A does not look.
const NOISE: &[&str] = &["Help Desk", "IT Help Desk", "Microsoft Support", "helpdesk"];
const TEAMS: &[&str] = &[
    "Rolling Stock",
    "Timetable 2027",
    "People's Assembly",
    "Ventes & Marketing",
    "Betriebsrat",
    "運行管理",
];

fn background(this: &mut Gen, order: Order, out: &mut Vec<u8>) {
    let style = this.style(order, 0);
    let actor = this.rng.pick(&DIRECTORY.staff);
    let operation = match this.rng.below(100) {
        0..30 => "MessageSent",
        30..42 => "MessageCreatedHasLink",
        42..52 => "ReactedToMessage",
        52..64 => "TeamsSessionStarted",
        64..72 => "ChatRetrieved",
        72..78 => "MessageRead",
        78..84 => "MeetingDetail",
        84..91 => "MeetingParticipantDetail",
        91..95 => "CallParticipantDetail",
        95..98 => "MemberAdded",
        _ => "ChatUpdated",
    };
    let head = head(this, operation, actor);
    let mut body = Body::open(out, order.layout, style);
    head.begin(order, &mut this.rng, &mut body);
    match operation {
        "TeamsSessionStarted" => {
            body.text(
                "ObjectId",
                this.rng
                    .word(&["Unknown (Unknown)", "desktop (b05e93f1)", "web (7c41d0a2)"]),
            );
            client(this, order, &mut body, 60);
            body.number("CommunicationSubType", 0);
        }
        "MeetingDetail" | "MeetingParticipantDetail" | "CallParticipantDetail" => {
            meeting(this, order, &mut body, &head, actor);
        }
        "MemberAdded" => team(this, order, &mut body),
        _ => message(this, order, &mut body, &head, actor),
    }
    head.finish(order, body);
}

/// A chat or channel message, and what is done with one.
fn message(this: &mut Gen, order: Order, body: &mut Body<'_>, head: &Head<'_>, actor: &Person) {
    let kind = this
        .rng
        .word(&["OneOnOne", "OneOnOne", "GroupChat", "Team"]);
    body.key("ChatThreadId").lit("\"");
    thread(&mut this.rng, body, kind);
    body.lit("\"").plain("CommunicationType", kind);
    let foreign = this.rng.one_in(3);
    client(this, order, body, if kind == "Team" { 250 } else { 750 });
    let id = head.stamp.millis();
    body.key("MessageId")
        .lit("\"")
        .num(id)
        .lit("\"")
        .key("MessageVersion")
        .lit("\"")
        .num(id)
        .lit("\"");
    if head.operation == "MessageCreatedHasLink" {
        body.list("MessageURLs", |body| {
            for _ in 0..this.rng.range(1, 4) {
                body.comma()
                    .lit("\"")
                    .esc("https://intranet.contoso.example/pages/")
                    .num(u64::from(this.rng.below(9999)));
                body.esc("?view=full&ref=teams").lit("\"");
            }
        });
    }
    if head.operation == "ReactedToMessage" {
        body.plain(
            "MessageReactionType",
            this.rng
                .word(&["like", "heart", "laugh", "1f389_partypopper"]),
        );
    }
    if kind == "Team" {
        let name = this.rng.word(TEAMS);
        body.key("TeamGuid").lit("\"");
        thread(&mut this.rng, body, kind);
        body.lit("\"")
            .guid("AADGroupId", &this.rng.guid())
            .text("ChannelName", "General")
            .text("TeamName", name);
        return;
    }
    // A few foreign help desks write messages: alike in everything but the operation.
    let noise = foreign && this.rng.one_in(40);
    let other = this.rng.pick(if foreign {
        &DIRECTORY.outsiders
    } else {
        &DIRECTORY.staff
    });
    let display = if noise {
        this.rng.word(NOISE)
    } else {
        &other.display
    };
    if kind == "GroupChat" && this.rng.one_in(2) {
        body.text(
            "ChatName",
            if noise { display } else { this.rng.word(TEAMS) },
        );
    }
    body.list("Members", |body| {
        member(body, Some(&HOME.id), &actor.display, None, &actor.upn);
        member(body, Some(&other.tenant.id), display, None, &other.upn);
    });
    body.group("ParticipantInfo");
    body.bool("HasForeignTenantUsers", foreign)
        .bool("HasGuestUsers", this.rng.one_in(20));
    body.raw("HasOtherGuestUsers", "false")
        .raw("HasUnauthenticatedUsers", "false");
    let tenants: &[&Tenant] = if foreign {
        &[&HOME, other.tenant]
    } else {
        &[&HOME]
    };
    participants(body, tenants);
    body.end_group().guid("ResourceTenantId", &HOME.id);
}

/// Meetings and calls, and who took part.
fn meeting(this: &mut Gen, order: Order, body: &mut Body<'_>, head: &Head<'_>, actor: &Person) {
    let call = head.operation == "CallParticipantDetail";
    let length = i64::from(this.rng.range(120, 5400));
    if head.operation == "MeetingDetail" {
        body.key("ChatThreadId").lit("\"");
        thread(&mut this.rng, body, "GroupCall");
        body.lit("\"")
            .raw("CommunicationSubType", "\"Unavailable\"")
            .raw("CommunicationType", "\"Scheduled\"");
        body.stamp("EndTime", head.stamp, Format::Ticks);
        client(this, order, body, 700);
        body.key("MeetingURL")
            .lit("\"")
            .esc("https://teams.example.com/l/meetup-join/19%3ameeting_");
        token(&mut this.rng, body, 48);
        body.esc("%40thread.v2/0?context=%7b%22Tid%22%7d&type=join")
            .lit("\"")
            .raw("Modalities", "[1,2,5]");
        body.group("Organizer")
            .guid("OrganizationId", &HOME.id)
            .raw("RecipientType", "\"User\"");
        body.text("UPN", &actor.upn)
            .guid("UserObjectId", &actor.id)
            .end_group();
        body.stamp("StartTime", head.stamp.plus(-length), Format::Ticks)
            .guid("ItemName", &this.rng.guid());
        return;
    }
    body.raw(
        "ArtifactsShared",
        this.rng
            .word(&["[]", "[{\"ArtifactSharedName\":\"videoStreaming\"}]"]),
    );
    let attendees = this.rng.range(1, 4);
    body.list("Attendees", |body| {
        for _ in 0..attendees {
            let outside = this.rng.one_in(3);
            let person = this.rng.pick(if outside {
                &DIRECTORY.outsiders
            } else {
                &DIRECTORY.staff
            });
            body.comma()
                .lit("{\"OrganizationId\":\"")
                .lit(person.tenant.id.as_str());
            body.lit("\",\"RecipientType\":\"User\",\"DisplayName\":")
                .quoted(&person.display);
            body.lit(",\"UPN\":")
                .quoted(&person.upn)
                .lit(",\"UserObjectId\":\"")
                .lit(person.id.as_str())
                .lit("\"}");
        }
    });
    body.guid(
        if call { "CallId" } else { "MeetingDetailId" },
        &this.rng.guid(),
    );
    body.raw(
        "CommunicationType",
        if call {
            "\"OneOnOne\""
        } else {
            "\"GroupCall\""
        },
    );
    body.text("DeviceInformation", "Windows|10.0 Teams/49");
    client(this, order, body, 260);
    body.raw("ExternalParticipants", "null")
        .bool("IsJoinedFromLobby", this.rng.one_in(5));
    body.stamp("JoinTime", head.stamp.plus(-length), Format::Ticks)
        .stamp("LeaveTime", head.stamp, Format::Ticks);
    body.guid("ItemName", &this.rng.guid());
}

/// People added to a team.
fn team(this: &mut Gen, order: Order, body: &mut Body<'_>) {
    let name = this.rng.word(TEAMS);
    body.guid("AADGroupId", &this.rng.guid())
        .raw("CommunicationType", "\"Team\"");
    let members = this.rng.range(1, 5);
    client(this, order, body, 130 * members as usize + 150);
    body.list("Members", |body| {
        for _ in 0..members {
            let person = this.rng.pick(&DIRECTORY.staff);
            let role = this.rng.below(3);
            member(body, None, &person.display, Some(role), &person.upn);
        }
    });
    body.key("TeamGuid").lit("\"");
    thread(&mut this.rng, body, "Team");
    body.lit("\"").text("ItemName", name).text("TeamName", name);
}
