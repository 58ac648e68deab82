//! SharePoint and OneDrive records: files and pages.

use super::Truth;
use super::names::DIRECTORY;
use super::padding::{Words, user_agent};
use super::record::{Gen, Head, Hide, Ip, Order, audit_truth};
use super::writer::Body;

/// Writes one record.
pub(super) fn write(this: &mut Gen, order: Order, out: &mut Vec<u8>) -> Truth {
    let operation = this.rng.word(&[
        "FileAccessed",
        "FilePreviewed",
        "FileModified",
        "FileDownloaded",
        "PageViewed",
    ]);
    let page = operation == "PageViewed";
    let actor = this.rng.pick(&DIRECTORY.staff);
    let (folder, file, extension) = *this.rng.pick(&[
        (
            "Shared Documents/Desktop",
            "Help desk handbook.docx",
            "docx",
        ),
        ("Documents/Dépôt", "Fahrplan 2027.xlsx", "xlsx"),
        ("Shared Documents/Forms", "AllItems.aspx", "aspx"),
        ("Documents", "議事録.pdf", "pdf"),
    ]);
    let site = this.rng.word(&[
        "sites/rolling-stock",
        "sites/works",
        "personal/a_archer_contoso_example",
    ]);
    let object = format!("https://contoso-rail.example.com/{site}/{folder}/{file}");
    let head = Head {
        app_context: this.rng.one_in(3),
        stamp: this.clock.next(&mut this.rng),
        id: this.rng.guid(),
        operation,
        record_type: if page { 4 } else { 6 },
        result: None,
        user_key: &actor.puid,
        user_type: 0,
        workload: if site.starts_with('p') {
            "OneDrive"
        } else {
            "SharePoint"
        },
        ip: Some(Ip::random(&mut this.rng)),
        object: Some(&object),
        user: &actor.upn,
        hide: Hide::Nothing,
        drop_email: false,
    };
    let style = this.style(order, 5);
    let mut body = Body::open(out, order.layout, style);
    head.begin(order, &mut this.rng, &mut body);
    body.guid("CorrelationId", &this.rng.guid())
        .raw("EventSource", "\"SharePoint\"");
    body.raw("GeoLocation", "\"EUR\"")
        .bool("IsManagedDevice", this.rng.one_in(2));
    body.raw("ItemType", if page { "\"Page\"" } else { "\"File\"" });
    body.guid("ListId", &this.rng.guid())
        .guid("ListItemUniqueId", &this.rng.guid())
        .guid("Site", &this.rng.guid());
    body.text("UserAgent", user_agent(&mut this.rng))
        .guid("WebId", &this.rng.guid());
    body.raw(
        "HighPriorityMediaProcessing",
        this.rng.word(&["false", "\"False\""]),
    );
    if order.escape || this.rng.one_in(4) {
        body.text(
            "EventData",
            "<Type>Edit</Type><MembersCanShareApplied>False</MembersCanShareApplied>",
        );
    }
    this.properties(
        &mut body,
        "ExtendedProperties",
        Words::NameValue,
        260,
        |_, _| (),
    );
    body.plain("SourceFileExtension", extension);
    body.key("SiteUrl")
        .lit("\"")
        .esc("https://contoso-rail.example.com/")
        .esc(site)
        .esc("/")
        .lit("\"");
    body.text("SourceRelativeUrl", folder)
        .text("SourceFileName", file);
    head.finish(order, body);
    audit_truth(order)
}
