//! The whole grammar, checked: what makes a document readable.
//!
//! The reader that decides about records takes validity on trust to be quick. Before anything is
//! written because of a document, it passes here.

use poseur_matcher::json::specials;
use poseur_matcher::number;
use poseur_matcher::record::{MAX_DEPTH, Unreadable};

use super::index::Index;

/// Checks a document that is one JSON value with nothing but white space around it.
///
/// The grammar is RFC 8259's, with two allowances for what logs hold: bytes from 0x80 up may stand
/// in strings whatever they are, and surrogate escapes may be alone.
///
/// # Errors
/// [`Unreadable::Truncated`] if the document ends too early, [`Unreadable::TooDeep`] past
/// [`MAX_DEPTH`], [`Unreadable::Broken`] otherwise.
pub fn check(text: &[u8]) -> Result<(), Unreadable> {
    let plain = None;
    Check { text, at: 0, plain }.document()
}

/// The same, of a document that begins at `start` of what is indexed: strings of which the index says that
/// nothing in them is special are passed over.
///
/// # Errors
/// As [`check`].
pub fn check_indexed(text: &[u8], start: usize, index: &Index) -> Result<(), Unreadable> {
    let plain = index.has_plain_strings().then_some((index, start));
    Check { text, at: 0, plain }.document()
}

struct Check<'a> {
    text: &'a [u8],
    at: usize,
    /// The index, if there are plain strings only, and where the text begins in what it indexes.
    plain: Option<(&'a Index, usize)>,
}

impl Check<'_> {
    fn document(mut self) -> Result<(), Unreadable> {
        // One bit a container: set for an object. The newest is the lowest bit.
        let mut objects: u128 = 0;
        let mut depth = 0;
        'value: loop {
            match self.token()? {
                byte @ (b'{' | b'[') => {
                    if depth == MAX_DEPTH {
                        return Err(Unreadable::TooDeep);
                    }
                    depth += 1;
                    let object = byte == b'{';
                    objects = objects << 1 | object as u128;
                    let first = self.token()?;
                    if first == byte + 2 {
                        depth -= 1;
                        objects >>= 1;
                    } else {
                        self.at -= 1;
                        if object {
                            self.key()?;
                        }
                        continue 'value;
                    }
                }
                b'"' => self.string()?,
                b't' => self.literal(b"rue")?,
                b'f' => self.literal(b"alse")?,
                b'n' => self.literal(b"ull")?,
                byte @ (b'-' | b'0'..=b'9') => self.number(byte)?,
                _ => return Err(Unreadable::Broken),
            }
            // A value has ended: close what it closes, until another one must follow.
            loop {
                if depth == 0 {
                    return match self.token() {
                        Err(Unreadable::Truncated) => Ok(()),
                        _ => Err(Unreadable::Broken),
                    };
                }
                let object = objects & 1 == 1;
                match self.token()? {
                    b',' => {
                        if object {
                            self.key()?;
                        }
                        continue 'value;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return Err(Unreadable::Broken),
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    #[inline]
    fn next(&mut self) -> Result<u8, Unreadable> {
        let byte = *self.text.get(self.at).ok_or(Unreadable::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte that is not white space.
    #[inline]
    fn token(&mut self) -> Result<u8, Unreadable> {
        loop {
            match self.next()? {
                b' ' | b'\t' | b'\n' | b'\r' => {}
                byte => return Ok(byte),
            }
        }
    }

    fn key(&mut self) -> Result<(), Unreadable> {
        if self.token()? != b'"' {
            return Err(Unreadable::Broken);
        }
        self.string()?;
        match self.token()? {
            b':' => Ok(()),
            _ => Err(Unreadable::Broken),
        }
    }

    /// The rest of a string, after its opening quote.
    #[inline]
    fn string(&mut self) -> Result<(), Unreadable> {
        if let Some((index, start)) = self.plain {
            let close = index.next_quote(start + self.at);
            self.at = close.ok_or(Unreadable::Truncated)? + 1 - start;
            return Ok(());
        }
        loop {
            self.skip_plain();
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            if !self.next()?.is_ascii_hexdigit() {
                                return Err(Unreadable::Broken);
                            }
                        }
                    }
                    _ => return Err(Unreadable::Broken),
                },
                0..0x20 => return Err(Unreadable::Broken),
                _ => {}
            }
        }
    }

    /// Skips eight bytes at a time while none of them needs a look.
    #[inline]
    fn skip_plain(&mut self) {
        while let Some(bytes) = self.text[self.at..].first_chunk::<8>() {
            let special = specials(u64::from_le_bytes(*bytes));
            if special != 0 {
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), Unreadable> {
        for &byte in rest {
            if self.next()? != byte {
                return Err(Unreadable::Broken);
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), Unreadable> {
        let length = number::length(&self.text[self.at - 1..]);
        if length == 0 {
            let unfinished =
                |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
            let cut = self.text[self.at - 1..].iter().all(unfinished);
            return Err(if cut && first != b'0' {
                Unreadable::Truncated
            } else {
                Unreadable::Broken
            });
        }
        self.at += length - 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        use Unreadable::*;
        let deep = |n| format!("{}{}", "[".repeat(n), "]".repeat(n));
        for (text, expected) in [
            ("{}", Ok(())),
            (" \t\r\n[ ] ", Ok(())),
            (r#"{"a":1,"a":[{},[],"x",-0.5e+3,true,false,null]}"#, Ok(())),
            (r#""\ud800""#, Ok(())),
            ("0", Ok(())),
            (&deep(128), Ok(())),
            (&deep(129), Err(TooDeep)),
            ("", Err(Truncated)),
            ("{", Err(Truncated)),
            (r#"{"a"#, Err(Truncated)),
            (r#"{"a":tr"#, Err(Truncated)),
            (r#"{"a":1"#, Err(Truncated)),
            (r#"{"a":-"#, Err(Truncated)),
            (r#"{"a":1.,"#, Err(Broken)),
            ("01", Err(Broken)),
            ("{} {}", Err(Broken)),
            ("{]", Err(Broken)),
            ("[1,]", Err(Broken)),
            (r#"{"a":1,}"#, Err(Broken)),
            (r#"{a:1}"#, Err(Broken)),
            (r#"{"a" 1}"#, Err(Broken)),
            (r#""\x""#, Err(Broken)),
            (r#""\u00g0""#, Err(Broken)),
            ("\"\u{1f}\"", Err(Broken)),
            ("\"0123456\0\"", Err(Broken)),
            ("\u{a0}{}", Err(Broken)),
            ("nul", Err(Truncated)),
            ("+1", Err(Broken)),
        ] {
            assert_eq!(check(text.as_bytes()), expected, "{text}");
            let mut index = Index::default();
            index.build(format!("  {text}").as_bytes());
            let indexed = check_indexed(text.as_bytes(), 2, &index);
            assert_eq!(indexed, expected, "{text}, indexed");
        }
        assert_eq!(check(b"\"\xff\xfe\x80\""), Ok(()));
        assert_eq!(check(b"\xff"), Err(Broken));
    }
}
