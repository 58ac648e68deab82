//! The values a rule's field has in an object, by schema.

use std::net::IpAddr;

use poseur_rule::expression::ColumnType;

use super::json::{self, Value};
use super::shape::Schema;

/// A single value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A truth value: a JSON one, or what a flag field means.
    Bool(bool),
    /// A JSON number as written.
    Number(String),
    /// Text.
    Text(Vec<u8>),
}

impl Scalar {
    /// The text that patterns are held against.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Scalar::Bool(true) => b"true".to_vec(),
            Scalar::Bool(false) => b"false".to_vec(),
            Scalar::Number(number) => number.as_bytes().to_vec(),
            Scalar::Text(text) => text.clone(),
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    /// Its values.
    pub scalars: Vec<Scalar>,
    /// Whether it exists: it has a value, or is an object that has one below.
    pub exists: bool,
}

impl From<Vec<Scalar>> for Values {
    fn from(scalars: Vec<Scalar>) -> Values {
        let exists = !scalars.is_empty();
        Values { scalars, exists }
    }
}

/// What is at the end of a path.
enum Found<'a> {
    /// This value.
    Value(&'a Value),
    /// A dotted key that goes on beyond the path, as if an object were there; this is its value.
    Below(&'a Value),
}

fn find<'a>(value: &'a Value, names: &[&[u8]], out: &mut Vec<Found<'a>>) {
    match value {
        _ if names.is_empty() => out.push(Found::Value(value)),
        Value::List(items) => {
            for item in items {
                find(item, names, out);
            }
        }
        Value::Map(members) => {
            for (key, child) in members {
                let steps = split(key);
                if names.starts_with(&steps) {
                    find(child, &names[steps.len()..], out);
                } else if steps.starts_with(names) {
                    out.push(Found::Below(child));
                }
            }
        }
        _ => {}
    }
}

fn split(path: &[u8]) -> Vec<&[u8]> {
    path.split(|byte| *byte == b'.').collect()
}

fn found<'a>(value: &'a Value, path: &str) -> Vec<Found<'a>> {
    let mut out = Vec::new();
    find(value, &split(path.as_bytes()), &mut out);
    out
}

/// Is anything at the path, null included?
pub fn is_present(value: &Value, path: &str) -> bool {
    !found(value, path).is_empty()
}

/// The JSON values at the end of a path, arrays unopened.
pub fn values_at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    found(value, path)
        .into_iter()
        .filter_map(|found| match found {
            Found::Value(value) => Some(value),
            Found::Below(_) => None,
        })
        .collect()
}

/// A value that is one scalar.
pub fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Bool(truth) => Some(Scalar::Bool(*truth)),
        Value::Number(number) => Some(Scalar::Number(number.clone())),
        Value::Text(text) => Some(Scalar::Text(text.clone())),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// Every scalar anywhere below, the value itself included.
fn leaves(value: &Value, out: &mut Vec<Scalar>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| leaves(item, out)),
        Value::Map(members) => members.iter().for_each(|(_, child)| leaves(child, out)),
        other => out.extend(scalar(other)),
    }
}

/// The scalars of a value, arrays opened, objects not.
fn opened(value: &Value, out: &mut Vec<Scalar>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| opened(item, out)),
        other => out.extend(scalar(other)),
    }
}

fn keyword(record: &Value, path: &str) -> Values {
    let mut scalars = Vec::new();
    for found in found(record, path) {
        if let Found::Value(value) = found {
            opened(value, &mut scalars);
        }
    }
    Values {
        scalars,
        exists: flattened(record, path).exists,
    }
}

fn flattened(record: &Value, path: &str) -> Values {
    let mut scalars = Vec::new();
    for found in found(record, path) {
        let (Found::Value(value) | Found::Below(value)) = found;
        leaves(value, &mut scalars);
    }
    scalars.into()
}

/// Every scalar anywhere in an object.
pub fn everything(record: &Value) -> Values {
    let mut scalars = Vec::new();
    leaves(record, &mut scalars);
    scalars.into()
}

fn dynamic(record: &Value, paths: &[String]) -> Values {
    let mut scalars = Vec::new();
    for path in paths {
        for value in values_at(record, path) {
            scalars.extend(match value {
                Value::Text(text) => Some(Scalar::Text(unwrapped(text))),
                Value::List(_) | Value::Map(_) => Some(Scalar::Text(json::compact(value))),
                other => scalar(other),
            });
        }
    }
    scalars.into()
}

/// A string that holds an array or an object counts as that one.
fn unwrapped(text: &[u8]) -> Vec<u8> {
    match json::parse(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)) {
        Ok(parsed) if matches!(parsed.value, Value::List(_) | Value::Map(_)) => {
            json::compact(&parsed.value)
        }
        _ => text.to_vec(),
    }
}

fn flag(record: &Value, paths: &[String]) -> Values {
    let mut scalars = Vec::new();
    for path in paths {
        for value in values_at(record, path) {
            let truth = match value {
                Value::Bool(truth) => Some(*truth),
                Value::Number(number) => truth_of(number.as_bytes()),
                Value::Text(text) => truth_of(text),
                _ => None,
            };
            scalars.extend(truth.map(Scalar::Bool));
        }
    }
    scalars.into()
}

fn truth_of(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        number(text).map(|number| number != 0.0)
    }
}

/// The number that a text wholly is, in JSON syntax, as the nearest 64-bit float.
pub fn number(text: &[u8]) -> Option<f64> {
    if !json::is_number(text) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The values of a field by its canonical name.
pub fn lookup(schema: Schema, record: &Value, field: &str) -> Values {
    match schema {
        Schema::Ecs => ecs(record, field, field),
        Schema::O365 => o365(record, field),
        Schema::Hunting => columns(record, field, ""),
        Schema::Defender => columns(record, field, "properties."),
    }
}

/// The values of a field below an object that is at a path: `rest` is what is left of its name. The
/// type that the schema lists for the name stays.
pub fn lookup_below(schema: Schema, object: &Value, field: &str, rest: &str) -> Values {
    match schema {
        Schema::Ecs => ecs(object, field, rest),
        Schema::O365 if field.starts_with("o365.audit.") => ecs(object, field, rest),
        _ => keyword(object, rest),
    }
}

/// The paths of keys where a field is found that is no constant and not derived.
pub fn paths(schema: Schema, record: &Value, field: &str) -> Vec<String> {
    match schema {
        Schema::Ecs => vec![field.to_owned()],
        Schema::O365 => vec![
            match field {
                "event.action" => "Operation",
                "event.provider" => "Workload",
                "event.id" => "Id",
                "@timestamp" => "CreationTime",
                "event.outcome" => "ResultStatus",
                "user.id" | "user.email" | "user.name" | "user.domain" => "UserId",
                "organization.id" => "OrganizationId",
                "source.ip" => "ClientIP",
                "data_stream.dataset" | "event.dataset" | "event.module" => return Vec::new(),
                other => other.strip_prefix("o365.audit.").unwrap_or(other),
            }
            .to_owned(),
        ],
        Schema::Hunting => synonyms(field),
        Schema::Defender => {
            let below = synonyms(field)
                .iter()
                .map(|name| format!("properties.{name}"))
                .collect::<Vec<_>>();
            let listed = is_column(field) || below.iter().any(|path| is_present(record, path));
            if listed {
                below
            } else {
                vec![field.to_owned()]
            }
        }
    }
}

/// Is it one of the columns that stand only below `properties`?
fn is_column(field: &str) -> bool {
    matches!(
        field,
        "RecipientDetails" | "IsExternalThread" | "IsOwnedThread"
    ) || synonyms(field).len() > 1
}

fn synonyms(field: &str) -> Vec<String> {
    for (one, other) in SYNONYMS {
        if field == one || field == other {
            return vec![one.to_owned(), other.to_owned()];
        }
    }
    vec![field.to_owned()]
}

/// Has the field values of its own, whatever type a Kusto column of that name has?
pub fn has_own_values(schema: Schema, field: &str) -> bool {
    match schema {
        Schema::Ecs => field == "o365.audit.Members" || field.starts_with("o365.audit.Members."),
        Schema::O365 => {
            matches!(
                field,
                "data_stream.dataset"
                    | "event.dataset"
                    | "event.module"
                    | "event.action"
                    | "event.outcome"
                    | "user.email"
                    | "user.name"
                    | "user.domain"
                    | "organization.id"
                    | "source.ip"
                    | "o365.audit.RecordType"
                    | "o365.audit.UserType"
                    | "o365.audit.Version"
                    | "o365.audit.Members"
            ) || field.starts_with("o365.audit.Members.")
        }
        Schema::Hunting | Schema::Defender => false,
    }
}

/// The type the schema gives the column.
pub fn column_type(schema: Schema, field: &str) -> Option<ColumnType> {
    match (schema, field) {
        (Schema::Ecs | Schema::O365, _) => None,
        (_, "RecipientDetails") => Some(ColumnType::Dynamic),
        (_, "IsExternalThread" | "IsOwnedThread") => Some(ColumnType::Bool),
        _ => None,
    }
}

/// The names of a schema's fields that are not simply paths.
pub fn listed(schema: Schema) -> Vec<&'static str> {
    match schema {
        Schema::Ecs => vec!["o365.audit.Members"],
        Schema::O365 => vec![
            "data_stream.dataset",
            "event.dataset",
            "event.module",
            "event.action",
            "event.provider",
            "event.id",
            "@timestamp",
            "event.outcome",
            "user.id",
            "user.email",
            "user.name",
            "user.domain",
            "organization.id",
            "source.ip",
            "o365.audit.RecordType",
            "o365.audit.UserType",
            "o365.audit.Version",
            "o365.audit.Members",
        ],
        Schema::Hunting | Schema::Defender => {
            let mut names = vec!["RecipientDetails", "IsExternalThread", "IsOwnedThread"];
            for (one, other) in SYNONYMS {
                names.extend([one, other]);
            }
            names
        }
    }
}

/// The name by which a scalar at these keys goes among field names: a family's, if there is one.
pub fn name_of(schema: Schema, keys: &[u8]) -> Vec<u8> {
    match schema {
        Schema::O365 => [b"o365.audit.", keys].concat(),
        Schema::Ecs | Schema::Hunting | Schema::Defender => keys.to_vec(),
    }
}

/// The field `field` of an `o365.audit` document, found at `path`.
fn ecs(record: &Value, field: &str, path: &str) -> Values {
    if field == "o365.audit.Members" || field.starts_with("o365.audit.Members.") {
        flattened(record, path)
    } else {
        keyword(record, path)
    }
}

/// Columns that go by two names; a rule may use either, and so may a record.
const SYNONYMS: [(&str, &str); 4] = [
    ("MessageSubject", "Subject"),
    ("MessageFormatType", "MessageType"),
    ("MessageFormatSubtype", "MessageSubtype"),
    ("ThreadSubtype", "ThreadSubType"),
];

fn columns(record: &Value, field: &str, under: &str) -> Values {
    let listed = [format!("{under}{field}")];
    match field {
        "RecipientDetails" => return dynamic(record, &listed),
        "IsExternalThread" | "IsOwnedThread" => return flag(record, &listed),
        _ => {}
    }
    for (one, other) in SYNONYMS {
        if field == one || field == other {
            let mut values = keyword(record, &format!("{under}{one}"));
            let more = keyword(record, &format!("{under}{other}"));
            values.scalars.extend(more.scalars);
            values.exists |= more.exists;
            return values;
        }
    }
    // A name that is no column may stand beside `properties`: `tenantId`, `operationName`.
    if is_present(record, &listed[0]) {
        keyword(record, &listed[0])
    } else {
        keyword(record, field)
    }
}

fn o365(record: &Value, field: &str) -> Values {
    match field {
        "data_stream.dataset" | "event.dataset" => {
            vec![Scalar::Text(b"o365.audit".to_vec())].into()
        }
        "event.module" => vec![Scalar::Text(b"o365".to_vec())].into(),
        "event.action" => action(record),
        "event.provider" => keyword(record, "Workload"),
        "event.id" => keyword(record, "Id"),
        "@timestamp" => keyword(record, "CreationTime"),
        "event.outcome" => outcome(record),
        "user.id" => keyword(record, "UserId"),
        "user.email" => user(record, |whole, _, _| whole),
        "user.name" => user(record, |_, name, _| name),
        "user.domain" => user(record, |_, _, domain| domain),
        "organization.id" => texts(keyword(record, "OrganizationId"))
            .iter()
            .map(|text| Scalar::Text(lower_case(text)))
            .collect::<Vec<_>>()
            .into(),
        "source.ip" => texts(keyword(record, "ClientIP"))
            .iter()
            .filter_map(|text| address(text))
            .map(|text| Scalar::Text(text.into_bytes()))
            .collect::<Vec<_>>()
            .into(),
        "o365.audit.RecordType" => as_text(keyword(record, "RecordType")),
        "o365.audit.UserType" => as_text(keyword(record, "UserType")),
        "o365.audit.Version" => as_text(keyword(record, "Version")),
        _ => match field.strip_prefix("o365.audit.") {
            Some(path) => ecs(record, field, path),
            None => keyword(record, field),
        },
    }
}

fn texts(values: Values) -> Vec<Vec<u8>> {
    values.scalars.iter().map(Scalar::text).collect()
}

fn as_text(values: Values) -> Values {
    Values {
        exists: values.exists,
        scalars: texts(values).into_iter().map(Scalar::Text).collect(),
    }
}

/// `Operation`; Teams records call three of them otherwise.
fn action(record: &Value) -> Values {
    let mut values = keyword(record, "Operation");
    let teams = texts(keyword(record, "RecordType")).contains(&b"25".to_vec());
    if teams {
        for scalar in &mut values.scalars {
            let renamed = match scalar.text().as_slice() {
                b"TeamCreated" => "added-group-account-to",
                b"MemberAdded" => "added-users-to-group",
                b"Delete user." => "deleted-user-account",
                _ => continue,
            };
            *scalar = Scalar::Text(renamed.as_bytes().to_vec());
        }
    }
    values
}

fn outcome(record: &Value) -> Values {
    let mut out = Vec::new();
    for found in found(record, "ResultStatus") {
        match found {
            Found::Value(value) => outcomes(value, &mut out),
            Found::Below(_) => out.push("success"),
        }
    }
    if out.is_empty() {
        out.push("success");
    }
    out.iter()
        .map(|word| Scalar::Text(word.as_bytes().to_vec()))
        .collect::<Vec<_>>()
        .into()
}

fn outcomes(value: &Value, out: &mut Vec<&str>) {
    match value {
        Value::Null => {}
        Value::List(items) => items.iter().for_each(|item| outcomes(item, out)),
        Value::Map(_) => out.push("success"),
        other => {
            let text = scalar(other)
                .map(|scalar| scalar.text())
                .unwrap_or_default();
            out.push(match text.to_ascii_lowercase().as_slice() {
                b"failed" | b"false" => "failure",
                _ => "success",
            });
        }
    }
}

/// A part of each `UserId` string that holds exactly one `@`.
fn user(record: &Value, part: fn(Vec<u8>, Vec<u8>, Vec<u8>) -> Vec<u8>) -> Values {
    let mut out = Vec::new();
    for scalar in keyword(record, "UserId").scalars {
        if let Scalar::Text(whole) = scalar {
            let parts: Vec<Vec<u8>> = whole
                .split(|byte| *byte == b'@')
                .map(<[u8]>::to_vec)
                .collect();
            if let [name, domain] = parts.as_slice() {
                let (name, domain) = (name.clone(), domain.clone());
                out.push(Scalar::Text(part(whole, name, domain)));
            }
        }
    }
    out.into()
}

/// Each character's lower-case form; bytes that are no characters stay.
fn lower_case(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in text.utf8_chunks() {
        let lower: String = chunk.valid().chars().flat_map(char::to_lowercase).collect();
        out.extend_from_slice(lower.as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// The address of a `ClientIP`: without brackets, port and IPv4 mapping.
pub fn address(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = |address: &str| match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => Some(address.to_owned()),
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => Some(four.to_string()),
            None => Some(address.to_owned()),
        },
    };
    let is_port = |port: &str| {
        (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) if is_port(port) => bare(inner),
            None if after.is_empty() => bare(inner),
            _ => None,
        };
    }
    if let Some((four, port)) = text.split_once(':')
        && four.contains('.')
    {
        return if is_port(port) { bare(four) } else { None };
    }
    bare(text)
}
