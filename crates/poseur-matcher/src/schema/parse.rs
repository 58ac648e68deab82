//! Schema files: YAML to [`Schema`].

use poseur_rule::error::LoadError;
use poseur_rule::yaml::{self, Node, Reader};

use super::{Derive, FieldKind, FieldRule, Lookup, Mark, Party, Payload, Schema, Sources, Summary};

/// Reads the schemas of a file: one a document.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Vec<Schema>, Vec<LoadError>> {
    let documents = yaml::parse(file, text).map_err(|error| vec![error])?;
    let mut reader = Reader::new(file);
    let schemas = documents
        .iter()
        .filter_map(|document| schema(&mut reader, document, text))
        .collect();
    if reader.errors.is_empty() {
        Ok(schemas)
    } else {
        Err(reader.errors)
    }
}

fn schema(reader: &mut Reader, node: &Node, source: &str) -> Option<Schema> {
    const KEYS: &[&str] = &[
        "name",
        "title",
        "order",
        "detect",
        "below",
        "fields",
        "parties",
        "tenants",
        "sources",
        "discriminating",
        "summary",
        "payload",
    ];
    let entries = reader.map(node, "a schema")?;
    reader.known_keys(entries, KEYS, "a schema");
    let Some(name) = node.get("name").and_then(|name| reader.text(name, "name")) else {
        reader.error(node, "a schema needs a `name`");
        return None;
    };
    let mut schema = Schema {
        name: name.to_owned(),
        title: optional(reader, node, "title").unwrap_or_default(),
        order: order(reader, node),
        detect: Vec::new(),
        below: optional(reader, node, "below"),
        fields: Vec::new(),
        families: Vec::new(),
        parties: Vec::new(),
        tenants: optional(reader, node, "tenants"),
        sources: sources(reader, node),
        discriminating: names(reader, node, "discriminating"),
        summary: summary(reader, node),
        payload: payload(reader, node),
        source: source.to_owned(),
    };
    if let Some(detect) = node.get("detect") {
        for line in reader.list(detect, "detect").unwrap_or_default() {
            let marks = reader.list(line, "a line of `detect`").unwrap_or_default();
            schema
                .detect
                .push(marks.iter().filter_map(|item| mark(reader, item)).collect());
        }
    }
    if let Some(fields) = node.get("fields") {
        for (key, value) in reader.map(fields, "fields").unwrap_or_default() {
            field(reader, key, value, &mut schema);
        }
    }
    if let Some(parties) = node.get("parties") {
        for item in reader.list(parties, "parties").unwrap_or_default() {
            schema.parties.extend(party(reader, item));
        }
    }
    Some(schema)
}

fn optional(reader: &mut Reader, node: &Node, key: &str) -> Option<String> {
    let value = node.get(key)?;
    reader.text(value, key).map(str::to_owned)
}

fn names(reader: &mut Reader, node: &Node, key: &str) -> Vec<String> {
    let Some(value) = node.get(key) else {
        return Vec::new();
    };
    let texts = reader.texts(value, key);
    texts.into_iter().map(|(_, text)| text.to_owned()).collect()
}

/// Schemas without a number are tried after the built-in ones.
fn order(reader: &mut Reader, node: &Node) -> i64 {
    let Some(value) = node.get("order") else {
        return match node.get("payload") {
            Some(_) => 0,
            None => 100,
        };
    };
    let number = value
        .as_scalar()
        .and_then(|scalar| scalar.text.parse().ok());
    if number.is_none() {
        reader.error(value, "`order` is a whole number");
    }
    number.unwrap_or_default()
}

fn mark(reader: &mut Reader, node: &Node) -> Option<Mark> {
    if let Some([(path, text)]) = node.as_map() {
        return Some(Mark {
            path: path.key().to_owned(),
            text: Some(
                reader
                    .text(text, "the value of a detection key")?
                    .to_owned(),
            ),
        });
    }
    let path = reader.text(node, "a detection key")?.to_owned();
    Some(Mark { path, text: None })
}

fn field(reader: &mut Reader, key: &Node, node: &Node, schema: &mut Schema) {
    const KEYS: &[&str] = &[
        "from",
        "type",
        "part",
        "constant",
        "absent",
        "values",
        "otherwise",
        "rename",
        "when",
    ];
    let name = key.key();
    let Some(entries) = reader.map(node, "a field") else {
        return;
    };
    reader.known_keys(entries, KEYS, "a field");
    let paths = names(reader, node, "from");
    if let Some(prefix) = name.strip_suffix('*') {
        match paths.as_slice() {
            [path] if path.ends_with('*') && entries.len() == 1 => {
                let path = path.trim_end_matches('*').to_owned();
                schema.families.push((prefix.to_owned(), path));
            }
            _ => reader.error(
                node,
                "a family of fields has only `from`, one path that ends in `*`",
            ),
        }
        return;
    }
    let constant = optional(reader, node, "constant");
    if constant.is_some() != paths.is_empty() {
        reader.error(node, format!("`{name}` needs either `from` or `constant`"));
    }
    let lookup = Lookup {
        paths,
        first: false,
        kind: kind(reader, node),
        derive: derive(reader, node),
        absent: constant.or_else(|| optional(reader, node, "absent")),
    };
    if lookup.kind != FieldKind::Keyword && lookup.derive != Derive::Same {
        reader.error(node, "only a keyword field can be derived");
    }
    schema.fields.push(FieldRule {
        name: name.to_owned(),
        lookup,
    });
}

fn kind(reader: &mut Reader, node: &Node) -> FieldKind {
    let Some(value) = node.get("type") else {
        return FieldKind::default();
    };
    let all = [
        FieldKind::Keyword,
        FieldKind::Flattened,
        FieldKind::Dynamic,
        FieldKind::Flag,
    ];
    let word = reader.text(value, "type").unwrap_or_default();
    let known = all.into_iter().find(|kind| kind.as_str() == word);
    if known.is_none() {
        reader.error(value, "`type` is keyword, flattened, dynamic or flag");
    }
    known.unwrap_or_default()
}

fn derive(reader: &mut Reader, node: &Node) -> Derive {
    if let Some(part) = node.get("part") {
        return match reader.text(part, "part") {
            Some("text") => Derive::Text,
            Some("lower") => Derive::Lower,
            Some("address") => Derive::Address,
            Some("local") => Derive::Local,
            Some("domain") => Derive::Domain,
            Some("ip") => Derive::Ip,
            _ => {
                reader.error(part, "`part` is text, lower, address, local, domain or ip");
                Derive::Same
            }
        };
    }
    if let Some(values) = node.get("values") {
        let entries = reader.map(values, "values").unwrap_or_default();
        let entries = entries
            .iter()
            .map(|(result, texts)| {
                let texts = reader.texts(texts, "values");
                let texts = texts.into_iter().map(|(_, text)| text.to_lowercase());
                (result.key().to_owned(), texts.collect())
            })
            .collect();
        return Derive::Values {
            entries,
            otherwise: optional(reader, node, "otherwise"),
        };
    }
    if let Some(rename) = node.get("rename") {
        let when = node.get("when").and_then(Node::as_map);
        let Some([(path, text)]) = when else {
            reader.error(rename, "`rename` needs `when: {PATH: TEXT}`");
            return Derive::Same;
        };
        let when = (
            path.key().to_owned(),
            reader.text(text, "when").unwrap_or_default().to_owned(),
        );
        let entries = reader.map(rename, "rename").unwrap_or_default();
        let entries = entries
            .iter()
            .filter_map(|(from, to)| {
                Some((from.key().to_owned(), reader.text(to, "rename")?.to_owned()))
            })
            .collect();
        return Derive::Rename { entries, when };
    }
    Derive::Same
}

fn party(reader: &mut Reader, node: &Node) -> Option<Party> {
    const KEYS: &[&str] = &["name", "fields", "each", "email", "tenant", "member"];
    let entries = reader.map(node, "a party")?;
    reader.known_keys(entries, KEYS, "a party");
    let member = node.get("member").and_then(|member| {
        let entries = reader.map(member, "member")?;
        reader.known_keys(entries, &["of", "email", "tenant"], "member");
        Some((
            optional(reader, member, "of")?,
            optional(reader, member, "email")?,
            optional(reader, member, "tenant")?,
        ))
    });
    Some(Party {
        name: optional(reader, node, "name").unwrap_or_default(),
        fields: names(reader, node, "fields"),
        each: optional(reader, node, "each"),
        email: optional(reader, node, "email"),
        tenant: optional(reader, node, "tenant"),
        member,
    })
}

fn sources(reader: &mut Reader, node: &Node) -> Sources {
    let Some(node) = node.get("sources") else {
        return Sources::default();
    };
    if let Some(entries) = reader.map(node, "sources") {
        reader.known_keys(entries, &["product", "dataset", "table"], "sources");
    }
    Sources {
        products: names(reader, node, "product"),
        datasets: names(reader, node, "dataset"),
        tables: names(reader, node, "table"),
    }
}

fn summary(reader: &mut Reader, node: &Node) -> Summary {
    let Some(node) = node.get("summary") else {
        return Summary::default();
    };
    if let Some(entries) = reader.map(node, "summary") {
        reader.known_keys(entries, &["time", "who", "whom", "where"], "summary");
    }
    Summary {
        time: names(reader, node, "time"),
        who: names(reader, node, "who"),
        whom: names(reader, node, "whom"),
        place: names(reader, node, "where"),
    }
}

fn payload(reader: &mut Reader, node: &Node) -> Payload {
    let Some(node) = node.get("payload") else {
        return Payload::default();
    };
    if let Some(entries) = reader.map(node, "payload") {
        reader.known_keys(entries, &["objects", "texts", "elements"], "payload");
    }
    Payload {
        objects: names(reader, node, "objects"),
        texts: names(reader, node, "texts"),
        elements: names(reader, node, "elements"),
    }
}
