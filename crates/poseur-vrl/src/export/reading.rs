//! Reading fields: from a path, or a schema's derivation, to a VRL variable that holds a list of values.
//!
//! A path is found under nested and dotted keys and through arrays. For `a.b.c` the objects at `a` and at
//! `a.b` are collected first; then every object on the way is asked for every spelling of the rest.

use poseur_matcher::schema::{Derive, FieldKind, Lookup, Schema, Scope};
use poseur_rule::expression::ColumnType;
use poseur_rule::model::Field;

use super::error::Reason;
use super::program::{self, Program, field, regex, text, texts};

/// The text of a scalar, as JSON spells it.
pub(super) const TEXT: &str =
    r#"if is_float(value) { encode_json(value) } else { to_string(value) ?? "" }"#;

/// A JSON number, and nothing else.
pub(super) const NUMBER: &str = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$";

/// Where fields are read: an object in a variable, and how such objects are read.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// The name of the field that holds the object, if it is not a whole record.
    pub object: Option<String>,
    /// The variable that holds the object.
    pub root: String,
}

impl Place<'_> {
    pub fn lookup(&self, name: &str) -> Lookup {
        let scope = Scope {
            schema: self.schema,
            object: self.object.as_deref(),
        };
        scope.lookup(name)
    }
}

/// A list of values in a variable.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// The variable, or a literal list.
    pub list: String,
    /// All of them are strings.
    pub strings: bool,
    /// All of them are truth values.
    pub flags: bool,
    /// The only value there ever is.
    pub constant: Option<String>,
    /// VRL's compiler may know what they are.
    pub typed: bool,
}

impl Values {
    fn of(list: String) -> Values {
        Values {
            list,
            strings: false,
            flags: false,
            constant: None,
            typed: true,
        }
    }
}

/// How a field of a rule is read.
pub(super) fn lookup(
    place: &Place<'_>,
    of: &Field,
) -> Result<(Lookup, Option<ColumnType>), Reason> {
    match of {
        Field::Name(name) => Ok((place.lookup(name), None)),
        Field::Column(column) => {
            let lookup = place.lookup(&column.name);
            let plain = lookup.kind == FieldKind::Keyword && lookup.derive == Derive::Same;
            let own = plain && lookup.absent.is_none();
            Ok((lookup, own.then_some(column.kind)))
        }
        Field::Any => Ok((Lookup::default(), None)),
        Field::Like(_) => Err(Reason::Like),
        Field::Value(expression) => Err(Reason::Expression(expression.to_string())),
    }
}

impl Program {
    /// The values of a rule's field: scalars that are not null.
    pub fn values(&mut self, place: &Place<'_>, of: &Field) -> Result<Values, Reason> {
        if *of == Field::Any {
            let all = format!("[{}]", place.root);
            return Ok(Values::of(self.leaves(
                "any scalar",
                "scalars",
                &all,
                place,
            )));
        }
        let (lookup, column) = lookup(place, of)?;
        let name = of.label().into_owned();
        match column {
            Some(kind) => self.column(place, &name, &lookup, kind),
            None => self.listed(place, &name, &lookup),
        }
    }

    /// The same of a looked-up field.
    pub fn listed(
        &mut self,
        place: &Place<'_>,
        name: &str,
        lookup: &Lookup,
    ) -> Result<Values, Reason> {
        if lookup.paths.is_empty() {
            let constant = lookup.absent.clone();
            return Ok(Values {
                list: texts(constant.as_deref()),
                strings: true,
                flags: false,
                constant,
                typed: true,
            });
        }
        let what = format!("values {} {name}", place.root);
        let made = lookup.derive != Derive::Same && !matches!(lookup.derive, Derive::Rename { .. });
        let flags = lookup.kind == FieldKind::Flag;
        let typed = lookup.kind != FieldKind::Keyword
            || lookup.derive != Derive::Same
            || lookup.absent.is_some();
        if let Some(list) = self.known(&what) {
            return Ok(Values {
                strings: made,
                flags,
                typed,
                ..Values::of(list)
            });
        }
        let variable = self.variable(name);
        match lookup.kind {
            FieldKind::Keyword => self.keyword(place, &variable, lookup)?,
            FieldKind::Flattened => {
                let raw = self.raw(place, lookup, true);
                self.collect_leaves(&variable, &raw);
            }
            FieldKind::Dynamic => {
                let raw = self.raw(place, lookup, false);
                self.dynamic(&variable, &raw);
            }
            FieldKind::Flag => {
                let raw = self.raw(place, lookup, false);
                self.flags(&variable, &raw);
            }
        }
        if lookup.kind != FieldKind::Keyword
            && let Some(absent) = &lookup.absent
        {
            self.line(format!(
                "if is_empty({variable}) {{ {variable} = {} }}",
                texts([absent.as_str()])
            ));
        }
        self.know(what, &variable);
        Ok(Values {
            strings: made,
            flags,
            typed,
            ..Values::of(variable)
        })
    }

    /// A variable with the texts of the values.
    ///
    /// VRL's compiler wants errors handled exactly where it thinks there can be some. It knows what is in a
    /// list that was pushed into, so that tests of these texts need no handling.
    pub fn strings(&mut self, values: &Values) -> String {
        let what = format!("strings {}", values.list);
        if let Some(known) = self.known(&what) {
            return known;
        }
        let variable = self.variable(&format!("{}_texts", values.list));
        self.line(format!("{variable} = []"));
        self.each(values);
        self.line(format!("value = {TEXT}"));
        self.line(format!("{variable} = push({variable}, value)"));
        self.close();
        self.know(what, &variable);
        variable
    }

    /// Opens a loop over values, each in `value`, of which VRL's compiler knows nothing.
    pub fn each(&mut self, values: &Values) {
        self.open(format!("for_each({}) -> |_, value|", values.list));
        if values.typed {
            self.line("value = get([value], [0]) ?? null");
        }
    }

    /// A variable with every scalar at or below the values of a keyword field: whether it exists.
    pub fn presence(&mut self, place: &Place<'_>, name: &str, lookup: &Lookup) -> String {
        let raw = self.raw(place, lookup, true);
        self.leaves(
            &format!("presence {name}"),
            &format!("{name}_there"),
            &raw,
            place,
        )
    }

    /// The values of a Kusto column.
    fn column(
        &mut self,
        place: &Place<'_>,
        name: &str,
        lookup: &Lookup,
        kind: ColumnType,
    ) -> Result<Values, Reason> {
        let flags = kind == ColumnType::Bool;
        let strings = kind == ColumnType::Text;
        let what = format!("column {} {name} {}", place.root, kind.as_str());
        if let Some(list) = self.known(&what) {
            return Ok(Values {
                strings,
                flags,
                ..Values::of(list)
            });
        }
        let raw = self.raw_exact(place, lookup, false);
        let variable = self.variable(name);
        match kind {
            ColumnType::Text => {
                self.line(format!("{variable} = []"));
                self.open(format!("for_each({raw}) -> |_, value|"));
                self.line(format!("value = if is_object(value) || is_array(value) {{ encode_json(value) }} else {TEXT}"));
                self.line(format!("{variable} = push({variable}, value)"));
                self.close();
                self.line(format!("if is_empty({variable}) {{ {variable} = [\"\"] }}"));
            }
            ColumnType::Bool => self.flags(&variable, &raw),
            ColumnType::Dynamic => self.dynamic(&variable, &raw),
            ColumnType::DateTime => {
                self.line(format!(
                    "{variable} = filter({raw}) -> |_, value| {{ is_string(value) }}"
                ));
            }
            ColumnType::Long | ColumnType::Real => {
                self.line(format!(
                    "{variable} = filter({raw}) -> |_, value| {{ is_string(value) || is_integer(value) || is_float(value) }}"
                ));
            }
            ColumnType::TimeSpan => return Err(Reason::Column(kind.as_str())),
        }
        self.know(what, &variable);
        Ok(Values {
            strings,
            flags,
            ..Values::of(variable)
        })
    }

    fn keyword(
        &mut self,
        place: &Place<'_>,
        variable: &str,
        lookup: &Lookup,
    ) -> Result<(), Reason> {
        let objects = matches!(
            &lookup.derive,
            Derive::Values {
                otherwise: Some(_),
                ..
            }
        );
        let raw = self.raw(place, lookup, objects);
        let keep = if objects {
            "!is_null(value)"
        } else {
            "!is_null(value) && !is_object(value)"
        };
        self.line(format!(
            "{variable} = filter(flatten({raw})) -> |_, value| {{ {keep} }}"
        ));
        if lookup.derive == Derive::Same {
            if let Some(absent) = &lookup.absent {
                self.line(format!(
                    "if is_empty({variable}) {{ {variable} = {} }}",
                    texts([absent.as_str()])
                ));
            }
            return Ok(());
        }
        // What the derivation needs to know is read before.
        let renamed = match &lookup.derive {
            Derive::Rename { when, .. } => {
                let decides = Lookup {
                    paths: vec![when.0.clone()],
                    ..Lookup::default()
                };
                let deciding = self.listed(place, &when.0, &decides)?;
                let deciding = self.strings(&deciding);
                format!("includes({deciding}, {})", text(&when.1))
            }
            _ => String::new(),
        };
        let Some(absent) = &lookup.absent else {
            self.derive(variable, &lookup.derive, &renamed);
            return Ok(());
        };
        self.open(format!("if is_empty({variable})"));
        self.line(format!("{variable} = {}", texts([absent.as_str()])));
        self.reopen("else");
        self.derive(variable, &lookup.derive, &renamed);
        self.close();
        Ok(())
    }

    /// Replaces the values of a list by what is derived from them.
    fn derive(&mut self, list: &str, derive: &Derive, renamed: &str) {
        let only_at = format!(
            "filter({list}) -> |_, value| {{ is_string(value) && (match(value, {}) ?? false) }}",
            regex("^[^@]*@[^@]*$")
        );
        let part = |of: &str| {
            format!(
                "{list} = map_values({list}) -> |value| {{ replace(value, {}, \"\") ?? \"\" }}",
                regex(of)
            )
        };
        match derive {
            Derive::Same => {}
            Derive::Text => self.line(format!(
                "{list} = map_values({list}) -> |value| {{ {TEXT} }}"
            )),
            Derive::Lower => {
                self.open(format!("{list} = map_values({list}) -> |value|"));
                self.line(format!("lower = {TEXT}"));
                self.line(LOWER);
                self.close();
            }
            Derive::Address => self.line(format!("{list} = {only_at}")),
            Derive::Local | Derive::Domain => {
                self.line(format!("{list} = {only_at}"));
                self.line(part(if *derive == Derive::Local {
                    "(?s)@.*$"
                } else {
                    "(?s)^.*@"
                }));
            }
            Derive::Ip => self.addresses(list),
            Derive::Values { entries, otherwise } => {
                let last = otherwise.as_deref().map_or(TEXT.to_owned(), text);
                self.open(format!("{list} = map_values({list}) -> |value|"));
                self.line(format!(
                    "lower = if is_object(value) {{ \"\" }} else {TEXT}"
                ));
                self.line(format!("lower = {LOWER}"));
                let mut start = match otherwise {
                    Some(_) => {
                        self.open("if is_object(value)");
                        self.line(&last);
                        "else if"
                    }
                    None => "if",
                };
                for (result, known) in entries {
                    let known = texts(known.iter().map(String::as_str));
                    let condition = format!("{start} includes({known}, lower)");
                    match start {
                        "if" => self.open(condition),
                        _ => self.reopen(condition),
                    }
                    self.line(text(result));
                    start = "else if";
                }
                match start {
                    "if" => self.line(&last),
                    _ => {
                        self.reopen("else");
                        self.line(&last);
                        self.close();
                    }
                }
                self.close();
            }
            Derive::Rename { entries, .. } => {
                self.open(format!("if {renamed}"));
                self.open(format!("{list} = map_values({list}) -> |value|"));
                self.line(format!("name = {TEXT}"));
                let mut start = "if";
                for (from, to) in entries {
                    let condition = format!("{start} name == {}", text(from));
                    match start {
                        "if" => self.open(condition),
                        _ => self.reopen(condition),
                    }
                    self.line(text(to));
                    start = "else if";
                }
                match start {
                    "if" => self.line("value"),
                    _ => {
                        self.reopen("else");
                        self.line("value");
                        self.close();
                    }
                }
                self.close();
                self.close();
            }
        }
    }

    /// Replaces texts by the IP addresses in them: without port and brackets, IPv4-mapped ones as IPv4.
    fn addresses(&mut self, list: &str) {
        let only = |of: &str| {
            format!(
                "if match(bare, {0}) {{ bare = replace(bare, {0}, \"\\u{{24}}1\") }} else {{ bare = \"\" }}",
                regex(of)
            )
        };
        self.open(format!("{list} = map_values({list}) -> |value|"));
        self.line(format!("bare = {TEXT}"));
        self.open("if starts_with(bare, \"[\")");
        self.line(only(r"^\[([^\]]*)\](?::[0-9]{1,5})?$"));
        self.reopen(format!("else if match(bare, {})", regex("^[^:]*:[^:]*$")));
        self.line(only("^([^:]*):[0-9]{1,5}$"));
        self.close();
        self.line(format!(
            "if is_ipv4(bare) {{ bare }} else if is_ipv6(bare) {{ {} }} else {{ null }}",
            unmapped("bare")
        ));
        self.close();
        self.line(format!(
            "{list} = filter({list}) -> |_, value| {{ !is_null(value) }}"
        ));
    }

    /// Collects the truth values of flags.
    fn flags(&mut self, variable: &str, raw: &str) {
        self.line(format!("{variable} = []"));
        self.open(format!("for_each({raw}) -> |_, value|"));
        self.open("if is_boolean(value)");
        self.line(format!("{variable} = push({variable}, value)"));
        self.reopen("else if is_string(value) || is_integer(value) || is_float(value)");
        self.line("value = to_string(value) ?? \"\"");
        self.open(format!("if match(value, {})", regex("^(?i-u:true)$")));
        self.line(format!("{variable} = push({variable}, true)"));
        self.reopen(format!("else if match(value, {})", regex("^(?i-u:false)$")));
        self.line(format!("{variable} = push({variable}, false)"));
        self.reopen(format!("else if match(value, {})", regex(NUMBER)));
        self.line(format!(
            "{variable} = push({variable}, (to_float(value) ?? 0.0) != 0.0)"
        ));
        self.close();
        self.close();
        self.close();
    }

    /// Collects the texts of dynamic values.
    fn dynamic(&mut self, variable: &str, raw: &str) {
        self.line(format!("{variable} = []"));
        self.open(format!("for_each({raw}) -> |_, value|"));
        self.open("if is_object(value) || is_array(value)");
        self.line(format!("{variable} = push({variable}, encode_json(value))"));
        self.reopen(format!(
            "else if is_string(value) && (match(value, {}) ?? false)",
            regex(JSON_START)
        ));
        self.comment(
            "A text that holds JSON is what it holds, without white space and needless escapes.",
        );
        self.line("inside = to_string(value) ?? \"\"");
        self.repair("inside");
        self.line("parsed = parse_json(inside) ?? null");
        self.open("if is_object(parsed) || is_array(parsed)");
        self.compact("inside");
        self.line(format!("{variable} = push({variable}, inside)"));
        self.reopen("else");
        self.line(format!("{variable} = push({variable}, value)"));
        self.close();
        self.reopen("else if !is_null(value)");
        self.line(format!("{variable} = push({variable}, value)"));
        self.close();
        self.close();
    }

    /// Makes a JSON text compact: no white space and no needless escapes.
    pub fn compact(&mut self, variable: &str) {
        self.line(format!(
            "{variable} = replace_with({variable}, {}) -> |token| {{",
            regex(TOKEN)
        ));
        self.line("  if !starts_with(token.string, \"\\\"\") { \"\" } else if contains(token.string, \"\\\\\") {");
        self.line("    encode_json(parse_json(token.string) ?? token.string)");
        self.line("  } else { token.string }");
        self.line("}");
    }

    /// Prepares a text for `parse_json`: no byte-order mark, and U+FFFD for halves of surrogate pairs.
    pub fn repair(&mut self, variable: &str) {
        self.line(format!(
            "{variable} = replace({variable}, {}, \"\")",
            regex(r"^\x{FEFF}")
        ));
        self.open(format!(
            "if match({variable}, {})",
            regex(r"\\u[dD][89a-fA-F]")
        ));
        self.comment(
            "Half of a surrogate pair is no character; `parse_json` would refuse the whole text.",
        );
        self.line(format!(
            "{variable} = replace_with({variable}, {}) -> |half| {{",
            regex(SURROGATE)
        ));
        self.line(format!(
            "  if match(half.string, {}) {{ \"\\\\ufffd\" }} else {{ half.string }}",
            regex(LONE)
        ));
        self.line("}");
        self.close();
    }

    fn leaves(&mut self, what: &str, name: &str, list: &str, place: &Place<'_>) -> String {
        let what = format!("{what} {}", place.root);
        if let Some(known) = self.known(&what) {
            return known;
        }
        let variable = self.variable(name);
        self.collect_leaves(&variable, list);
        self.know(what, &variable);
        variable
    }

    pub fn collect_leaves(&mut self, variable: &str, list: &str) {
        self.line(format!("{variable} = []"));
        self.open(format!("map_values({list}, recursive: true) -> |value|"));
        self.open("if !is_null(value) && !is_object(value) && !is_array(value)");
        self.line(format!("{variable} = push({variable}, value)"));
        self.close();
        self.line("value");
        self.close();
    }

    /// A list of what stands at a field's paths; nulls among it mean nothing. With `beyond`, also what
    /// dotted keys hold that go on beyond a path.
    pub fn raw(&mut self, place: &Place<'_>, lookup: &Lookup, beyond: bool) -> String {
        if lookup.first && lookup.paths.len() > 1 {
            return self.raw_exact(place, lookup, beyond);
        }
        match (lookup.paths.as_slice(), beyond) {
            ([path], false) if !path.contains('.') => format!("[{}]", field(&place.root, path)),
            (paths, _) => {
                let found = self.variable("found");
                let mut first = true;
                for path in paths {
                    self.at_path(place, path, &found, std::mem::take(&mut first), false);
                    if beyond {
                        self.beyond(place, path, &found, "value");
                    }
                }
                found
            }
        }
    }

    /// A list of what stands at a field's paths, nulls included where they are written; only of the first
    /// path that is there, if the field says so.
    pub fn raw_exact(&mut self, place: &Place<'_>, lookup: &Lookup, beyond: bool) -> String {
        let found = self.variable("found");
        self.line(format!("{found} = []"));
        let paths = &lookup.paths;
        for (at, path) in paths.iter().enumerate() {
            if at > 0 && lookup.first {
                // What only dotted keys beyond the first path hold makes it present, too.
                let there = self.variable("there");
                self.line(format!("{there} = {found}"));
                self.beyond(place, &paths[at - 1], &there, "true");
                self.open(format!("if is_empty({there})"));
            }
            self.at_path(place, path, &found, false, true);
            if beyond {
                self.beyond(place, path, &found, "value");
            }
        }
        if lookup.first {
            for _ in 1..paths.len() {
                self.close();
            }
        }
        found
    }

    /// Pushes what is at a path into a list.
    pub fn at_path(&mut self, place: &Place<'_>, path: &str, list: &str, first: bool, exact: bool) {
        let whole = field(&place.root, path);
        match (first, exact) {
            (true, _) => self.line(format!("{list} = [{whole}]")),
            (false, true) => self.line(format!(
                "if exists({whole}) {{ {list} = push({list}, {whole}) }}"
            )),
            (false, false) => self.line(format!("{list} = push({list}, {whole})")),
        }
        for (dot, _) in path.match_indices('.') {
            let objects = self.objects_at(place, &path[..dot]);
            let rest = field("inner", &path[dot + 1..]);
            self.line(match exact {
                true => format!(
                    "for_each({objects}) -> |_, inner| {{ if exists({rest}) {{ {list} = push({list}, {rest}) }} }}"
                ),
                false => format!("for_each({objects}) -> |_, inner| {{ {list} = push({list}, {rest}) }}"),
            });
        }
    }

    /// Pushes what dotted keys hold that go on beyond a path.
    pub fn beyond(&mut self, place: &Place<'_>, path: &str, list: &str, value: &str) {
        let push = |rest: &str| {
            format!(
                "if starts_with(key, {}) {{ {list} = push({list}, {value}) }}",
                text(&format!("{rest}."))
            )
        };
        self.line(format!(
            "for_each({}) -> |key, value| {{ {} }}",
            place.root,
            push(path)
        ));
        for (dot, _) in path.match_indices('.') {
            let objects = self.objects_at(place, &path[..dot]);
            let push = push(&path[dot + 1..]);
            self.line(format!(
                "for_each({objects}) -> |_, inner| {{ for_each(object(inner) ?? {{}}) -> |key, value| {{ {push} }} }}"
            ));
        }
    }

    /// A variable with the objects at a path, arrays opened.
    pub fn objects_at(&mut self, place: &Place<'_>, path: &str) -> String {
        let what = format!("objects {} {path}", place.root);
        if let Some(known) = self.known(&what) {
            return known;
        }
        let variable = self.variable(&format!("{path} objects"));
        let list = match path.contains('.') {
            false => format!("[{}]", field(&place.root, path)),
            true => {
                self.at_path(place, path, &variable, true, false);
                variable.clone()
            }
        };
        self.line(format!(
            "{variable} = filter(flatten({list})) -> |_, value| {{ is_object(value) }}"
        ));
        self.know(what, &variable);
        variable
    }
}

/// The text in `lower` in lower case, each character by itself.
pub(super) const LOWER: &str = r#"downcase(replace(lower, "Σ", "σ"))"#;

/// How a JSON object or array begins.
pub(super) const JSON_START: &str = r"^\x{FEFF}?[ \t\r\n]*[\[{]";

/// A string of a JSON text, or white space outside of them.
const TOKEN: &str = r#""(?:[^"\\]|\\.)*"|[ \t\r\n]+"#;

/// Escapes, of which pairs of surrogates are one.
const SURROGATE: &str = r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)";

/// Half of a surrogate pair.
const LONE: &str = r"^\\u[dD][89a-fA-F]..$";

/// An IPv6 address as the IPv4 address that is mapped to it, if one is.
pub(super) fn unmapped(address: &str) -> String {
    format!(
        "if ip_cidr_contains(\"::ffff:0:0/96\", {address}) ?? false {{ ipv6_to_ipv4({address}) ?? {address} }} else {{ {address} }}"
    )
}

/// What the literals of a pattern are as a regular expression; ASCII letters fold where `folded`.
pub(super) fn literal(text: &str, folded: bool) -> String {
    if !folded || !text.contains(|char: char| char.is_ascii_alphabetic()) {
        return program::escape(text);
    }
    // Letters that are not ASCII stay outside of the part that folds.
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest
            .find(|char: char| !char.is_ascii())
            .unwrap_or(rest.len());
        let (start, others) = rest.split_at(ascii);
        if !start.is_empty() {
            out += &format!("(?i-u:{})", program::escape(start));
        }
        let end = others
            .find(|char: char| char.is_ascii())
            .unwrap_or(others.len());
        out += &program::escape(&others[..end]);
        rest = &others[end..];
    }
    out
}
