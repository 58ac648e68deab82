//! Dynamic values: JSON as a tree.

use std::fmt;
use std::ops::ControlFlow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::escape;
use crate::record::{Handle, Kind, MAX_DEPTH, Record};

/// A JSON value. Numbers are kept as written, members in order, equal keys each.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as written.
    Number(String),
    /// A decoded string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Reads a JSON text; `None` if it is none, or nests too deep.
    pub fn parse(text: &str) -> Option<Json> {
        Json::read(serde_json::from_str(text).ok()?, 0)
    }

    fn read(raw: &RawValue, depth: usize) -> Option<Json> {
        let text = raw.get();
        let container = text.starts_with(['{', '[']);
        if container && depth == MAX_DEPTH {
            return None;
        }
        Some(match text.as_bytes().first()? {
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let members = members
                    .into_iter()
                    .map(|(key, value)| Some((key, Json::read(value, depth + 1)?)));
                Json::Map(members.collect::<Option<_>>()?)
            }
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let elements = elements.into_iter();
                let elements = elements.map(|element| Json::read(element, depth + 1));
                Json::List(elements.collect::<Option<_>>()?)
            }
            b'"' => Json::Text(serde_json::from_str(text).ok()?),
            b't' => Json::Bool(true),
            b'f' => Json::Bool(false),
            b'n' => Json::Null,
            _ => Json::Number(text.to_owned()),
        })
    }

    /// Reads a value of a record. Bytes that are not UTF-8 become U+FFFD.
    pub fn of<R: Record + ?Sized>(record: &R, value: Handle) -> Json {
        Json::of_part(record, value, 0)
    }

    fn of_part<R: Record + ?Sized>(record: &R, value: Handle, depth: usize) -> Json {
        // Such a record is unreadable, which is found out before anything is written.
        if depth > MAX_DEPTH {
            return Json::Null;
        }
        let text = || {
            let mut scratch = Vec::new();
            String::from_utf8_lossy(record.text(value, &mut scratch)).into_owned()
        };
        match record.kind(value) {
            Kind::Null => Json::Null,
            Kind::Bool(truth) => Json::Bool(truth),
            Kind::Number => Json::Number(text()),
            Kind::Text => Json::Text(text()),
            Kind::List => {
                let mut elements = Vec::new();
                let _ = record.elements(value, &mut |element| {
                    elements.push(Json::of_part(record, element, depth + 1));
                    ControlFlow::Continue(())
                });
                Json::List(elements)
            }
            Kind::Map => {
                let mut members = Vec::new();
                let _ = record.members(value, &mut |key, value| {
                    let key = String::from_utf8_lossy(key).into_owned();
                    members.push((key, Json::of_part(record, value, depth + 1)));
                    ControlFlow::Continue(())
                });
                Json::Map(members)
            }
        }
    }

    /// The compact text.
    pub fn compact(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        // Escaping takes only whole characters away.
        String::from_utf8(out).unwrap_or_default()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let string = |text: &str, out: &mut Vec<u8>| {
            out.push(b'"');
            escape(text.as_bytes(), out);
            out.push(b'"');
        };
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
            Json::Number(number) => out.extend_from_slice(number.as_bytes()),
            Json::Text(text) => string(text, out),
            Json::List(elements) => {
                out.push(b'[');
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Json::Map(members) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    string(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// What a key of an object holds: the last one, if there are several.
    pub fn member(&self, key: &str) -> Option<&Json> {
        let Json::Map(members) = self else {
            return None;
        };
        let mut members = members.iter().rev();
        members
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

/// The members of an object, in order, equal keys each: what a map type would lose.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, expected) in [
            ("1.50", Some("1.50")),
            (" [1, 2 ,{ \"a\" : null}] ", Some(r#"[1,2,{"a":null}]"#)),
            (
                r#"{"a":1,"a":2,"b":"\u0041\n\""}"#,
                Some(r#"{"a":1,"a":2,"b":"A\n\""}"#),
            ),
            (r#""x""#, Some(r#""x""#)),
            ("true", Some("true")),
            ("", None),
            ("x", None),
            ("[1", None),
            ("[1] 2", None),
            ("01", None),
            (r#"["\ud800"]"#, None),
        ] {
            let json = Json::parse(text);
            assert_eq!(
                json.map(|json| json.compact()).as_deref(),
                expected,
                "{text}"
            );
        }
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&deep(MAX_DEPTH)).is_some());
        assert!(Json::parse(&deep(MAX_DEPTH + 1)).is_none());
        assert!(Json::parse(&deep(100_000)).is_none());
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let json = Json::parse(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(json.member("a"), Some(&Json::Number("3".into())));
        assert_eq!(json.member("c"), None);
        assert_eq!(Json::Null.member("a"), None);
    }
}
