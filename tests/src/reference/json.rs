//! A plain JSON parser that keeps what others drop: duplicate keys, order, numbers as written,
//! strings that are not UTF-8.

/// Most containers inside each other that a readable text may hold.
pub const MAX_DEPTH: usize = 128;

/// A JSON value, strings and keys decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// A string, decoded.
    Text(Vec<u8>),
    /// An array.
    List(Vec<Value>),
    /// An object: every member, in order, duplicates included.
    Map(Vec<(Vec<u8>, Value)>),
}

/// Why a text is not readable JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not valid JSON.
    Syntax,
    /// More than [`MAX_DEPTH`] containers inside each other, met before any other fault.
    TooDeep,
}

/// A value and where its objects end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The value.
    pub value: Value,
    /// For every object, in the order of their opening braces: the offset of its closing brace.
    pub braces: Vec<usize>,
}

/// Parses a whole text: one value, with white space around it.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
    let mut parser = Parser {
        bytes,
        at: 0,
        braces: Vec::new(),
    };
    let value = parser.value(0)?;
    parser.space();
    if parser.at != bytes.len() {
        return Err(Fault::Syntax);
    }
    Ok(Parsed {
        value,
        braces: parser.braces,
    })
}

/// Is this one of the four characters JSON allows between tokens?
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Is the whole text a number in JSON syntax?
pub fn is_number(text: &[u8]) -> bool {
    number_end(text) == Some(text.len())
}

/// The end of the number at the start of `text`, if one is there.
fn number_end(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        text.iter()
            .skip(from)
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    match digits(at) {
        0 => return None,
        // A leading zero stands alone; what follows it is the next token.
        _ if text.get(at) == Some(&b'0') => at += 1,
        count => at += count,
    }
    if text.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return None,
            count => at += 1 + count,
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        match digits(at) {
            0 => return None,
            count => at += count,
        }
    }
    Some(at)
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    braces: Vec<usize>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// Steps over this byte, which must be next.
    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(Fault::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(Fault::Syntax);
        }
        self.at += word.len();
        Ok(value)
    }

    /// A value inside `depth` containers.
    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        self.space();
        match self.peek() {
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'[' | b'{') if depth == MAX_DEPTH => Err(Fault::TooDeep),
            Some(b'[') => self.list(depth + 1),
            Some(b'{') => self.map(depth + 1),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let rest = &self.bytes[self.at..];
        let end = number_end(rest).ok_or(Fault::Syntax)?;
        self.at += end;
        Ok(Value::Number(
            String::from_utf8_lossy(&rest[..end]).into_owned(),
        ))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.expect(b']')?;
        Ok(Value::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Value, Fault> {
        self.expect(b'{')?;
        let number = self.braces.len();
        self.braces.push(0);
        let mut members = Vec::new();
        self.space();
        if self.peek() != Some(b'}') {
            loop {
                self.space();
                let key = self.string()?;
                self.space();
                self.expect(b':')?;
                members.push((key, self.value(depth)?));
                self.space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    _ => break,
                }
            }
        }
        self.braces[number] = self.at;
        self.expect(b'}')?;
        Ok(Value::Map(members))
    }

    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        self.expect(b'"')?;
        let mut out = Vec::new();
        loop {
            let byte = self.peek().ok_or(Fault::Syntax)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(out),
                b'\\' => self.escape(&mut out)?,
                0..0x20 => return Err(Fault::Syntax),
                _ => out.push(byte),
            }
        }
    }

    /// What stands after a backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let byte = self.peek().ok_or(Fault::Syntax)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' => out.push(byte),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0C),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let first = self.hex()?;
                let code = match first {
                    0xD800..0xDC00 => self.low_after(first).unwrap_or(0xFFFD),
                    other => other,
                };
                // What is still no character is a lone surrogate.
                let character = char::from_u32(code).unwrap_or('\u{FFFD}');
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err(Fault::Syntax),
        }
        Ok(())
    }

    /// The character of a pair, if the low half follows. If not, nothing is consumed.
    fn low_after(&mut self, high: u32) -> Option<u32> {
        let before = self.at;
        if self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 2;
            if let Ok(low @ 0xDC00..0xE000) = self.hex() {
                return Some(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            }
        }
        self.at = before;
        None
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or(Fault::Syntax)?;
            self.at += 1;
        }
        Ok(code)
    }
}

/// The compact form that a `dynamic` field is compared by.
pub fn compact(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.as_bytes()),
        Value::Text(text) => write_text(text, out),
        Value::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Map(members) => {
            out.push(b'{');
            for (index, (key, item)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
