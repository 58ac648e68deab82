//! New chats, which rule A is about: those that match, those that nearly do, and harmless ones.

use std::borrow::Cow;

use super::names::{DIRECTORY, HOME, Person, Tenant};
use super::record::{Gen, Hide, Order, Plan};
use super::rng::Rng;
use super::teams::{client, head, member, member_close, member_open, participants, thread};
use super::writer::Body;

/// What `o365.audit.Members` may equal.
const NAMES: &[&str] = &[
    "Help Desk",
    "Help Desk Team",
    "Help Desk IT",
    "IT Help Desk",
    "Microsoft Security",
    "Microsoft  Security",
    "Microsoft Support",
];
/// What `user.email` may contain.
const IN_EMAIL: &[&str] = &[
    "helpdesk",
    "help.desk",
    "help-desk",
    "help_desk",
    "ithelp",
    "it.help",
    "itsupport",
    "it.support",
    "it-support",
];
/// What `user.name` may contain.
const IN_NAME: &[&str] = &["helpdesk", "help-desk", "ithelp", "itsupport"];

/// A chat between two people, before it is written.
struct Chat {
    creator: &'static Person,
    other: &'static Person,
    user: Cow<'static, str>,
    creator_name: Cow<'static, str>,
    other_name: Cow<'static, str>,
    kind: &'static str,
    /// JSON for the three flags; a flag without any is left out.
    foreign: Option<&'static str>,
    guests: Option<&'static str>,
    other_guests: Option<&'static str>,
    result: Option<&'static str>,
    /// More people, of the tenant.
    more: u32,
    title: Option<&'static str>,
    hide: Hide,
    drop_email: bool,
}

pub(super) fn write(this: &mut Gen, order: Order, out: &mut Vec<u8>) {
    let mut chat = match order.plan {
        Plan::Match => matching(&mut this.rng, order),
        _ => match this.rng.below(100) {
            0..40 => inside(&mut this.rng),
            40..55 => outside(&mut this.rng),
            _ => near_miss(&mut this.rng, order),
        },
    };
    if this.rng.one_in(20) && chat.result.is_none() {
        // Teams leaves it out, but it is read as success either way.
        chat.result = Some("Succeeded");
    }
    let mut head = head(this, "ChatCreated", chat.creator);
    head.user = &chat.user;
    head.result = chat.result;
    head.hide = chat.hide;
    head.drop_email = chat.drop_email;
    let style = this.style(order, 0);
    let mut body = Body::open(out, order.layout, style);
    head.begin(order, &mut this.rng, &mut body);
    body.key("ChatThreadId").lit("\"");
    let at = body.out.len();
    thread(&mut this.rng, &mut body, chat.kind);
    let thread = at..body.out.len();
    body.lit("\"").plain("CommunicationType", chat.kind);
    client(this, order, &mut body, 1000 + 130 * chat.more as usize);
    if let Some(title) = chat.title {
        body.text("ChatName", title);
    }
    let role = this.rng.one_in(5).then_some(1);
    body.list("Members", |body| {
        let creator_tenant = this.rng.chance(0.9).then_some(&chat.creator.tenant.id);
        if chat.hide == Hide::Member {
            member_open(body, creator_tenant);
            body.disguised(&chat.creator_name, 1);
            member_close(body, role, &chat.user);
        } else {
            member(body, creator_tenant, &chat.creator_name, role, &chat.user);
        }
        member(
            body,
            Some(&chat.other.tenant.id),
            &chat.other_name,
            role.map(|_| 0),
            &chat.other.upn,
        );
        for _ in 0..chat.more {
            let person = this.rng.pick(&DIRECTORY.staff);
            member(
                body,
                Some(&HOME.id),
                &person.display,
                role.map(|_| 0),
                &person.upn,
            );
        }
    });
    body.group("ParticipantInfo");
    for (name, flag) in [
        ("HasForeignTenantUsers", chat.foreign),
        ("HasGuestUsers", chat.guests),
        ("HasOtherGuestUsers", chat.other_guests),
        ("HasUnauthenticatedUsers", Some("false")),
    ] {
        if let Some(flag) = flag {
            body.raw(name, flag);
        }
    }
    let both: [&Tenant; 2] = [chat.creator.tenant, chat.other.tenant];
    let same = both[0].id == both[1].id;
    participants(&mut body, if same { &both[..1] } else { &both });
    body.end_group()
        .guid("ResourceTenantId", &chat.creator.tenant.id);
    body.key("ItemName").lit("\"");
    body.out.extend_from_within(thread);
    body.lit("\"");
    head.finish(order, body);
}

/// A harmless chat that somebody of another tenant began with somebody of this one.
fn outside(rng: &mut Rng) -> Chat {
    let creator = rng.pick(&DIRECTORY.outsiders);
    let other = rng.pick(&DIRECTORY.staff);
    Chat {
        creator,
        other,
        user: Cow::Borrowed(&creator.upn),
        creator_name: Cow::Borrowed(&creator.display),
        other_name: Cow::Borrowed(&other.display),
        kind: "OneOnOne",
        foreign: Some("true"),
        guests: Some("false"),
        other_guests: Some("false"),
        result: None,
        more: 0,
        title: None,
        hide: Hide::Nothing,
        drop_email: false,
    }
}

/// A harmless chat among colleagues.
fn inside(rng: &mut Rng) -> Chat {
    let creator = rng.pick(&DIRECTORY.staff);
    let group = rng.one_in(4);
    Chat {
        creator,
        user: Cow::Borrowed(&creator.upn),
        creator_name: Cow::Borrowed(&creator.display),
        kind: if group { "GroupChat" } else { "OneOnOne" },
        foreign: Some("false"),
        more: if group { rng.range(1, 6) } else { 0 },
        title: (group && rng.one_in(2)).then_some("Weekly stand-up"),
        ..outside(rng)
    }
}

/// A chat that matches by a member's name, by the address or by the name before the `@`.
fn matching(rng: &mut Rng, order: Order) -> Chat {
    let mut chat = outside(rng);
    // Documents may carry flags as text.
    if order.ecs && rng.one_in(10) {
        chat.foreign = Some("\"true\"");
        chat.guests = Some("\"false\"");
    }
    let hide = match order.escape && rng.one_in(4) {
        true => *rng.pick(&[Hide::Operation, Hide::User, Hide::Member]),
        false => Hide::Nothing,
    };
    match rng.below(3) {
        0 => {
            let name = Cow::Borrowed(rng.word(NAMES));
            // Whose name it is makes no difference to the rule.
            if rng.one_in(8) && hide != Hide::Member {
                chat.other_name = name;
            } else {
                chat.creator_name = name;
            }
            chat.hide = if hide == Hide::User {
                Hide::Operation
            } else {
                hide
            };
        }
        1 => {
            let keyword = rng.word(IN_EMAIL);
            let domain = chat.creator.tenant.domain;
            chat.user = Cow::Owned(match rng.below(5) {
                0 => format!(
                    "{}@{keyword}.example",
                    chat.creator.upn.split('@').next().unwrap_or("a")
                ),
                1 => format!("{keyword}{}@{domain}", rng.range(1, 30)),
                2 => format!("contoso.{keyword}@{domain}"),
                _ => format!("{keyword}@{domain}"),
            });
            chat.hide = if hide == Hide::Member {
                Hide::Operation
            } else {
                hide
            };
        }
        _ => {
            let keyword = rng.word(IN_NAME);
            chat.user = Cow::Owned(format!(
                "{keyword}{}@{}",
                rng.range(1, 99),
                chat.creator.tenant.domain
            ));
            chat.drop_email = order.ecs && rng.one_in(2);
            chat.hide = if hide == Hide::Member {
                Hide::Operation
            } else {
                hide
            };
        }
    }
    chat
}

/// A chat that differs from a matching one in a single point.
fn near_miss(rng: &mut Rng, order: Order) -> Chat {
    let mut chat = outside(rng);
    let domain = chat.creator.tenant.domain;
    match rng.below(9) {
        // Names that are nearly right.
        0 => {
            chat.creator_name = Cow::Borrowed(rng.word(&[
                "Help desk",
                "help desk",
                "HELP DESK",
                "Helpdesk",
                "Help  Desk",
                " Help Desk",
                "Help Desk ",
                "IT Helpdesk",
                "Help Desk 2",
                "Microsoft   Security",
                "Microsoft\u{a0}Security",
                "MicrosoftSecurity",
                "Microsoft support",
                "Microsoft Support Team",
                "Microsoft Help Desk",
            ]));
        }
        // Addresses that are nearly right.
        1 => {
            let local = rng.word(&[
                "HelpDesk",
                "Help.Desk",
                "HELPDESK",
                "IT.Support",
                "ITSupport",
                "it_support",
                "it_help",
                "help+desk",
                "help--desk",
                "desk.help",
                "support.it",
            ]);
            chat.user = Cow::Owned(format!("{local}@{domain}"));
        }
        // An account that is no address: it gives neither user.email nor user.name.
        2 => {
            chat.user = Cow::Owned(format!(
                "{}{}",
                rng.word(IN_NAME),
                rng.word(&["", "@contoso@fabrikam.example"])
            ))
        }
        // The right words where the rule does not look.
        3 => chat.title = Some(rng.word(NAMES)),
        // The right words, and something else is not as it must be.
        _ => {
            let matching = matching(
                rng,
                Order {
                    escape: false,
                    ..order
                },
            );
            chat = matching;
            match rng.below(10) {
                0 => chat.foreign = Some("false"),
                1 => chat.guests = Some("true"),
                2 => chat.other_guests = Some("true"),
                3 => {
                    chat.kind = "GroupChat";
                    chat.more = rng.range(1, 5);
                }
                4 => chat.result = Some("Failed"),
                5 => chat.foreign = None,
                6 => chat.guests = None,
                7 => chat.other_guests = None,
                8 => chat.guests = Some("null"),
                _ => {
                    chat.guests = Some("true");
                    chat.foreign = Some("false");
                }
            }
        }
    }
    chat
}
