//! The Elastic front end: a TOML rule file with a kuery query becomes a rule.
//!
//! Only what can be judged on one record is loaded: rules of type `query` in the language `kuery`.
//! Every other type and language is refused by name. Nothing is half-loaded: a file with any error
//! gives no rule.

mod date;
mod file;
mod filter;
mod grammar;
mod lexer;
mod lower;
mod network;
mod source;

use crate::documents::Documents;
use crate::model::Condition;
use crate::types::Types;

/// What is wrong with a query: the byte offset in it, and the reason in one line.
pub type Failure = (usize, String);

/// Reads an Elastic rule file. `file` is the name that errors give; `types` says what the fields are.
///
/// ```
/// use poseur_rule::elastic;
/// use poseur_rule::types::Types;
///
/// let text = r#"
/// [rule]
/// rule_id = "one"
/// name = "A chat was opened"
/// type = "query"
/// language = "kuery"
/// query = 'event.action: ChatCreated'
/// "#;
/// let documents = elastic::read("chat.toml", text, &Types::built_in());
/// assert_eq!(documents.rules[0].title, "A chat was opened");
/// ```
pub fn read(file: &str, text: &str, types: &Types) -> Documents {
    let mut documents = Documents::default();
    match file::read(file, text, types) {
        Ok(rule) => documents.rules.push(rule),
        Err(errors) => documents.errors = errors,
    }
    documents
}

/// What a kuery query asks of a record.
///
/// ```
/// use poseur_rule::elastic;
/// use poseur_rule::model::Condition;
/// use poseur_rule::types::Types;
///
/// let types = Types::built_in();
/// assert_eq!(elastic::condition("", &types), Ok(Condition::All(vec![])));
/// let (offset, reason) = elastic::condition("a: (b or c", &types).unwrap_err();
/// assert_eq!((offset, reason.as_str()), (3, "this parenthesis is never closed"));
/// ```
///
/// # Errors
/// The first thing that is wrong with it.
pub fn condition(query: &str, types: &Types) -> Result<Condition, Failure> {
    match grammar::parse(query)? {
        Some(tree) => lower::query(&tree, types),
        None => Ok(Condition::All(Vec::new())),
    }
}
