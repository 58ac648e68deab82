//! What a kuery query says.

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// All hold; none: the empty query.
    All(Vec<Query>),
    /// One holds.
    Any(Vec<Query>),
    /// Does not hold.
    Not(Box<Query>),
    /// `name: values`
    Is(Name, Values),
    /// `name >= limit`
    Range(Name, Relation, Spelling),
    /// A value without a field.
    Bare(Value),
    /// `path:{ … }`; names inside are relative to the path.
    Nested(String, Box<Query>),
}

/// A field, or several.
#[derive(Debug, Clone, PartialEq)]
pub enum Name {
    /// This one.
    One(String),
    /// All whose whole name is these texts with any run of characters between them.
    Like(Vec<String>),
}

/// What a field is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// For one value.
    One(Value),
    /// `(a and b)`
    All(Vec<Values>),
    /// `(a or b)`
    Any(Vec<Values>),
    /// `(not a)`
    Not(Box<Values>),
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, quoted or not.
    Text(Spelling),
    /// Unquoted texts with a `*` between each two.
    Pattern(Vec<String>),
    /// `*`
    Exists,
    /// Unquoted `true` or `false`.
    Bool(bool),
}

/// A text, and whether it is quoted.
#[derive(Debug, Clone, PartialEq)]
pub struct Spelling {
    /// What it means.
    pub text: String,
    /// In double quotes.
    pub quoted: bool,
}

/// A range operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Relation {
    /// Does the order of a value and the limit fit?
    pub fn fits(self, order: std::cmp::Ordering) -> bool {
        match self {
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The operator.
    pub fn sign(self) -> &'static str {
        match self {
            Relation::Less => "<",
            Relation::LessOrEqual => "<=",
            Relation::Greater => ">",
            Relation::GreaterOrEqual => ">=",
        }
    }
}

/// The type of a field, from the index mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole texts.
    Keyword,
    /// Addresses.
    Ip,
    /// Words.
    Text,
    /// Moments.
    Date,
    /// Numbers.
    Number,
    /// Truth values.
    Boolean,
}

impl Kind {
    /// The word in a page of types.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Keyword => "keyword",
            Kind::Ip => "ip",
            Kind::Text => "text",
            Kind::Date => "date",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
        }
    }
}

/// The types of some fields; all others are keywords.
pub type Types = [(&'static str, Kind)];
