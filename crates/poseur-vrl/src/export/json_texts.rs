//! JSON texts inside of strings, and dynamic values.

use super::program::{Program, regex};

impl Program {
    /// Collects the texts of dynamic values.
    pub fn dynamic(&mut self, variable: &str, raw: &str) {
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
}

/// How a JSON object or array begins.
pub(super) const JSON_START: &str = r"^\x{FEFF}?[ \t\r\n]*[\[{]";

/// A string of a JSON text, or white space outside of them.
const TOKEN: &str = r#""(?:[^"\\]|\\.)*"|[ \t\r\n]+"#;

/// Escapes, of which pairs of surrogates are one.
const SURROGATE: &str = r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)";

/// Half of a surrogate pair.
const LONE: &str = r"^\\u[dD][89a-fA-F]..$";
