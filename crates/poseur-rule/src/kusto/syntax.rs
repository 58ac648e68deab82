//! A query as written: what the parser makes, before names are looked up.

use crate::expression::{ColumnType, Function, Literal};
use crate::model::Case;

/// A whole query.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) lets: Vec<Let>,
    /// The names of `let` tables. The one that the query reads is `table` and `operators` already.
    pub(super) table_lets: Vec<Name>,
    pub(super) table: Name,
    pub(super) operators: Vec<Operator>,
}

/// `let NAME = TABLE | …;`, or a function without parameters that gives a table.
#[derive(Debug)]
pub(super) struct TableLet {
    pub(super) name: Name,
    pub(super) is_function: bool,
    /// What the name stands for, until the query reads it.
    pub(super) source: Option<Source>,
}

/// A table and the operators behind it.
pub(super) type Source = (Name, Vec<Operator>);

/// A name and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) at: usize,
    pub(super) text: String,
}

/// `let NAME = …;`
#[derive(Debug)]
pub(super) struct Let {
    pub(super) name: Name,
    pub(super) value: LetValue,
}

#[derive(Debug)]
pub(super) enum LetValue {
    Value(Node),
    Lambda(Lambda),
}

/// `(a:string, b:long = 5) { let c = …; … }`
#[derive(Debug)]
pub(super) struct Lambda {
    pub(super) parameters: Vec<Parameter>,
    pub(super) lets: Vec<Let>,
    pub(super) body: Node,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: Name,
    pub(super) kind: ColumnType,
    pub(super) default: Option<Node>,
}

/// A tabular operator and where its name stands.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) at: usize,
    pub(super) kind: OperatorKind,
}

/// The operators that are about one record, or change nothing about which one matches.
#[derive(Debug)]
pub(super) enum OperatorKind {
    Where(Node),
    /// `extend`, and `serialize` with columns.
    Extend(Vec<Column>),
    Project(Vec<Column>),
    /// `distinct`: the columns that are left.
    Distinct(Vec<Column>),
    /// `project-away`.
    Away(Vec<Wildcard>),
    /// `project-keep`.
    Keep(Vec<Wildcard>),
    Reorder(Vec<Wildcard>),
    /// New names and old ones.
    Rename(Vec<(Name, Name)>),
    /// `parse` and `parse-where`.
    Parse(Parse),
    /// `count`, `getschema`: what comes out are no records of the table any more.
    Ends(&'static str),
    /// `sort`, `take`, `as` and the like.
    Passes,
}

/// Columns out of a text.
#[derive(Debug)]
pub(super) struct Parse {
    /// Records whose text does not fit go: `parse-where`.
    pub(super) filters: bool,
    pub(super) kind: ParseKind,
    /// Of the regular expression, as letters.
    pub(super) flags: String,
    pub(super) source: Node,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParseKind {
    Simple,
    /// The texts of the pattern are regular expressions.
    Regex,
    /// A column that does not convert is null, and the others stay.
    Relaxed,
}

/// A piece of a pattern, and where it stands.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) at: usize,
    pub(super) kind: PieceKind,
}

#[derive(Debug)]
pub(super) enum PieceKind {
    /// `*`
    Run,
    Text(String),
    Column(String, ColumnType),
}

/// A column of `project` or `extend`: perhaps a name, and what it is.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: Option<Name>,
    pub(super) value: Node,
}

/// A column name in which `*` may stand.
#[derive(Debug, Clone)]
pub(super) struct Wildcard {
    /// Without `*`: one column.
    pub(super) text: String,
}

impl Wildcard {
    /// The name, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        (!self.text.contains('*')).then_some(&self.text)
    }

    /// Whether a column's name fits.
    pub(super) fn fits(&self, name: &str) -> bool {
        let mut pieces = self.text.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut left) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return left.is_empty();
        };
        for piece in pieces {
            match left.find(piece) {
                Some(at) => left = &left[at + piece.len()..],
                None => return false,
            }
        }
        left.ends_with(last)
    }
}

/// An expression, where it begins, and how deep it is.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) depth: usize,
    pub(super) kind: NodeKind,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    Literal(Literal),
    /// A name, without brackets and quotes.
    Name(String),
    /// `*`
    AllColumns,
    /// `a.b`
    Member(Box<Node>, String),
    /// `a[b]`
    Index(Box<Node>, Box<Node>),
    Call(Name, Vec<Node>),
    /// `typeof(long)`, as an argument of `extract`.
    TypeOf(ColumnType),
    /// `-a`
    Negate(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    /// `==`, the orders and arithmetic.
    Binary(Function, Box<Node>, Box<Node>),
    /// `!=`
    NotEqual(Box<Node>, Box<Node>),
    /// A text operator; the flag says that it is negated.
    Text {
        negated: bool,
        function: Function,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `in`, `has_any`, `has_all` and their forms.
    List {
        negated: bool,
        list: ListOperator,
        left: Box<Node>,
        items: Vec<Node>,
    },
    /// `a between (b .. c)`
    Between {
        negated: bool,
        value: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListOperator {
    In(Case),
    HasAny,
    HasAll,
}
