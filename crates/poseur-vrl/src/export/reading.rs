//! Reading fields: from a path, or a schema's derivation, to a VRL variable that holds a list of values.
//!
//! How paths are followed is in [`paths`](super::paths), what schemas derive in [`derivations`](super::derivations).

use poseur_matcher::schema::{Derive, FieldKind, Lookup, Schema, Scope};
use poseur_rule::expression::ColumnType;
use poseur_rule::model::Field;

use super::error::Reason;
use super::program::{Program, regex, text, texts};

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

    pub fn leaves(&mut self, what: &str, name: &str, list: &str, place: &Place<'_>) -> String {
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
}
