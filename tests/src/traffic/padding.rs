//! Named values: the lists of them that records carry, and the realistic ones that bring a record to its size.

use super::rng::Rng;
use super::writer::Body;

/// What the members of a named value are called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// `{"Key":…,"Value":…}`
    KeyValue,
    /// `{"Name":…,"Value":…}`
    NameValue,
    /// The same, for a cmdlet's parameters, which take other names.
    Parameter,
    /// `{"Name":…,"NewValue":…,"OldValue":…}`
    Modified,
}

impl Words {
    fn open(self, body: &mut Body<'_>, name: &str) {
        let (first, second) = match self {
            Words::KeyValue => ("{\"Key\":\"", "\",\"Value\":\""),
            Words::NameValue | Words::Parameter => ("{\"Name\":\"", "\",\"Value\":\""),
            Words::Modified => ("{\"Name\":\"", "\",\"NewValue\":\""),
        };
        body.comma().lit(first).lit(name).lit(second);
    }

    fn close(self, body: &mut Body<'_>) {
        body.lit(match self {
            Words::Modified => "\",\"OldValue\":\"\"}",
            _ => "\"}",
        });
    }

    /// One named value, of a text that may need escaping.
    pub fn write(self, body: &mut Body<'_>, name: &str, value: &str) {
        self.open(body, name);
        body.esc(value);
        self.close(body);
    }
}

const SHORT: &[(&str, &[&str])] = &[
    ("IsCompliant", &["True", "False"]),
    ("IsManaged", &["True", "False"]),
    ("ConditionalAccessStatus", &["success", "notApplied"]),
    ("Region", &["emea", "amer", "apac"]),
    ("NetworkType", &["Wired", "Wifi", "Unknown"]),
    ("DeviceType", &["Desktop", "Mobile", "Web"]),
    (
        "DeviceModel",
        &["Latitude 7440", "MacBookPro18,3", "SM-G998B", "Surface Pro"],
    ),
    ("RolloutRing", &["general", "ring3_6", "ring4"]),
    ("Locale", &["fr-fr", "de-de", "en-us", "ja-jp", "pt-br"]),
    ("TokenIssuerType", &["AzureAD", "ADFederationServices"]),
    ("IsThrottled", &["False"]),
    ("RetryCount", &["0", "1", "2"]),
    ("PolicyState", &["Enabled", "ReportOnly", "Disabled"]),
    ("EndpointRole", &["primary", "secondary"]),
];

const PARAMETERS: &[(&str, &[&str])] = &[
    (
        "RecoverableItemsWarningQuota",
        &["20 GB (21,474,836,480 bytes)", "Unlimited"],
    ),
    (
        "ProhibitSendReceiveQuota",
        &[
            "100 GB (107,374,182,400 bytes)",
            "50 GB (53,687,091,200 bytes)",
        ],
    ),
    ("SCLQuarantineEnabled", &["True", "False"]),
    ("SCLRejectEnabled", &["True", "False"]),
    ("UseDatabaseQuotaDefaults", &["True", "False"]),
    ("AuditEnabled", &["True"]),
    ("RetentionPolicy", &["Default MRM Policy", "Keep 7 years"]),
    ("AddressBookPolicy", &["", "All Depots"]),
    ("ErrorAction", &["Stop", "SilentlyContinue"]),
    ("WarningAction", &["SilentlyContinue"]),
    ("GrantSendOnBehalfTo", &["contoso.example\\a.archer", ""]),
    (
        "EmailAddresses",
        &["SMTP:depot@contoso.example;smtp:depot-2@contoso.example"],
    ),
];

/// One more named value, of at most about `room` bytes.
pub(super) fn property(rng: &mut Rng, body: &mut Body<'_>, words: Words, room: usize) {
    let parameter = words == Words::Parameter;
    match rng.below(if room > 420 { 8 } else { 6 }) {
        at if at < 4 || parameter => {
            let (name, values) = rng.pick(if parameter { PARAMETERS } else { SHORT });
            let value = *rng.pick(values);
            words.write(body, name, value);
        }
        4 => {
            let name = rng.word(&[
                "CorrelationId",
                "SessionId",
                "DeviceId",
                "RequestId",
                "AppId",
                "PolicyId",
            ]);
            words.open(body, name);
            body.lit(rng.guid().as_str());
            words.close(body);
        }
        5 => {
            words.open(
                body,
                rng.word(&["AppVersion", "SkypeVersion", "SlimCoreVersion"]),
            );
            body.esc("49/25")
                .padded(u64::from(rng.below(10_000)), 4)
                .lit("1")
                .num(u64::from(rng.range(10_000, 99_999)));
            words.close(body);
        }
        6 => {
            words.open(body, "UserAgent");
            body.esc(user_agent(rng));
            words.close(body);
        }
        _ => {
            // JSON inside a string, as the services like to nest it.
            words.open(
                body,
                rng.word(&["additionalDetails", "AppContext", "PolicyResults"]),
            );
            body.lit("{\\\"AppId\\\":\\\"").lit(rng.guid().as_str());
            body.lit("\\\",\\\"Scopes\\\":[\\\"openid\\\",\\\"profile\\\"],\\\"Attempt\\\":")
                .num(u64::from(rng.below(9)));
            body.lit(",\\\"Resource\\\":{\\\"Id\\\":\\\"")
                .lit(rng.guid().as_str());
            body.lit("\\\",\\\"Kind\\\":null,\\\"Enforced\\\":true},\\\"Results\\\":[");
            for at in 0..rng.range(1, 4) {
                body.lit(if at == 0 { "" } else { "," });
                body.lit("{\\\"Id\\\":\\\"")
                    .lit(rng.guid().as_str())
                    .lit("\\\",\\\"Result\\\":\\\"notApplied\\\"}");
            }
            body.lit("]}");
            words.close(body);
        }
    }
}

/// A client's user agent.
pub(super) fn user_agent(rng: &mut Rng) -> &'static str {
    rng.word(&[
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0 Teams/25290.205.4069.4894/49",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    ])
}
