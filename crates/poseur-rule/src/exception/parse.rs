//! Reads exceptions from YAML.

use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::domain::NameError;
use super::list::{self, Shown};
use super::{Exception, Ground, Trusted, TrustedBuilder};
use crate::error::LoadError;
use crate::files;
use crate::yaml::{self, Node, Reader, Value, closest};

/// The keys of an exception.
const KEYS: [&str; 9] = [
    "id",
    "reason",
    "owner",
    "expires",
    "rules",
    "tenant_id",
    "domain",
    "email",
    "template",
];

/// What one file holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parsed {
    /// Its exceptions.
    pub exceptions: Vec<Exception>,
    /// Everything that is wrong with it.
    pub errors: Vec<LoadError>,
    /// The list files it names.
    pub lists: Vec<PathBuf>,
}

/// Reads the exceptions of one YAML file.
///
/// `file` is the name that errors give; list files are looked for in `folder`, and without one
/// (a built-in pack) an exception cannot name any.
pub(super) fn parse(file: &str, text: &str, folder: Option<&Path>) -> Parsed {
    let documents = match yaml::parse(file, text) {
        Ok(documents) => documents,
        Err(error) => {
            return Parsed {
                errors: vec![error],
                ..Parsed::default()
            };
        }
    };
    let mut parser = Parser {
        reader: Reader::new(file),
        folder,
        exceptions: Vec::new(),
        lists: Vec::new(),
    };
    for document in &documents {
        parser.document(document);
    }
    Parsed {
        exceptions: parser.exceptions,
        errors: parser.reader.errors,
        lists: parser.lists,
    }
}

/// Adds an entry of one kind.
type Kind = fn(&mut TrustedBuilder, &str) -> Result<(), NameError>;

struct Parser<'f> {
    reader: Reader<'f>,
    folder: Option<&'f Path>,
    exceptions: Vec<Exception>,
    lists: Vec<PathBuf>,
}

impl Parser<'_> {
    fn document(&mut self, node: &Node) {
        let items = match &node.value {
            Value::Scalar(scalar) if scalar.is_null() => return,
            Value::List(items) => items,
            Value::Map(entries) => {
                let Some(list) = node.get("exceptions") else {
                    self.reader.error(
                        node,
                        if node.get("filter").is_some() {
                            "this is a Sigma filter, not an exceptions file: load it along with the rules"
                        } else {
                            "this is not an exceptions file: that is a list, or a map with a list under `exceptions`"
                        },
                    );
                    return;
                };
                self.reader
                    .known_keys(entries, &["exceptions"], "an exceptions file");
                if list.is_null() {
                    return;
                }
                match self.reader.list(list, "`exceptions`") {
                    Some(items) => items,
                    None => return,
                }
            }
            Value::Scalar(_) => {
                self.reader.error(
                    node,
                    "this is not an exceptions file: that is a list, or a map with a list under `exceptions`",
                );
                return;
            }
        };
        for item in items {
            let errors = self.reader.errors.len();
            let exception = self.exception(item);
            // An exception with an error anywhere in it is not loaded at all: less is trusted
            // than was meant, and never more.
            if let Some(exception) = exception
                && self.reader.errors.len() == errors
            {
                self.exceptions.push(exception);
            }
        }
    }

    /// `None`, or something incomplete, only after an error was noted.
    fn exception(&mut self, node: &Node) -> Option<Exception> {
        let entries = self.reader.map(node, "an exception")?;
        let mut trusted = Trusted::builder();
        let mut grounds = false;
        let mut empty = None;
        for (key, value) in entries {
            let add: Kind = match key.key() {
                "tenant_id" => TrustedBuilder::tenant,
                "domain" => TrustedBuilder::domain,
                "email" => TrustedBuilder::email,
                name if KEYS.contains(&name) => continue,
                name => {
                    self.unknown_key(key, name);
                    continue;
                }
            };
            grounds = true;
            if !self.names(value, key.key(), add, &mut trusted) {
                empty.get_or_insert((key, key.key()));
            }
        }
        let id = self.required(node, "id");
        let reason = self.required(node, "reason");
        let owner = self.optional(node, "owner");
        let expires = node.get("expires").and_then(|value| {
            let text = self.reader.text(value, "`expires`")?;
            expiry(text)
                .map_err(|reason| self.reader.error(value, reason))
                .ok()
        });
        let rules = match node.get("rules") {
            None => None,
            Some(value) => self.rules(value),
        };
        let template = node.get("template").is_some_and(|value| {
            match value.as_scalar().and_then(|s| s.as_bool()) {
                Some(template) => template,
                None => {
                    self.reader
                        .error(value, "`template` must be `true` or `false`");
                    true
                }
            }
        });
        if !template {
            if !grounds {
                self.reader.error(
                    node,
                    "nobody is trusted here: give a `tenant_id`, a `domain` or an `email`",
                );
            } else if let Some((key, name)) = empty {
                self.reader.error(
                    key,
                    format!(
                        "`{name}` lists nothing; fill it in, or say `template: true` if that is meant"
                    ),
                );
            }
        }
        Some(Exception {
            id: id?,
            reason: reason?,
            owner,
            expires,
            rules,
            ground: Ground::Trusted(trusted.build()),
            place: node.place(self.reader.file),
        })
    }

    fn unknown_key(&mut self, key: &Node, name: &str) {
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let reason = match plain.strip_suffix('s').unwrap_or(&plain) {
            "displayname" => format!(
                "`{name}` is not known: display names are never a ground for trust, anybody can take any; use `tenant_id`, `domain` or `email`"
            ),
            _ => match closest(name, KEYS) {
                Some(near) => {
                    format!("unknown key `{name}` in an exception: did you mean `{near}`?")
                }
                None => format!(
                    "unknown key `{name}` in an exception: known are {}",
                    KEYS.join(", ")
                ),
            },
        };
        self.reader.error(key, reason);
    }

    fn required(&mut self, node: &Node, key: &str) -> Option<String> {
        if node.get(key).is_none() {
            self.reader
                .error(node, format!("an exception needs the key `{key}`"));
        }
        self.optional(node, key)
    }

    fn optional(&mut self, node: &Node, key: &str) -> Option<String> {
        let text = self.reader.text(node.get(key)?, &format!("`{key}`"))?;
        Some(text.trim().to_owned())
    }

    /// `None` means all.
    fn rules(&mut self, node: &Node) -> Option<Vec<String>> {
        let errors = self.reader.errors.len();
        let texts = self.reader.texts(node, "`rules`");
        let is_all = |(_, text): &(&Node, &str)| text.trim() == "all";
        if let [only] = texts.as_slice()
            && is_all(only)
        {
            return None;
        }
        if let Some((node, _)) = texts.iter().find(|text| is_all(text)) {
            self.reader
                .error(node, "`all` names every rule and must stand alone");
        }
        if texts.is_empty() && self.reader.errors.len() == errors {
            self.reader.error(
                node,
                "`rules` lists nothing; leave it out, or write `all`, to mean every rule",
            );
        }
        let mut rules: Vec<String> = Vec::with_capacity(texts.len());
        for (_, text) in texts {
            if !rules.iter().any(|rule| rule == text.trim()) {
                rules.push(text.trim().to_owned());
            }
        }
        Some(rules)
    }

    /// Adds the names of one key. Returns whether there were any, refused ones included.
    fn names(&mut self, node: &Node, key: &str, add: Kind, trusted: &mut TrustedBuilder) -> bool {
        let single = std::slice::from_ref(node);
        let items = match &node.value {
            Value::Scalar(scalar) if scalar.is_null() => &[],
            Value::List(items) => items.as_slice(),
            Value::Scalar(_) | Value::Map(_) => single,
        };
        let mut any = false;
        for item in items {
            any |= match &item.value {
                Value::Map(_) => self.list_file(item, key, add, trusted),
                Value::Scalar(_) | Value::List(_) => {
                    if let Some(text) = self.reader.text(item, &format!("each of `{key}`"))
                        && let Err(reason) = add(trusted, text)
                    {
                        self.reader
                            .error(item, format!("`{key}` {}: {reason}", Shown(text)));
                    }
                    true
                }
            };
        }
        any
    }

    /// Adds the names of a list file. Returns whether there were any, refused ones included.
    fn list_file(
        &mut self,
        node: &Node,
        key: &str,
        add: Kind,
        trusted: &mut TrustedBuilder,
    ) -> bool {
        let entries = node.as_map().unwrap_or_default();
        self.reader
            .known_keys(entries, &["file", "column"], "the place of a list");
        let Some(file) = node.get("file") else {
            self.reader.error(
                node,
                format!("`{key}` must be a text, a list of texts, or a map with the key `file`"),
            );
            return true;
        };
        let column = match node.get("column") {
            None => None,
            Some(column) => match self.reader.text(column, "`column`") {
                Some(column) => Some(column),
                None => return true,
            },
        };
        let Some(name) = self.reader.text(file, "`file`") else {
            return true;
        };
        let Some(folder) = self.folder else {
            self.reader
                .error(file, "a built-in pack cannot name a list file");
            return true;
        };
        let path = folder.join(name);
        let is_csv = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        if is_csv && column.is_none() {
            self.reader.error(
                file,
                "a CSV file needs a `column`, the name of the column to read",
            );
            return true;
        }
        let shown = path.display().to_string();
        let data = read(&path);
        self.lists.push(path);
        let data = match data {
            Ok(data) => data,
            Err(error) => {
                self.reader
                    .error(file, format!("{} cannot be read: {error}", Shown(&shown)));
                return true;
            }
        };
        let mut any = false;
        let mut add = |text: &str| {
            any = true;
            add(trusted, text)
        };
        let errors = match column {
            None => list::lines(&shown, &data, &mut add),
            Some(column) => list::column(&shown, &data, column, &mut add),
        };
        any |= !errors.is_empty();
        self.reader.errors.extend(errors);
        any
    }
}

/// Reads a list file. A pipe, which would be waited on for ever, is not read.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if files::kind(path)? != files::Kind::File {
        return Err(io::Error::other("it is not a file"));
    }
    files::read(path, u64::MAX)
}

/// The moment from which an exception is inactive: a date means the end of that day, UTC.
fn expiry(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = |reason: &str| {
        Err(format!(
            "`expires` {}: {reason}; write a date as in `2027-01-31` (the end of that day, UTC), or RFC 3339 as in `2027-01-31T17:00:00+01:00`",
            Shown(text)
        ))
    };
    // The shapes are checked first: the parser below takes more than they allow.
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if shape == "0000-00-00" {
        let Ok(date) = text.parse::<Date>() else {
            return wrong("there is no such day");
        };
        let end = date
            .checked_add(Span::new().days(1))
            .and_then(|next| next.to_zoned(TimeZone::UTC));
        return match end {
            Ok(end) => Ok(end.timestamp()),
            Err(_) => wrong("this day is too far away"),
        };
    }
    let is_clock = shape
        .strip_prefix("0000-00-00")
        .and_then(|rest| rest.strip_prefix(['T', 't', ' ']))
        .and_then(|rest| rest.strip_prefix("00:00:00"));
    let Some(rest) = is_clock else {
        return wrong("this is no date");
    };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches('0'),
        None => rest,
    };
    match zone {
        "Z" | "z" | "+00:00" | "-00:00" => {}
        "" => return wrong("the time zone is missing, such as a `Z` at the end"),
        _ => return wrong("this is no date"),
    }
    match text.parse::<Timestamp>() {
        Ok(moment) => Ok(moment),
        Err(_) => wrong("there is no such moment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let Parsed { errors, .. } = parse("x.yml", text, None);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_full_entry() {
        let text = "
# Partners.
exceptions:
  - id: contoso-msp
    reason: '  Our support partner '
    owner: Ann
    expires: 2027-01-31
    rules: [a, b, a]
    tenant_id: 3F2504E0-4F89-41D3-9A0C-0305E82C3301
    domain: [MSP.example, .partner.example]
    email:
      - Bob@other.example
---
- id: 17
  reason: all rules
  rules: all
  domain: a.example
- id: later
  reason: template
  template: true
";
        let Parsed {
            exceptions, errors, ..
        } = parse("x.yml", text, None);
        assert_eq!(errors, []);
        let [full, all, template] = exceptions.as_slice() else {
            panic!("{exceptions:?}");
        };
        let mut trusted = Trusted::builder();
        trusted
            .tenant("3f2504e0-4f89-41d3-9a0c-0305e82c3301")
            .unwrap();
        trusted.domain("msp.example").unwrap();
        trusted.domain(".partner.example").unwrap();
        trusted.email("bob@other.example").unwrap();
        assert_eq!(
            *full,
            Exception {
                id: "contoso-msp".into(),
                reason: "Our support partner".into(),
                owner: Some("Ann".into()),
                expires: Some("2027-02-01T00:00:00Z".parse().unwrap()),
                rules: Some(vec!["a".into(), "b".into()]),
                ground: Ground::Trusted(trusted.build()),
                place: crate::error::Place::new("x.yml", 4, 5),
            }
        );
        assert!(full.concerns("a") && !full.concerns("c"));
        assert_eq!((all.id.as_str(), &all.rules), ("17", &None));
        assert!(all.concerns("anything"));
        assert_eq!(template.ground, Ground::Trusted(Trusted::default()));
    }

    #[test]
    fn files_without_exceptions() {
        for text in [
            "",
            "# nothing yet\n",
            "---\n---\n",
            "[]",
            "exceptions:",
            "exceptions: []",
        ] {
            assert_eq!(parse("x.yml", text, None), Parsed::default(), "{text:?}");
        }
    }

    #[test]
    fn refused() {
        const NOT_A_FILE: &str = "this is not an exceptions file: that is a list, or a map with a list under `exceptions`";
        const KNOWN: &str =
            "known are id, reason, owner, expires, rules, tenant_id, domain, email, template";
        // What stands in a sound entry, and its errors.
        let entries: &[(&str, &[&str])] = &[
            (
                "",
                &["1:3: nobody is trusted here: give a `tenant_id`, a `domain` or an `email`"],
            ),
            (
                "domain:",
                &[
                    "2:3: `domain` lists nothing; fill it in, or say `template: true` if that is meant",
                ],
            ),
            (
                "domain: []",
                &[
                    "2:3: `domain` lists nothing; fill it in, or say `template: true` if that is meant",
                ],
            ),
            ("domain: ''", &["2:11: each of `domain` must not be empty"]),
            (
                "domain: [a.example, [b.example]]",
                &["2:23: each of `domain` must be a text, not a list"],
            ),
            (
                "domain: [a.example, co.uk, '*.b.example', 'x@c.example']",
                &[
                    "2:23: `domain` `co.uk`: `co.uk` is a public suffix: anybody can register a name below it; list the partner's own domain",
                    "2:30: `domain` `*.b.example`: wildcards are not known here; `.msp.example`, with a leading dot, means every domain below msp.example",
                    "2:45: `domain` `x@c.example`: this holds an `@`; list an address under `email`, or only what follows the `@` here",
                ],
            ),
            (
                "domain: {path: x}",
                &[
                    "2:12: unknown key `path` in the place of a list: known are file, column",
                    "2:11: `domain` must be a text, a list of texts, or a map with the key `file`",
                ],
            ),
            (
                "domain: {file: x.txt}",
                &["2:18: a built-in pack cannot name a list file"],
            ),
            (
                "tenant_id: contoso",
                &[
                    "2:14: `tenant_id` `contoso`: a tenant id is a GUID of 36 characters, as in `3f2504e0-4f89-41d3-9a0c-0305e82c3301`",
                ],
            ),
            (
                "email: '*@a.example'",
                &[
                    "2:10: `email` `*@a.example`: wildcards are not known here; to trust a whole domain, list it under `domain`",
                ],
            ),
            (
                "domains: a.example",
                &[
                    "2:3: unknown key `domains` in an exception: did you mean `domain`?",
                    "1:3: nobody is trusted here: give a `tenant_id`, a `domain` or an `email`",
                ],
            ),
            (
                "domain: a.example\n  severity: high",
                &[&format!(
                    "3:3: unknown key `severity` in an exception: {KNOWN}"
                )],
            ),
            (
                "domain: a.example\n  Display-Names: [IT]",
                &[
                    "3:3: `Display-Names` is not known: display names are never a ground for trust, anybody can take any; use `tenant_id`, `domain` or `email`",
                ],
            ),
            (
                "domain: a.example\n  owner: [a]",
                &["3:10: `owner` must be a text, not a list"],
            ),
            (
                "domain: a.example\n  rules: []",
                &["3:10: `rules` lists nothing; leave it out, or write `all`, to mean every rule"],
            ),
            (
                "domain: a.example\n  rules:",
                &["3:8: `rules` lists nothing; leave it out, or write `all`, to mean every rule"],
            ),
            (
                "domain: a.example\n  rules: [a, all]",
                &["3:14: `all` names every rule and must stand alone"],
            ),
            (
                "domain: a.example\n  rules: ['']",
                &["3:11: each of `rules` must not be empty"],
            ),
            (
                "domain: a.example\n  rules: {a: b}",
                &["3:10: `rules` must be a text or a list of texts"],
            ),
            (
                "domain: a.example\n  template: yes",
                &["3:13: `template` must be `true` or `false`"],
            ),
            (
                "domain: a.example\n  expires: [1]",
                &["3:12: `expires` must be a text, not a list"],
            ),
        ];
        for (text, wanted) in entries {
            let text = format!("- id: a\n  {text}\n  reason: r\n");
            let wanted: Vec<String> = wanted
                .iter()
                .map(|error| format!("x.yml:{error}"))
                .collect();
            assert_eq!(errors(&text), wanted, "{text}");
            assert_eq!(parse("x.yml", &text, None).exceptions, [], "{text}");
        }
        let files: &[(&str, &[&str])] = &[
            ("text", &[&format!("1:1: {NOT_A_FILE}")]),
            ("a: b", &[&format!("1:1: {NOT_A_FILE}")]),
            (
                "filter: b",
                &[
                    "1:1: this is a Sigma filter, not an exceptions file: load it along with the rules",
                ],
            ),
            (
                "exceptions: a",
                &["1:13: `exceptions` must be a list, not a single value"],
            ),
            (
                "exceptions: []\nversion: 1",
                &["2:1: unknown key `version` in an exceptions file: known are exceptions"],
            ),
            (
                "- a",
                &["1:3: an exception must be a map, not a single value"],
            ),
            (
                "- domain: a.example",
                &[
                    "1:3: an exception needs the key `id`",
                    "1:3: an exception needs the key `reason`",
                ],
            ),
            (
                "- {id: '', reason: ' ', domain: a.example}",
                &[
                    "1:8: `id` must not be empty",
                    "1:20: `reason` must not be empty",
                ],
            ),
            (
                "- {id: a, id: b}",
                &["1:11: the key `id` stands here a second time, the first is on line 1"],
            ),
        ];
        for (text, wanted) in files {
            let wanted: Vec<String> = wanted
                .iter()
                .map(|error| format!("x.yml:{error}"))
                .collect();
            assert_eq!(errors(text), wanted, "{text}");
        }
    }

    #[test]
    fn one_bad_entry_hides_no_other() {
        let text =
            "- {id: a, reason: r, domain: com}\n- {id: b, reason: r, domain: b.example}\n- {}\n";
        let Parsed {
            exceptions, errors, ..
        } = parse("x.yml", text, None);
        assert_eq!(exceptions.len(), 1);
        assert_eq!(exceptions[0].id, "b");
        assert_eq!(errors.len(), 4);
    }

    #[test]
    fn expiry_dates() {
        let cases = [
            ("2027-01-31", Ok("2027-02-01T00:00:00Z")),
            ("2028-02-29", Ok("2028-03-01T00:00:00Z")),
            ("2027-12-31", Ok("2028-01-01T00:00:00Z")),
            (" 2027-01-31 ", Ok("2027-02-01T00:00:00Z")),
            ("2027-01-31T17:00:00Z", Ok("2027-01-31T17:00:00Z")),
            ("2027-01-31t17:00:00z", Ok("2027-01-31T17:00:00Z")),
            ("2027-01-31 17:00:00+01:00", Ok("2027-01-31T16:00:00Z")),
            (
                "2027-01-31T17:00:00.25-05:30",
                Ok("2027-01-31T22:30:00.25Z"),
            ),
            ("2027-02-30", Err("there is no such day")),
            ("2027-13-01", Err("there is no such day")),
            ("9999-12-31", Err("this day is too far away")),
            ("2027-01-31T25:00:00Z", Err("there is no such moment")),
            ("2027-01-31T17:00:00", Err("the time zone is missing")),
            ("2027-01-31T17:00Z", Err("this is no date")),
            (
                "2027-01-31T17:00:00+01:00[Europe/Berlin]",
                Err("this is no date"),
            ),
            ("2027-01-31T17:00:00.Z", Err("there is no such moment")),
            ("2027-1-31", Err("this is no date")),
            ("31.01.2027", Err("this is no date")),
            ("never", Err("this is no date")),
            ("+2027-01-31", Err("this is no date")),
            ("２０２７-01-31", Err("this is no date")),
        ];
        for (text, wanted) in cases {
            match (expiry(text), wanted) {
                (Ok(moment), Ok(wanted)) => assert_eq!(moment.to_string(), wanted, "{text}"),
                (Err(error), Err(wanted)) => assert!(
                    error.starts_with(&format!("`expires` `{}`: {wanted}", text.trim())),
                    "{error}"
                ),
                (found, wanted) => panic!("{text}: {found:?}, wanted {wanted:?}"),
            }
        }
    }

    #[test]
    fn an_exception_is_active_until_it_expires() {
        let Parsed { exceptions, .. } = parse(
            "x.yml",
            "- {id: a, reason: r, template: true, expires: 2027-01-31}\n- {id: b, reason: r, template: true}",
            None,
        );
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (now, active) in [
            ("1970-01-01T00:00:00Z", true),
            ("2027-01-31T23:59:59.999999999Z", true),
            ("2027-02-01T00:00:00Z", false),
            ("2100-01-01T00:00:00Z", false),
        ] {
            assert_eq!(exceptions[0].is_active(at(now)), active, "{now}");
            assert!(exceptions[1].is_active(at(now)));
        }
    }

    proptest::proptest! {
        // Any text gives exceptions or errors, and no panic.
        #[test]
        fn never_panics(text in r"(\PC|[\n:{}\[\] -]|id|reason|domain|expires|rules|template|'){0,40}", expires in r"[0-9TZ:. +-]{0,30}") {
            parse("x.yml", &text, None);
            let _ = expiry(&expires);
        }
    }
}
