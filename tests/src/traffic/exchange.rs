//! Exchange audit records: administration (with `\/` and system accounts) and mailbox access (with CRLF in a text).

use super::Truth;
use super::names::{DIRECTORY, HOME, Person};
use super::padding::Words;
use super::record::{Gen, Head, Hide, Ip, Order, audit_truth, token};
use super::rng::Rng;
use super::writer::Body;

const FOLDERS: &[&str] = &[
    "\\Inbox",
    "\\Sent Items",
    "\\Drafts",
    "\\Boîte de réception",
    "\\Recoverable Items\\Deletions",
];
const SYSTEM: &str = "NT AUTHORITY\\SYSTEM (Microsoft.Exchange.ServiceHost)";

/// Writes one record.
pub(super) fn write(this: &mut Gen, order: Order, out: &mut Vec<u8>) -> Truth {
    let operation = match this.rng.below(100) {
        0..25 => "Set-Mailbox",
        25..32 => "Add-MailboxPermission",
        32..40 => "New-InboxRule",
        40..70 => "MailItemsAccessed",
        70..80 => "Send",
        80..90 => "HardDelete",
        _ => "UpdateInboxRules",
    };
    let cmdlet = operation.contains('-');
    let actor = this.rng.pick(&DIRECTORY.staff);
    let system = cmdlet && operation != "New-InboxRule";
    let object = cmdlet.then(|| match system {
        true => format!(
            "EURPR07A001.PROD.OUTLOOK.EXAMPLE/Hosted Organizations/{}/{}",
            HOME.domain, actor.display
        ),
        false => format!(
            "{}\\Invoices {}",
            actor.upn.split('@').next().unwrap_or_default(),
            this.rng.below(90)
        ),
    });
    let head = Head {
        app_context: !cmdlet && this.rng.one_in(4),
        stamp: this.clock.next(&mut this.rng),
        id: this.rng.guid(),
        operation,
        record_type: if cmdlet {
            1
        } else {
            [2, 50][usize::from(operation == "MailItemsAccessed")]
        },
        result: Some(if cmdlet {
            this.rng.word(&["True", "True", "True", "False"])
        } else {
            this.rng.word(&[
                "Succeeded",
                "Succeeded",
                "Succeeded",
                "PartiallySucceeded",
                "Failed",
            ])
        }),
        user_key: if system { SYSTEM } else { &actor.puid },
        user_type: if system { 3 } else { 0 },
        workload: "Exchange",
        ip: if system {
            None
        } else {
            Some(Ip::random(&mut this.rng))
        },
        object: object.as_deref(),
        user: if system { SYSTEM } else { &actor.upn },
        hide: Hide::Nothing,
        drop_email: false,
    };
    let style = this.style(order, 6);
    let mut body = Body::open(out, order.layout, style);
    head.begin(order, &mut this.rng, &mut body);
    if cmdlet {
        body.raw("AppId", "\"\"")
            .raw("ClientAppId", "\"\"")
            .bool("ExternalAccess", system);
        origin(&mut this.rng, order, &mut body);
        parameters(this, order, &mut body, &head, actor);
    } else {
        mailbox(this, order, &mut body, &head, actor);
    }
    head.finish(order, body);
    audit_truth(order)
}

/// Organisation and server. The server's name ends in CRLF in most real records, which some write with long escapes.
fn origin(rng: &mut Rng, order: Order, body: &mut Body<'_>) {
    body.raw("OrganizationName", "\"contoso.onmicrosoft.example\"");
    body.key("OriginatingServer")
        .lit("\"VI1PR07MB")
        .padded(u64::from(rng.below(10_000)), 4);
    body.lit(" (15.20.")
        .num(u64::from(rng.range(4000, 9999)))
        .lit(".0")
        .num(u64::from(rng.range(10, 40)))
        .lit(")");
    body.lit(if order.escape {
        "\\u000d\\u000a\""
    } else {
        "\\r\\n\""
    });
}

/// A cmdlet's parameters.
fn parameters(this: &mut Gen, order: Order, body: &mut Body<'_>, head: &Head<'_>, actor: &Person) {
    let words = Words::Parameter;
    let identity = head.object.unwrap_or_default();
    this.properties(body, "Parameters", words, 80, |this, body| {
        match head.operation {
            "Set-Mailbox" => {
                words.write(
                    body,
                    "RecoverableItemsQuota",
                    "30 GB (32,212,254,720 bytes)",
                );
                words.write(body, "ProhibitSendQuota", "99 GB (106,300,440,576 bytes)");
                for name in [
                    "Force",
                    "HiddenFromAddressListsEnabled",
                    "SCLDeleteEnabled",
                    "SCLJunkEnabled",
                ] {
                    words.write(
                        body,
                        name,
                        if this.rng.one_in(2) { "True" } else { "False" },
                    );
                }
                words.write(body, "IssueWarningQuota", "90 GB (96,636,764,160 bytes)");
                words.write(body, "Identity", identity);
            }
            "Add-MailboxPermission" => {
                words.write(body, "DomainController", "");
                words.write(body, "Identity", identity);
                words.write(
                    body,
                    "User",
                    if this.rng.one_in(9) {
                        "helpdesk@contoso.example"
                    } else {
                        &actor.upn
                    },
                );
                words.write(body, "AccessRights", "FullAccess");
            }
            _ => {
                words.write(body, "Name", "Facturation & devis");
                words.write(
                    body,
                    "SubjectOrBodyContainsWords",
                    "invoice;payment;help desk;it support",
                );
                words.write(body, "MoveToFolder", "Archive");
                words.write(body, "StopProcessingRules", "True");
            }
        }
    });
    if !order.ecs || this.rng.one_in(2) {
        body.guid("SessionId", &this.rng.guid());
    }
}

/// What somebody did in a mailbox.
fn mailbox(this: &mut Gen, order: Order, body: &mut Body<'_>, head: &Head<'_>, actor: &Person) {
    body.guid("AppId", &this.rng.guid())
        .raw("ClientAppId", "\"\"");
    body.text(
        "ClientInfoString",
        this.rng.word(&[
            "Client=OWA;Action=ViaProxy",
            "Client=REST;Client=RESTSystem;;",
        ]),
    );
    body.raw("ExternalAccess", this.rng.word(&["false", "\"False\""]))
        .number("InternalLogonType", 0);
    body.number("LogonType", 0);
    let sid = this.rng.range(1_000_000, 99_999_999);
    for key in ["LogonUserSid", "MailboxOwnerSid"] {
        body.key(key)
            .lit("\"S-1-5-21-1004336348-1177238915-682003330-")
            .num(u64::from(sid))
            .lit("\"");
    }
    body.guid("MailboxGuid", &actor.id)
        .text("MailboxOwnerUPN", &actor.upn);
    if head.operation == "UpdateInboxRules" {
        body.key("OperationProperties")
            .lit(r#"[{"Name":"RuleOperation","Value":"AddMailboxRule"},"#);
        body.lit(
            r#"{"Name":"RuleName"},{"Name":"RuleActions","Value":"[{\"ActionType\":\"Forward\","#,
        );
        body.lit(r#"\"Recipients\":[\"archive@example.org\"],\"ForwardFlags\":\"None\"}]"}]"#);
    }
    origin(&mut this.rng, order, body);
    body.guid("SessionId", &this.rng.guid());
    if head.operation == "Send" {
        body.group("Item").key("Id").lit("\"");
        item(&mut this.rng, body);
        body.lit("\"").key("InternetMessageId").lit("\"");
        message_id(&mut this.rng, body);
        body.lit("\"").bool("IsRecord", false);
        body.group("ParentFolder").key("Id").lit("\"");
        item(&mut this.rng, body);
        body.lit("\"")
            .text("Path", this.rng.word(FOLDERS))
            .end_group();
        body.number("SizeInBytes", u64::from(this.rng.range(900, 900_000)));
        body.text(
            "Subject",
            this.rng.word(&[
                "Zoë's notes",
                "RE: <urgent> help desk",
                "Angebot 2027",
                "時刻表",
            ]),
        )
        .end_group();
        return;
    }
    let name = if head.operation == "MailItemsAccessed" {
        "Folders"
    } else {
        "AffectedItems"
    };
    let mut count = 0;
    body.list(name, |body| {
        body.comma().lit("{\"FolderItems\":[");
        while count == 0 || this.room(body, 220) > 160 {
            body.lit(if count == 0 {
                "{\"InternetMessageId\":\""
            } else {
                ",{\"InternetMessageId\":\""
            });
            message_id(&mut this.rng, body);
            body.lit("\",\"SizeInBytes\":")
                .num(u64::from(this.rng.range(900, 900_000)))
                .lit("}");
            count += 1;
        }
        body.lit("],\"Id\":\"");
        item(&mut this.rng, body);
        body.lit("\",\"Path\":")
            .quoted(this.rng.word(FOLDERS))
            .lit("}");
    });
    body.number("OperationCount", count);
}

/// An item's id: base64 that begins and ends as the store's ids do.
fn item(rng: &mut Rng, body: &mut Body<'_>) {
    body.lit("LgAAAAD");
    token(rng, body, 40);
    body.esc("/").lit("AAAAAAEMAAAB");
}

fn message_id(rng: &mut Rng, body: &mut Body<'_>) {
    body.esc("<")
        .lit(rng.guid().as_str())
        .esc("@mail.fabrikam.example>");
}
