//! Entra ID records (`AzureActiveDirectory`): sign-ins and directory changes, with JSON inside strings.

use super::Truth;
use super::names::{DIRECTORY, HOME, Person};
use super::padding::{Words, user_agent};
use super::record::{Gen, Head, Hide, Ip, Order, audit_truth};
use super::writer::Body;

/// Writes one record.
pub(super) fn write(this: &mut Gen, order: Order, out: &mut Vec<u8>) -> Truth {
    let operation = match this.rng.below(100) {
        0..50 => "UserLoggedIn",
        50..75 => "UserLoginFailed",
        75..85 => "Update user.",
        85..93 => "Add member to role.",
        _ => "Consent to application.",
    };
    let sign_in = operation.starts_with("UserLog");
    let actor = this.rng.pick(&DIRECTORY.staff);
    // The real help desk signs in too.
    let user = if this.rng.one_in(60) {
        "helpdesk@contoso.example"
    } else {
        &actor.upn
    };
    let object = if sign_in {
        this.rng.guid().as_str().to_owned()
    } else {
        actor.upn.clone()
    };
    let head = Head {
        app_context: false,
        stamp: this.clock.next(&mut this.rng),
        id: this.rng.guid(),
        operation,
        record_type: if sign_in { 15 } else { 8 },
        result: Some(match operation {
            "UserLoginFailed" => "Failed",
            _ => this.rng.word(&["Success", "Succeeded"]),
        }),
        user_key: if sign_in {
            actor.id.as_str()
        } else {
            &actor.puid
        },
        user_type: 0,
        workload: "AzureActiveDirectory",
        ip: sign_in.then(|| Ip::random(&mut this.rng)),
        object: Some(&object),
        user,
        hide: Hide::Nothing,
        drop_email: false,
    };
    let style = this.style(order, 5);
    let mut body = Body::open(out, order.layout, style);
    head.begin(order, &mut this.rng, &mut body);
    body.number("AzureActiveDirectoryEventType", 1);
    if sign_in {
        signed_in(this, order, &mut body, &head, actor);
    } else {
        changed(this, order, &mut body, &head, actor);
    }
    head.finish(order, body);
    audit_truth(order)
}

fn signed_in(this: &mut Gen, order: Order, body: &mut Body<'_>, head: &Head<'_>, actor: &Person) {
    let words = Words::NameValue;
    let failed = head.operation == "UserLoginFailed";
    this.properties(body, "ExtendedProperties", words, 900, |this, body| {
        words.write(
            body,
            "ResultStatusDetail",
            if failed { "UserError" } else { "Redirect" },
        );
        words.write(body, "UserAgent", user_agent(&mut this.rng));
        words.write(body, "UserAuthenticationMethod", "1");
        words.write(
            body,
            "RequestType",
            this.rng
                .word(&["OAuth2:Authorize", "Login:login", "SAS:EndAuth"]),
        );
        if order.escape {
            words.write(body, "DeviceDisplayName", "Zoë's <laptop>");
        }
    });
    body.raw("ModifiedProperties", "[]");
    actors(body, head, actor);
    body.guid("ActorContextId", &HOME.id);
    body.plain("ActorIpAddress", "192.0.2.44");
    body.guid("InterSystemsId", &this.rng.guid())
        .guid("IntraSystemId", &head.id)
        .raw("SupportTicketId", "\"\"");
    body.key("Target")
        .lit("[{\"ID\":\"")
        .lit(head.object.unwrap_or_default())
        .lit("\",\"Type\":0}]");
    body.guid("TargetContextId", &HOME.id)
        .guid("ApplicationId", &this.rng.guid());
    body.key("DeviceProperties").lit(
        "[{\"Name\":\"OS\",\"Value\":\"Windows10\"},{\"Name\":\"BrowserType\",\"Value\":\"Edge\"},",
    );
    body.lit("{\"Name\":\"IsCompliantAndManaged\",\"Value\":\"False\"},{\"Name\":\"SessionId\",\"Value\":\"");
    body.lit(this.rng.guid().as_str()).lit("\"}]");
    if failed {
        body.raw("ErrorNumber", "\"50126\"")
            .raw("LogonError", "\"InvalidUserNameOrPassword\"");
    } else {
        body.raw("ErrorNumber", "\"0\"");
    }
}

fn changed(this: &mut Gen, order: Order, body: &mut Body<'_>, head: &Head<'_>, actor: &Person) {
    body.key("ExtendedProperties")
        .lit("[{\"Name\":\"additionalDetails\",\"Value\":\"");
    body.lit("{\\\"User-Agent\\\":\\\"EvoSTS\\\",\\\"AppId\\\":\\\"")
        .lit(this.rng.guid().as_str())
        .lit("\\\"}\"},");
    body.lit("{\"Name\":\"extendedAuditEventCategory\",\"Value\":\"User\"}]");
    let words = Words::Modified;
    this.properties(body, "ModifiedProperties", words, 750, |_, body| {
        match head.operation {
            "Add member to role." => {
                words.write(body, "Role.DisplayName", "Helpdesk Administrator");
                words.write(body, "Role.WellKnownObjectName", "HelpdeskAdministrators");
            }
            "Update user." => {
                words.write(
                    body,
                    "StrongAuthenticationMethod",
                    "[\r\n  {\r\n    \"MethodType\": 6,\r\n    \"Default\": true\r\n  }\r\n]",
                );
                words.write(
                    body,
                    "Included Updated Properties",
                    "StrongAuthenticationMethod",
                );
            }
            _ => {
                words.write(body, "ConsentContext.IsAdminConsent", "False");
                words.write(
                    body,
                    "ConsentAction.Permissions",
                    "[] => [[ConsentType: Principal, Scope:  openid profile]]; ",
                );
            }
        }
        if order.escape {
            words.write(body, "DisplayName", "Zoë's <app>");
        }
    });
    actors(body, head, actor);
    body.guid("ActorContextId", &HOME.id);
    body.guid("InterSystemsId", &this.rng.guid())
        .guid("IntraSystemId", &this.rng.guid());
    body.raw("SupportTicketId", "\"\"");
    let target = this.rng.pick(&DIRECTORY.staff);
    body.key("Target")
        .lit("[{\"ID\":\"User_")
        .lit(target.id.as_str())
        .lit("\",\"Type\":2},{\"ID\":\"User\",\"Type\":2},{\"ID\":");
    body.quoted(&target.upn)
        .lit(",\"Type\":5},{\"ID\":\"")
        .lit(&target.puid)
        .lit("\",\"Type\":3}]");
    body.guid("TargetContextId", &HOME.id);
}

fn actors(body: &mut Body<'_>, head: &Head<'_>, actor: &Person) {
    body.key("Actor")
        .lit("[{\"ID\":\"")
        .lit(actor.id.as_str())
        .lit("\",\"Type\":0},{\"ID\":")
        .quoted(head.user);
    body.lit(",\"Type\":5},{\"ID\":\"")
        .lit(&actor.puid)
        .lit("\",\"Type\":3}]");
}
