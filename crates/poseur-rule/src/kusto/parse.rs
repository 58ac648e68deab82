//! The grammar of queries: statements, the table, and the operators behind it.

use super::names::{can_be_given, can_be_let, is_name};
use super::parse_expression::Parser;
use super::syntax::{
    Column, Lambda, Let, LetValue, Name, Node, NodeKind, Operator, OperatorKind, Parameter, Query,
    Source, TableLet, Wildcard,
};
use super::token::{self, Kind};
use super::{Refusal, Result};

/// Operators that look across records or tables, or make several records of one.
const ACROSS: [&str; 33] = [
    "assert-schema",
    "evaluate",
    "execute-and-cache",
    "externaldata",
    "facet",
    "find",
    "fork",
    "graph-mark-components",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-where-edges",
    "graph-where-nodes",
    "invoke",
    "join",
    "lookup",
    "macro-expand",
    "make-graph",
    "make-series",
    "mv-apply",
    "mv-expand",
    "mvapply",
    "mvexpand",
    "partition",
    "print",
    "range",
    "reduce",
    "sample-distinct",
    "scan",
    "search",
    "summarize",
    "top-hitters",
    "top-nested",
];

/// Operators about one record that Poseur does not evaluate.
const UNSUPPORTED: [&str; 2] = ["parse-kv", "project-by-names"];

/// What a `let` stands for.
enum Definition {
    Value(LetValue),
    Table(Source),
}

/// Why a query that names a second table is refused.
pub(super) const OVER_TABLES: &str = "a query over several tables looks across records";

/// Refuses a second `let` of a name.
pub(super) fn twice(name: &Name) -> Refusal {
    let reason = format!("`{}` is defined a second time", name.text);
    Refusal::new(name.at, reason)
}

/// Why something that looks across records is refused.
fn across(what: &str) -> String {
    format!("`{what}` looks across records or tables, and Poseur judges each record alone")
}

/// Parses a query.
pub(super) fn query(text: &str) -> Result<Query> {
    let mut parser = Parser::new(token::tokens(text));
    let mut lets = Vec::new();
    let mut table = None;
    loop {
        if matches!(parser.peek().kind, Kind::End) {
            break;
        }
        let at = parser.at();
        match parser.word() {
            Some("let") => lets.extend(parser.let_statement()?),
            Some("set") => parser.set_statement()?,
            Some(word @ ("declare" | "alias" | "restrict" | "pattern"))
                if matches!(parser.peek_at(1).kind, Kind::Name(_)) =>
            {
                let reason =
                    format!("a `{word}` statement is not supported: write the query without it");
                return Err(Refusal::new(at, reason));
            }
            _ if table.is_some() => {
                return Err(Refusal::new(
                    at,
                    "a second query begins here: a rule is one query, write the other into its own file",
                ));
            }
            _ => table = Some(parser.pipeline()?),
        }
        if !parser.eat(";") && !matches!(parser.peek().kind, Kind::End) {
            return parser.unexpected("`|` or `;` (a file holds one query)");
        }
    }
    let Some((table, operators)) = table else {
        return Err(Refusal::new(
            parser.at(),
            "the query names no table: it begins with the table that it reads",
        ));
    };
    let table_lets = parser.table_lets.into_values().map(|table| table.name);
    Ok(Query {
        lets,
        table_lets: table_lets.collect(),
        table,
        operators,
    })
}

impl Parser<'_> {
    /// `set NAME [= VALUE]`: an option of the engine, which has no meaning here.
    fn set_statement(&mut self) -> Result<()> {
        self.advance();
        self.plain_name("the name of an option")?;
        if self.eat("=") {
            self.expression()?;
        }
        Ok(())
    }

    /// The statement, if it is about a value or a function of values; a table is kept until the query
    /// reads it.
    fn let_statement(&mut self) -> Result<Option<Let>> {
        self.advance();
        let name = self.given_name(can_be_let, "a name")?;
        self.expect("=")?;
        if self.word() == Some("view") && self.peek_at(1).kind == Kind::Sign("(") {
            return Err(Refusal::new(
                self.at(),
                "a `let` of a table looks across tables",
            ));
        }
        let is_function = self.is_lambda();
        let definition = if is_function {
            self.lambda()?
        } else if self.is_pipeline() {
            Definition::Table(self.pipeline()?)
        } else {
            self.refuse_table()?;
            Definition::Value(LetValue::Value(self.expression()?))
        };
        if self.is_sign("|") {
            let reason = format!("`let {}` is a table: {OVER_TABLES}", name.text);
            return Err(Refusal::new(name.at, reason));
        }
        match definition {
            Definition::Value(value) => Ok(Some(Let { name, value })),
            Definition::Table(source) => {
                let table = TableLet {
                    name: name.clone(),
                    is_function,
                    source: Some(source),
                };
                match self.table_lets.insert(name.text.clone(), table) {
                    Some(_) => Err(twice(&name)),
                    None => Ok(None),
                }
            }
        }
    }

    /// Whether a table and operators follow: `NAME |`, perhaps in brackets, or a `let` table.
    fn is_pipeline(&self) -> bool {
        let brackets = (0..)
            .take_while(|at| self.peek_at(*at).kind == Kind::Sign("("))
            .count();
        let Kind::Name(word) = self.peek_at(brackets).kind else {
            return false;
        };
        self.peek_at(brackets + 1).kind == Kind::Sign("|") || self.table_lets.contains_key(word)
    }

    /// What a `let` table stands for. It can be read once: two tables are no single record.
    fn table_let(&mut self, name: &Name) -> Option<Result<Source>> {
        let table = self.table_lets.get_mut(&name.text)?;
        Some(table.source.take().ok_or_else(|| {
            let reason = format!("`{}` is read a second time, and {OVER_TABLES}", name.text);
            Refusal::new(name.at, reason)
        }))
    }

    /// Refuses what begins a table inside an expression.
    pub(super) fn refuse_table(&self) -> Result<()> {
        let Some(word) = self.word() else {
            return Ok(());
        };
        let source = matches!(
            word,
            "union"
                | "datatable"
                | "externaldata"
                | "external_data"
                | "materialize"
                | "search"
                | "find"
                | "toscalar"
                | "totable"
        );
        // `print` and `range` are names where no operator can be meant.
        let operator = matches!(word, "print" | "range")
            && matches!(
                self.peek_at(1).kind,
                Kind::Name(_) | Kind::Literal(_) | Kind::Text(_)
            );
        if source || operator {
            return Err(Refusal::new(self.at(), across(word)));
        }
        Ok(())
    }

    /// `(`, and behind it `)` or `NAME :`.
    fn is_lambda(&self) -> bool {
        self.is_sign("(")
            && (self.peek_at(1).kind == Kind::Sign(")")
                || matches!(self.peek_at(1).kind, Kind::Name(_))
                    && self.peek_at(2).kind == Kind::Sign(":"))
    }

    fn lambda(&mut self) -> Result<Definition> {
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.is_sign(")") {
            parameters.push(self.parameter()?);
            if !self.eat(",") {
                break;
            }
            if self.is_sign(")") {
                return self.unexpected("a parameter");
            }
        }
        self.expect(")")?;
        self.expect("{")?;
        let definition = self.nested(|parser| {
            let mut lets = Vec::new();
            while parser.word() == Some("let") {
                lets.extend(parser.let_statement()?);
                parser.expect(";")?;
            }
            if parameters.is_empty() && lets.is_empty() && parser.is_pipeline() {
                return Ok(Definition::Table(parser.pipeline()?));
            }
            parser.refuse_table()?;
            let body = parser.expression()?;
            if parser.is_sign("|") {
                return Err(Refusal::new(
                    body.at,
                    "a function that gives a table looks across records",
                ));
            }
            Ok(Definition::Value(LetValue::Lambda(Lambda {
                parameters,
                lets,
                body,
            })))
        })?;
        self.eat(";");
        self.expect("}")?;
        Ok(definition)
    }

    fn parameter(&mut self) -> Result<Parameter> {
        let name = self.given_name(can_be_let, "a parameter")?;
        self.expect(":")?;
        if self.is_sign("(") {
            return Err(Refusal::new(
                self.at(),
                "a function of a table looks across records",
            ));
        }
        let kind = self.type_name()?;
        let default = match self.eat("=") {
            true => Some(self.expression()?),
            false => None,
        };
        Ok(Parameter {
            name,
            kind,
            default,
        })
    }

    /// A table and the operators behind it. Brackets around a query mean nothing.
    fn pipeline(&mut self) -> Result<Source> {
        let (table, mut operators) = if self.eat("(") {
            let inner = self.nested(Self::pipeline)?;
            self.expect(")")?;
            inner
        } else {
            let name = self.table()?;
            match self.table_let(&name) {
                Some(source) => source?,
                None => (name, Vec::new()),
            }
        };
        while self.eat("|") {
            operators.push(self.operator()?);
        }
        Ok((table, operators))
    }

    fn table(&mut self) -> Result<Name> {
        let at = self.at();
        if let Some(word) = self.word() {
            if ACROSS.contains(&word) && !is_call(self) || word == "union" {
                return Err(Refusal::new(at, across(word)));
            }
            self.refuse_table()?;
            let known = self.table_lets.get(word);
            if is_call(self) && known.is_some_and(|table| table.is_function) {
                let name = self.plain_name("the name of a table")?;
                self.expect("(")?;
                self.expect(")")?;
                return Ok(name);
            }
            if is_call(self) {
                let reason = format!(
                    "`{word}(…)` is a function, and Poseur does not know its definition: \
                     a query begins with the name of a table"
                );
                return Err(Refusal::new(at, reason));
            }
        }
        let name = self.plain_name("the name of a table")?;
        if self.is_sign(".") {
            return Err(Refusal::new(
                self.at(),
                "expected `|`: a table has no parts",
            ));
        }
        Ok(name)
    }

    fn operator(&mut self) -> Result<Operator> {
        let at = self.at();
        let Some(word) = self.word() else {
            return self.unexpected("an operator such as where");
        };
        self.advance();
        let kind = match word {
            "where" | "filter" => OperatorKind::Where(self.expression()?),
            "extend" => OperatorKind::Extend(self.columns()?),
            "project" => OperatorKind::Project(self.optional(Self::columns)?),
            "distinct" => self.distinct()?,
            "serialize" => OperatorKind::Extend(self.optional(Self::columns)?),
            "project-away" => OperatorKind::Away(self.optional(Self::wildcards)?),
            "project-keep" => OperatorKind::Keep(self.optional(Self::wildcards)?),
            "project-reorder" => OperatorKind::Reorder(self.optional(Self::reordered)?),
            "project-rename" => OperatorKind::Rename(self.optional(Self::renames)?),
            "parse" => OperatorKind::Parse(self.parse(false)?),
            "parse-where" => OperatorKind::Parse(self.parse(true)?),
            "count" => OperatorKind::Ends("count"),
            "getschema" => OperatorKind::Ends("getschema"),
            "consume" => OperatorKind::Ends("consume"),
            "render" => {
                self.render()?;
                OperatorKind::Ends("render")
            }
            "sort" | "order" => {
                if !self.eat_word("by") {
                    return self.unexpected("`by`");
                }
                self.ordered()?;
                OperatorKind::Passes
            }
            "top" => {
                self.expression()?;
                if !self.eat_word("by") {
                    return self.unexpected("`by`");
                }
                self.order()?;
                OperatorKind::Passes
            }
            "take" | "limit" | "sample" => {
                self.expression()?;
                OperatorKind::Passes
            }
            "as" => {
                self.given_name(can_be_let, "a name")?;
                OperatorKind::Passes
            }
            _ if ACROSS.contains(&word) || word == "union" => {
                return Err(Refusal::new(at, across(word)));
            }
            _ if UNSUPPORTED.contains(&word) => {
                let reason = format!("the operator `{word}` is not supported");
                return Err(Refusal::new(at, reason));
            }
            _ => {
                let reason = format!("`{word}` is no operator of Kusto that Poseur knows");
                return Err(Refusal::new(at, reason));
            }
        };
        Ok(Operator { at, kind })
    }

    /// A list that may be missing.
    fn optional<T>(&mut self, list: fn(&mut Self) -> Result<Vec<T>>) -> Result<Vec<T>> {
        match self.peek().kind {
            Kind::End | Kind::Sign("|" | ";" | ")") => Ok(Vec::new()),
            _ => list(self),
        }
    }

    pub(super) fn list<T>(&mut self, item: fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn columns(&mut self) -> Result<Vec<Column>> {
        self.list(Self::column)
    }

    /// `EXPRESSION` or `NAME = EXPRESSION`.
    fn column(&mut self) -> Result<Column> {
        if self.is_sign("(")
            && matches!(self.peek_at(1).kind, Kind::Name(_))
            && matches!(self.peek_at(2).kind, Kind::Sign(","))
        {
            return Err(Refusal::new(
                self.at(),
                "several columns from one value are not supported: write a column for each",
            ));
        }
        let bracketed = self.is_sign("[") && self.peek_at(3).kind == Kind::Sign("=");
        if bracketed || self.peek_at(1).kind == Kind::Sign("=") {
            let name = self.given_name(can_be_given, "a name")?;
            self.expect("=")?;
            return Ok(Column {
                name: Some(name),
                value: self.expression()?,
            });
        }
        let value = self.expression()?;
        Ok(Column {
            name: own_name(&value),
            value,
        })
    }

    fn distinct(&mut self) -> Result<OperatorKind> {
        if self.eat("*") {
            return Ok(OperatorKind::Passes);
        }
        let mut columns = Vec::new();
        loop {
            // A star among columns leaves all of them.
            if self.eat("*") {
                while self.eat(",") {
                    self.column()?;
                }
                return Ok(OperatorKind::Passes);
            }
            columns.push(self.column()?);
            if !self.eat(",") {
                return Ok(OperatorKind::Distinct(columns));
            }
        }
    }

    fn wildcards(&mut self) -> Result<Vec<Wildcard>> {
        self.list(Self::wildcard)
    }

    /// `abc`, `a*`, `*b`, `*`: pieces that touch.
    fn wildcard(&mut self) -> Result<Wildcard> {
        if let Some(name) = self.bracketed()? {
            return Ok(Wildcard { text: name.text });
        }
        let mut text = String::new();
        loop {
            let token = self.peek();
            let end = token.end;
            match token.kind {
                Kind::Sign("*") => text.push('*'),
                Kind::Name(word) if is_name(word) => text.push_str(word),
                _ if text.is_empty() => return self.unexpected("the name of a column"),
                _ => break,
            }
            self.advance();
            if self.at() != end {
                break;
            }
        }
        Ok(Wildcard { text })
    }

    fn reordered(&mut self) -> Result<Vec<Wildcard>> {
        self.list(|parser| {
            let column = parser.wildcard()?;
            let _ = parser.eat_word("asc") || parser.eat_word("desc");
            Ok(column)
        })
    }

    fn renames(&mut self) -> Result<Vec<(Name, Name)>> {
        self.list(|parser| {
            let new = parser.given_name(can_be_given, "a new name")?;
            parser.expect("=")?;
            Ok((new, parser.plain_name("the name of a column")?))
        })
    }

    /// A name that the query gives.
    pub(super) fn given_name(&mut self, allowed: fn(&str) -> bool, wanted: &str) -> Result<Name> {
        let at = self.at();
        if let Some(name) = self.bracketed()? {
            return Ok(name);
        }
        match self.word() {
            Some(word) if allowed(word) => {
                self.advance();
                Ok(Name {
                    at,
                    text: word.to_owned(),
                })
            }
            Some(word) => Err(Refusal::new(
                at,
                format!(
                    "expected {wanted}: `{word}` is a keyword, as a name it is written ['{word}']"
                ),
            )),
            None => self.unexpected(wanted),
        }
    }
}

/// A name with a bracket behind it.
fn is_call(parser: &Parser<'_>) -> bool {
    parser.peek_at(1).kind == Kind::Sign("(")
}

/// The name that Kusto gives to a column without one, as far as it is a path.
fn own_name(value: &Node) -> Option<Name> {
    let text = path_name(value)?;
    Some(Name { at: value.at, text })
}

fn path_name(value: &Node) -> Option<String> {
    match &value.kind {
        NodeKind::Name(name) => Some(name.clone()),
        NodeKind::Member(inner, name) => Some(format!("{}_{name}", path_name(inner)?)),
        _ => None,
    }
}
