//! What the public kuery rules are about, by product: how often, in which fields, with what kind of
//! values. Shares and sizes follow Elastic's repository as of autumn 2026 (453 kuery rules); the words
//! are made up.

/// Rules for one product.
pub struct Family {
    /// How many of a hundred rules or so.
    pub share: u32,
    /// The field that names the product, and its values; a rule takes one.
    pub dataset: (&'static str, &'static [&'static str]),
    /// Index patterns; `{}` stands for the dataset.
    pub indices: &'static [&'static str],
    /// Values of `event.provider`; most rules of a family that has them name one.
    pub providers: &'static [&'static str],
    /// How `event.action` is spelled; `None` where rules do not ask for it.
    pub action: Option<Action>,
    /// Asked by every rule.
    pub always: &'static [(&'static str, &'static str)],
    /// Further fields; a rule takes some.
    pub fields: &'static [(&'static str, Kind)],
}

/// How a product spells what was done.
#[derive(Clone, Copy)]
pub enum Action {
    /// `PutTarvexLomber`
    Camel,
    /// `Set-TarvexLomber`
    Cmdlet,
    /// `tarvex.lomber.create`
    Dotted,
    /// `TARVEX_LOMBER`
    Upper,
    /// `Update tarvex lomber`
    Words,
}

/// What values of a field look like.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Made-up words.
    Words,
    /// Long lists of made-up names, some with wildcards.
    Names,
    /// Text searched for parts: mostly `*word*`.
    Parts,
    /// One of these.
    One(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// Any value at all.
    Exists,
    /// Port numbers.
    Number,
    /// Networks.
    Networks,
}

use Action::*;
use Kind::{Exists, Flag, Names, Networks, Number, One, Parts, Words as Made};

/// Rules for Office 365 audit records.
pub const O365: Family = Family {
    share: 0,
    dataset: ("data_stream.dataset", &["o365.audit"]),
    indices: &["logs-o365.audit-*", "filebeat-*"],
    providers: &[
        "Exchange",
        "AzureActiveDirectory",
        "SharePoint",
        "SecurityComplianceCenter",
    ],
    action: Some(Cmdlet),
    always: &[],
    fields: &[
        ("event.outcome", One(&["success", "failure"])),
        ("event.category", One(&["web", "iam", "authentication"])),
        ("o365.audit.Parameters.Name", Made),
        ("o365.audit.NewValue", Flag),
        ("o365.audit.ExtendedProperties.ResultStatusDetail", Made),
        ("o365.audit.Target.Type", Made),
        ("user.id", Parts),
        ("user.email", Parts),
        ("source.as.organization.name", Names),
    ],
};

/// Rules for everything else.
pub const OTHERS: [Family; 11] = [
    Family {
        share: 19,
        dataset: ("data_stream.dataset", &["aws.cloudtrail"]),
        indices: &["filebeat-*", "logs-aws.cloudtrail-*"],
        providers: &[
            "iam.amazonaws.com",
            "ec2.amazonaws.com",
            "s3.amazonaws.com",
            "sts.amazonaws.com",
            "rds.amazonaws.com",
            "kms.amazonaws.com",
            "lambda.amazonaws.com",
            "route53.amazonaws.com",
        ],
        action: Some(Camel),
        always: &[],
        fields: &[
            ("event.outcome", One(&["success", "failure"])),
            (
                "aws.cloudtrail.user_identity.type",
                One(&["Root", "IAMUser", "AssumedRole"]),
            ),
            ("aws.cloudtrail.user_identity.arn", Parts),
            ("aws.cloudtrail.user_identity.invoked_by", Exists),
            ("aws.cloudtrail.request_parameters", Parts),
            ("aws.cloudtrail.error_code", Made),
            ("user_agent.original", Names),
            ("source.address", Names),
        ],
    },
    Family {
        share: 12,
        dataset: ("data_stream.dataset", &["gcp.audit"]),
        indices: &["filebeat-*", "logs-gcp*"],
        providers: &[],
        action: Some(Dotted),
        always: &[],
        fields: &[
            ("event.outcome", One(&["success", "failure"])),
            ("service.name", Made),
            ("client.user.email", Names),
            ("gcp.audit.resource_name", Parts),
            ("gcp.audit.response.rules.verbs", Made),
            ("gcp.audit.request.metadata.ownerReferences.kind", Exists),
        ],
    },
    Family {
        share: 16,
        dataset: (
            "data_stream.dataset",
            &[
                "azure.activitylogs",
                "azure.auditlogs",
                "azure.signinlogs",
                "azure.platformlogs",
                "azure.identity_protection",
            ],
        ),
        indices: &["filebeat-*", "logs-{}-*"],
        providers: &[],
        action: None,
        always: &[],
        fields: &[
            ("event.outcome", One(&["success", "Success"])),
            ("azure.activitylogs.operation_name", Made),
            ("azure.auditlogs.operation_name", Made),
            ("azure.auditlogs.properties.category", Made),
            ("azure.platformlogs.category", Made),
            (
                "azure.platformlogs.properties.log.objectRef.resource",
                Names,
            ),
            ("azure.platformlogs.properties.log.verb", Made),
            ("azure.platformlogs.properties.log.user.username", Parts),
            ("azure.signinlogs.properties.app_id", Names),
            ("azure.signinlogs.properties.risk_state", Made),
        ],
    },
    Family {
        share: 6,
        dataset: ("data_stream.dataset", &["okta.system"]),
        indices: &["filebeat-*", "logs-okta*"],
        providers: &[],
        action: Some(Dotted),
        always: &[],
        fields: &[
            ("okta.outcome.result", One(&["SUCCESS", "FAILURE", "DENY"])),
            ("okta.outcome.reason", Made),
            ("okta.actor.alternate_id", Parts),
            ("okta.target.type", Made),
        ],
    },
    Family {
        share: 5,
        dataset: ("data_stream.dataset", &["kubernetes.audit_logs"]),
        indices: &["logs-kubernetes.audit_logs-*"],
        providers: &[],
        action: None,
        always: &[],
        fields: &[
            ("kubernetes.audit.verb", Made),
            ("kubernetes.audit.objectRef.resource", Names),
            ("kubernetes.audit.objectRef.subresource", Made),
            ("kubernetes.audit.objectRef.namespace", Made),
            ("kubernetes.audit.requestObject.spec.hostPID", Flag),
            (
                "kubernetes.audit.requestObject.spec.containers.image",
                Parts,
            ),
            ("kubernetes.audit.user.username", Exists),
            (
                "kubernetes.audit.annotations.authorization_k8s_io/decision",
                One(&["allow"]),
            ),
        ],
    },
    Family {
        share: 5,
        dataset: (
            "data_stream.dataset",
            &["google_workspace.admin", "google_workspace.login"],
        ),
        indices: &["filebeat-*", "logs-google_workspace*"],
        providers: &["admin"],
        action: Some(Upper),
        always: &[],
        fields: &[
            ("event.category", One(&["iam", "configuration"])),
            ("google_workspace.event.type", Made),
            ("google_workspace.admin.setting.name", Parts),
            ("google_workspace.admin.new_value", Made),
            ("google_workspace.admin.application.name", Made),
        ],
    },
    Family {
        share: 11,
        dataset: ("event.category", &["process"]),
        indices: &["winlogbeat-*", "logs-windows.powershell*"],
        providers: &[],
        action: None,
        always: &[("host.os.type", "windows")],
        fields: &[
            ("process.parent.command_line", Parts),
            ("process.parent.command_line", Parts),
            ("file.directory", Parts),
            ("file.name", Names),
            ("user.id", Made),
        ],
    },
    Family {
        share: 5,
        dataset: ("event.module", &["endpoint", "endgame"]),
        indices: &["logs-endpoint.alerts-*", "endgame-*"],
        providers: &[],
        action: Some(Words),
        always: &[("event.kind", "alert")],
        fields: &[
            ("endgame.metadata.type", Made),
            ("endgame.event_subtype_full", Made),
            ("event.code", Made),
            ("rule.name", Names),
        ],
    },
    Family {
        share: 5,
        dataset: (
            "data_stream.dataset",
            &[
                "network_traffic.flow",
                "network_traffic.http",
                "network_traffic.tls",
                "zeek.connection",
                "panw.panos",
                "fortinet_fortigate.log",
            ],
        ),
        indices: &[
            "auditbeat-*",
            "packetbeat-*",
            "filebeat-*",
            "logs-network_traffic.*",
            "logs-zeek.*",
        ],
        providers: &[],
        action: None,
        always: &[],
        fields: &[
            ("network.transport", One(&["tcp", "udp"])),
            ("destination.port", Number),
            ("source.ip", Networks),
            ("destination.ip", Networks),
            ("url.path", Parts),
            ("http.request.method", One(&["GET", "POST"])),
        ],
    },
    Family {
        share: 6,
        dataset: ("event.category", &["process", "file", "authentication"]),
        indices: &[
            "auditbeat-*",
            "logs-endpoint.events.*",
            "logs-system.auth-*",
        ],
        providers: &[],
        action: Some(Words),
        always: &[("host.os.type", "linux")],
        fields: &[
            ("process.name", Names),
            ("process.args", Parts),
            ("process.parent.name", Names),
            ("process.executable", Parts),
            ("user.name", Names),
            ("file.path", Parts),
        ],
    },
    Family {
        share: 5,
        dataset: (
            "event.dataset",
            &["github.audit", "zoom.webhook", "cyberarkpas.audit"],
        ),
        indices: &["logs-{}-*", "filebeat-*"],
        providers: &[],
        action: Some(Dotted),
        always: &[],
        fields: &[
            ("event.type", One(&["change", "creation", "deletion"])),
            ("github.repository_public", Flag),
            ("github.category", Made),
            ("event.code", Made),
        ],
    },
];
