//! The text of a VRL program while it is written: lines, blocks, and how texts are spelt.

use std::collections::{HashMap, HashSet};

/// Longer lines are hard to read.
const WIDTH: usize = 110;

/// A program that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Program {
    text: String,
    depth: usize,
    /// The open blocks, and the program around them.
    blocks: Vec<Block>,
}

/// What holds until a block is closed.
#[derive(Debug, Default)]
struct Block {
    /// The names of its variables.
    names: HashSet<String>,
    /// What is known in it, and the variable that holds it.
    known: HashMap<String, String>,
    /// There is more in it than comments.
    code: bool,
}

/// Names that blocks use for themselves.
const TAKEN: &str = "event at there way ways listed \
    actor actors crowd elements items item lists member members named of of_member own parties people text theirs \
    address addresses array ascii asked bare batch beyond by context domain element entry everybody \
    exception fields fraction half here hit hits index inner inside item kept key kind known label leap \
    level levels list local lower made matched matches moment name nameless names now_ns now_s one \
    opened parsed parties parts party path paths pending reached reasons record records rest risk rule \
    rules same satisfying second severity shape spelt steps stood subtechnique suppressed tag tags \
    technique tenant tenants theirs titles token told trusted trusting unicode used value values waiting \
    wanted who word";

impl Program {
    /// An empty program.
    pub fn new() -> Program {
        Program {
            blocks: vec![Block {
                names: TAKEN.split_whitespace().map(str::to_owned).collect(),
                ..Block::default()
            }],
            ..Program::default()
        }
    }

    /// The text so far.
    pub fn finish(self) -> String {
        self.text
    }

    /// A line, or several.
    pub fn line(&mut self, line: impl AsRef<str>) {
        let margin = "  ".repeat(self.depth);
        for line in line.as_ref().split('\n') {
            if !line.is_empty() {
                self.text.push_str(&margin);
                self.text.push_str(line);
                if let Some(block) = self.blocks.last_mut() {
                    block.code |= !line.starts_with('#');
                }
            }
            self.text.push('\n');
        }
    }

    /// A comment; long ones are broken.
    pub fn comment(&mut self, text: &str) {
        let width = WIDTH.saturating_sub(2 * self.depth + 2);
        // A line break would end the comment.
        let mut line = String::new();
        // Vector may put the environment's variables in the place of `$NAME`, in comments, too.
        let text = text.replace('$', "$ ");
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.line(format!("# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(format!("# {line}"));
    }

    /// Opens a block: the line, and ` {`.
    pub fn open(&mut self, line: impl AsRef<str>) {
        self.line(format!("{} {{", line.as_ref()));
        self.depth += 1;
        self.blocks.push(Block::default());
    }

    /// Closes the innermost block and opens another: `} else if … {`.
    pub fn reopen(&mut self, line: impl AsRef<str>) {
        self.fill();
        self.depth -= 1;
        self.blocks.pop();
        self.open(format!("}} {}", line.as_ref()));
    }

    /// Closes the innermost block.
    pub fn close(&mut self) {
        self.fill();
        self.depth -= 1;
        self.blocks.pop();
        self.line("}");
    }

    /// VRL takes no empty block.
    fn fill(&mut self) {
        if self.blocks.last().is_some_and(|block| !block.code) {
            self.line("nothing = null");
        }
    }

    /// A variable that nobody uses yet, named after something.
    pub fn variable(&mut self, after: &str) -> String {
        let mut name = String::new();
        for char in after.chars() {
            match char {
                'A'..='Z' => {
                    if name
                        .ends_with(|last: char| last.is_ascii_lowercase() || last.is_ascii_digit())
                    {
                        name.push('_');
                    }
                    name.push(char.to_ascii_lowercase());
                }
                'a'..='z' | '0'..='9' => name.push(char),
                _ if name.is_empty() || name.ends_with('_') => {}
                _ => name.push('_'),
            }
        }
        let name = name.trim_end_matches('_');
        let name = match name.chars().next() {
            Some('a'..='z') => name.to_owned(),
            _ => format!("field_{name}").trim_end_matches('_').to_owned(),
        };
        let mut free = name.clone();
        let mut count = 1;
        while is_reserved(&free) || self.blocks.iter().any(|block| block.names.contains(&free)) {
            count += 1;
            free = format!("{name}_{count}");
        }
        if let Some(block) = self.blocks.last_mut() {
            block.names.insert(free.clone());
        }
        free
    }

    /// A list of strings: a literal if it is short, else a variable with some in each line.
    pub fn list<'a>(&mut self, name: &str, all: impl IntoIterator<Item = &'a str>) -> String {
        let all: Vec<String> = all.into_iter().map(text).collect();
        if all.iter().map(String::len).sum::<usize>() < WIDTH {
            return format!("[{}]", all.join(", "));
        }
        let variable = self.variable(name);
        let mut line = String::new();
        self.line(format!("{variable} = ["));
        for (at, item) in all.iter().enumerate() {
            if !line.is_empty() && line.len() + item.len() > WIDTH {
                self.line(format!("  {}", line.trim_end()));
                line.clear();
            }
            line.push_str(item);
            if at + 1 < all.len() {
                line.push_str(", ");
            }
        }
        self.line(format!("  {line}"));
        self.line("]");
        variable
    }

    /// The variable that holds something already, in this block or one around it.
    pub fn known(&self, what: &str) -> Option<String> {
        self.blocks
            .iter()
            .rev()
            .find_map(|block| block.known.get(what))
            .cloned()
    }

    /// Notes that a variable holds something, as long as the block is open.
    pub fn know(&mut self, what: impl Into<String>, variable: impl Into<String>) {
        if let Some(block) = self.blocks.last_mut() {
            block.known.insert(what.into(), variable.into());
        }
    }
}

/// A string literal.
pub(super) fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            // `{{ … }}` would be a template.
            '{' => out.push_str("\\{"),
            '}' => out.push_str("\\}"),
            // Vector may put the environment's variables in the place of `$NAME`, in all of its configuration.
            '$' => out.push_str("\\u{24}"),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// A list of string literals.
pub(super) fn texts<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<String> = all.into_iter().map(text).collect();
    format!("[{}]", all.join(", "))
}

/// A regular expression literal. An apostrophe would end it, and `$` must not look like a variable of the
/// environment, which Vector may put in its place.
pub(super) fn regex(source: &str) -> String {
    let mut out = String::from("r'");
    let mut chars = source.chars().peekable();
    let mut classes = 0;
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('\'') => out.push_str("\\x27"),
                Some('$') => out.push_str("\\x24"),
                Some(escaped) => {
                    out.push('\\');
                    out.push(escaped);
                }
                None => out.push('\\'),
            },
            '\'' => out.push_str("\\x27"),
            '$' if classes > 0 => out.push_str("\\x24"),
            '$' => {
                out.push('$');
                let next = chars.peek().copied().unwrap_or(' ');
                if next.is_alphanumeric() || "_.{$".contains(next) {
                    out.push_str("(?:)");
                }
            }
            char => {
                out.push(char);
                match char {
                    '[' => {
                        classes += 1;
                        // A bracket that comes first is one of the class.
                        for first in ['^', ']'] {
                            out.extend(chars.next_if_eq(&first));
                        }
                    }
                    ']' if classes > 0 => classes -= 1,
                    _ => {}
                }
            }
        }
    }
    out.push('\'');
    out
}

/// The field of a variable with this key: `record.Id`, `record."a.b"`.
pub(super) fn field(variable: &str, key: &str) -> String {
    let plain = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_')
        && !is_reserved(key);
    match plain {
        true => format!("{variable}.{key}"),
        false => format!("{variable}.{}", path_text(key)),
    }
}

/// In a path only quotes and backslashes are escaped.
fn path_text(key: &str) -> String {
    let mut out = text(key);
    if out.contains("\\{") || out.contains("\\}") {
        out = out.replace("\\{", "{").replace("\\}", "}");
    }
    out.replace("\\u{24}", "$")
}

/// Literals joined to a regular expression that matches one of them.
pub(super) fn escape(literal: &str) -> String {
    let mut out = String::new();
    for char in literal.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if char.is_control() => out.push_str(&format!("\\x{{{:x}}}", char as u32)),
            // `regex::escape` takes care of what has a meaning, and of more than is needed here.
            '-' | '#' | '&' | '~' | '@' | ' ' | '\'' | '/' | ':' | '"' | '%' | ',' | ';' => {
                out.push(char)
            }
            char => out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

/// Joins expressions with an operator, a line each if they are many.
pub(super) fn join(parts: &[String], operator: &str) -> String {
    match parts {
        [one] => one.clone(),
        parts if parts.iter().map(String::len).sum::<usize>() < WIDTH - 20 => {
            format!("({})", parts.join(&format!(" {operator} ")))
        }
        parts => {
            let parts = parts.join(&format!(" {operator}\n"));
            format!("({})", parts.replace('\n', "\n  "))
        }
    }
}

/// Words that VRL keeps for itself.
fn is_reserved(name: &str) -> bool {
    const WORDS: [&str; 47] = [
        "if",
        "else",
        "true",
        "false",
        "null",
        "abort",
        "return",
        "break",
        "array",
        "bool",
        "boolean",
        "continue",
        "do",
        "emit",
        "float",
        "for",
        "forall",
        "foreach",
        "all",
        "each",
        "any",
        "try",
        "undefined",
        "int",
        "integer",
        "iter",
        "object",
        "regex",
        "string",
        "traverse",
        "timestamp",
        "duration",
        "unless",
        "walk",
        "while",
        "loop",
        "in",
        "is",
        "let",
        "fn",
        "mut",
        "and",
        "or",
        "not",
        "use",
        "impl",
        "match",
    ];
    WORDS.contains(&name)
}

#[cfg(test)]
mod spelling {
    use super::*;

    #[test]
    fn regexes_hold_no_variable_of_the_environment_and_mean_the_same() {
        let texts = [
            "", "a", "a$", "$a", "ab", "$", "$$", "a]", "]", "1$", "a$b", "'", "it's", "(", "?",
            ":", "a\nb",
        ];
        for source in [
            "a$",
            "a$|b",
            r"\$a",
            "$a",
            "^$.?$",
            "[$a]",
            "[]$a]",
            "[^]$a]",
            "[[:alpha:]$a]+$",
            "'",
            r"\'",
            r"(?m)a$\nb",
            r"\\$",
            "a$$",
            r"\[$a|a",
            "(?i:A)$b?",
        ] {
            let spelt = regex(source);
            let inner = spelt
                .strip_prefix("r'")
                .and_then(|rest| rest.strip_suffix('\''));
            let inner = inner.unwrap();
            assert!(!inner.contains('\''), "{spelt}");
            let mut after = inner.split('$').skip(1);
            assert!(
                after.all(|rest| !rest
                    .starts_with(|next: char| next.is_alphanumeric() || "_.{$".contains(next))
                    && !rest.is_empty()
                    || rest.is_empty()),
                "{spelt}"
            );
            let (wanted, made) = (
                regex::Regex::new(source).unwrap(),
                regex::Regex::new(inner).unwrap(),
            );
            for text in texts {
                assert_eq!(
                    wanted.is_match(text),
                    made.is_match(text),
                    "{source} on {text:?}"
                );
            }
        }
        assert_eq!(text("a$b"), "\"a\\u{24}b\"");
    }
}
