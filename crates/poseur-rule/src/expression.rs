//! Kusto's scalar expressions, as far as they are about one record.
//!
//! Most conditions need none of this: a column compared with a literal is a plain
//! [`Test`](crate::model::Test). An expression is what is left: functions of columns, columns compared
//! with each other, parts of dynamic values. What each function means is in docs/semantics.md.

use std::fmt;

use crate::model::{Case, Moment, Number};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
}

/// The type of a column or an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnType {
    /// `string` and `guid`: never null.
    Text,
    /// `bool`.
    Bool,
    /// `int` and `long`.
    Long,
    /// `real` and `decimal`.
    Real,
    /// `datetime`, UTC.
    DateTime,
    /// `timespan`.
    TimeSpan,
    /// `dynamic`: any JSON value.
    Dynamic,
}

impl ColumnType {
    /// Kusto's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ColumnType::Text => "string",
            ColumnType::Bool => "bool",
            ColumnType::Long => "long",
            ColumnType::Real => "real",
            ColumnType::DateTime => "datetime",
            ColumnType::TimeSpan => "timespan",
            ColumnType::Dynamic => "dynamic",
        }
    }

    /// The type of a name that Kusto knows, aliases included.
    pub fn from_word(word: &str) -> Option<ColumnType> {
        Some(match word {
            "string" | "guid" | "uuid" | "uniqueid" => ColumnType::Text,
            "bool" | "boolean" => ColumnType::Bool,
            "int" | "long" | "int32" | "int64" => ColumnType::Long,
            "real" | "double" | "decimal" => ColumnType::Real,
            "datetime" | "date" => ColumnType::DateTime,
            "timespan" | "time" => ColumnType::TimeSpan,
            "dynamic" => ColumnType::Dynamic,
            _ => return None,
        })
    }
}

/// An expression over the columns of one record.
///
/// Depth is bounded by the front end ([`MAX_DEPTH`](crate::model::MAX_DEPTH)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expression {
    /// A literal.
    Literal(Literal),
    /// A column's value.
    Column(Column),
    /// A function or an operator. The front end has checked the number of arguments, and inserted
    /// nothing: conversions between types are the evaluator's.
    Call(Function, Vec<Expression>),
}

/// A literal value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    /// Null of a type.
    Null(ColumnType),
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// Any other number.
    Real(Number),
    /// A string.
    Text(String),
    /// A moment, in ticks of 100 nanoseconds since 1970, UTC.
    DateTime(i64),
    /// A length of time, in ticks of 100 nanoseconds.
    TimeSpan(i64),
    /// A dynamic value, as compact JSON.
    Dynamic(String),
    /// The moment of judgement: `now()`.
    Now,
}

/// What an [`Expression::Call`] does. Names are Kusto's where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    // Logic, with three values.
    /// `and` of all arguments.
    And,
    /// `or` of all arguments.
    Or,
    /// `not(a)`.
    Not,

    // Comparison of two values.
    /// `a == b`
    Equal,
    /// `a < b`
    Less,
    /// `a <= b`
    LessOrEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterOrEqual,

    // Tests of the first argument's text; never null. The negated operators are `not` of these.
    /// `==` and `=~` with a text; `in`, `in~`: the first is one of the others.
    In(Case),
    /// `contains`
    Contains(Case),
    /// `startswith`
    StartsWith(Case),
    /// `endswith`
    EndsWith(Case),
    /// `has`; with more arguments `has_any`
    Has(Case),
    /// `has_all`
    HasAll(Case),
    /// `hasprefix`
    HasPrefix(Case),
    /// `hassuffix`
    HasSuffix(Case),
    /// `a matches regex b`, where `b` is a literal
    MatchesRegex,

    // Arithmetic, on numbers, moments and lengths of time.
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`
    Divide,
    /// `a % b`
    Modulo,
    /// `-a`
    Negate,
    /// `bin(a, b)`, `floor(a, b)`
    Bin,
    /// `abs(a)`
    Abs,

    // Dynamic values.
    /// `a.b`, `a["b"]`: the second argument is a text
    Member,
    /// `a[0]`: the second argument is a whole number; negative ones count from the end
    Element,
    /// `array_length(a)`
    ArrayLength,
    /// `array_index_of(a, b)`
    ArrayIndexOf,
    /// `set_has_element(a, b)`
    SetHasElement,
    /// `bag_keys(a)`
    BagKeys,
    /// `bag_has_key(a, b)`
    BagHasKey,
    /// `pack_array(a, …)`
    PackArray,
    /// `parse_json(a)`, `todynamic(a)`
    ParseJson,

    // Conversions.
    /// `tostring(a)`
    ToText,
    /// `tolong(a)`, `toint(a)`
    ToLong,
    /// `toreal(a)`, `todouble(a)`, `todecimal(a)`
    ToReal,
    /// `tobool(a)`
    ToBool,
    /// `todatetime(a)`
    ToDateTime,
    /// `totimespan(a)`
    ToTimeSpan,

    // Emptiness; never null.
    /// `isempty(a)`
    IsEmpty,
    /// `isnull(a)`
    IsNull,

    // Choice.
    /// `iff(a, b, c)`
    Iff,
    /// `case(a, b, …, z)`
    Case,
    /// `coalesce(a, …)`
    Coalesce,

    // Text.
    /// `tolower(a)`
    ToLower,
    /// `toupper(a)`
    ToUpper,
    /// `strlen(a)`
    StrLen,
    /// `strcat(a, …)`
    StrCat,
    /// `strcat_delim(d, a, …)`
    StrCatDelim,
    /// `substring(a, start[, length])`
    Substring,
    /// `split(a, delimiter[, index])`
    Split,
    /// `trim(regex, a)`, regex a literal
    Trim,
    /// `trim_start(regex, a)`
    TrimStart,
    /// `trim_end(regex, a)`
    TrimEnd,
    /// `replace_string(a, from, to)`
    ReplaceString,
    /// `replace_regex(a, regex, to)`, regex a literal
    ReplaceRegex,
    /// `extract(regex, group, a)`, regex and group literals
    Extract,
    /// `indexof(a, b)`
    IndexOf,
    /// `countof(a, b)` of a text; `countof(a, regex, "regex")`
    CountOf,
    /// `reverse(a)`
    Reverse,
    /// `base64_decode_tostring(a)`
    Base64Decode,
    /// `url_decode(a)`
    UrlDecode,
    /// `parse_url(a)`
    ParseUrl,
    /// `parse_path(a)`
    ParsePath,

    // Addresses.
    /// `ipv4_is_private(a)`
    Ipv4IsPrivate,
    /// `ipv4_is_in_range(a, range)`; with more arguments `ipv4_is_in_any_range`
    Ipv4IsInRange,
    /// `ipv4_is_match(a, b[, prefix])`
    Ipv4IsMatch,

    // Moments.
    /// `startofday(a)`
    StartOfDay,
    /// `hourofday(a)`
    HourOfDay,
    /// `dayofweek(a)`: a length of time
    DayOfWeek,
}

impl Expression {
    /// Visits every column, each as often as it is used.
    pub fn columns(&self, visit: &mut dyn FnMut(&Column)) {
        match self {
            Expression::Literal(_) => {}
            Expression::Column(column) => visit(column),
            Expression::Call(_, arguments) => {
                arguments.iter().for_each(|part| part.columns(visit));
            }
        }
    }
}

impl fmt::Display for Expression {
    /// As calls of functions, operators too: `equal(tolower(UserId), "a")`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Literal(literal) => literal.fmt(f),
            Expression::Column(column) => f.write_str(&column.name),
            Expression::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                for (at, argument) in arguments.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{argument}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null(kind) => write!(f, "{}(null)", kind.as_str()),
            Literal::Bool(truth) => truth.fmt(f),
            Literal::Long(number) => number.fmt(f),
            Literal::Real(number) => number.fmt(f),
            Literal::Text(text) => write!(f, "{text:?}"),
            Literal::DateTime(ticks) => {
                write!(f, "datetime({})", Moment::At(i128::from(*ticks) * 100))
            }
            Literal::TimeSpan(ticks) => write!(f, "timespan({ticks}tick)"),
            Literal::Dynamic(json) => write!(f, "dynamic({json})"),
            Literal::Now => f.write_str("now()"),
        }
    }
}

impl Function {
    /// Kusto's name for a function; a word for an operator.
    pub fn name(self) -> &'static str {
        use Function as F;
        let cased = |folded, exact| match self {
            F::In(Case::Exact)
            | F::Contains(Case::Exact)
            | F::StartsWith(Case::Exact)
            | F::EndsWith(Case::Exact)
            | F::Has(Case::Exact)
            | F::HasAll(Case::Exact)
            | F::HasPrefix(Case::Exact)
            | F::HasSuffix(Case::Exact) => exact,
            _ => folded,
        };
        match self {
            F::And => "and",
            F::Or => "or",
            F::Not => "not",
            F::Equal => "equal",
            F::Less => "less",
            F::LessOrEqual => "less_or_equal",
            F::Greater => "greater",
            F::GreaterOrEqual => "greater_or_equal",
            F::In(_) => cased("in~", "in"),
            F::Contains(_) => cased("contains", "contains_cs"),
            F::StartsWith(_) => cased("startswith", "startswith_cs"),
            F::EndsWith(_) => cased("endswith", "endswith_cs"),
            F::Has(_) => cased("has", "has_cs"),
            F::HasAll(_) => cased("has_all", "has_all_cs"),
            F::HasPrefix(_) => cased("hasprefix", "hasprefix_cs"),
            F::HasSuffix(_) => cased("hassuffix", "hassuffix_cs"),
            F::MatchesRegex => "matches_regex",
            F::Add => "add",
            F::Subtract => "subtract",
            F::Multiply => "multiply",
            F::Divide => "divide",
            F::Modulo => "modulo",
            F::Negate => "negate",
            F::Bin => "bin",
            F::Abs => "abs",
            F::Member => "member",
            F::Element => "element",
            F::ArrayLength => "array_length",
            F::ArrayIndexOf => "array_index_of",
            F::SetHasElement => "set_has_element",
            F::BagKeys => "bag_keys",
            F::BagHasKey => "bag_has_key",
            F::PackArray => "pack_array",
            F::ParseJson => "parse_json",
            F::ToText => "tostring",
            F::ToLong => "tolong",
            F::ToReal => "toreal",
            F::ToBool => "tobool",
            F::ToDateTime => "todatetime",
            F::ToTimeSpan => "totimespan",
            F::IsEmpty => "isempty",
            F::IsNull => "isnull",
            F::Iff => "iff",
            F::Case => "case",
            F::Coalesce => "coalesce",
            F::ToLower => "tolower",
            F::ToUpper => "toupper",
            F::StrLen => "strlen",
            F::StrCat => "strcat",
            F::StrCatDelim => "strcat_delim",
            F::Substring => "substring",
            F::Split => "split",
            F::Trim => "trim",
            F::TrimStart => "trim_start",
            F::TrimEnd => "trim_end",
            F::ReplaceString => "replace_string",
            F::ReplaceRegex => "replace_regex",
            F::Extract => "extract",
            F::IndexOf => "indexof",
            F::CountOf => "countof",
            F::Reverse => "reverse",
            F::Base64Decode => "base64_decode_tostring",
            F::UrlDecode => "url_decode",
            F::ParseUrl => "parse_url",
            F::ParsePath => "parse_path",
            F::Ipv4IsPrivate => "ipv4_is_private",
            F::Ipv4IsInRange => "ipv4_is_in_range",
            F::Ipv4IsMatch => "ipv4_is_match",
            F::StartOfDay => "startofday",
            F::HourOfDay => "hourofday",
            F::DayOfWeek => "dayofweek",
        }
    }
}
