//! The whole grammar, checked: what makes a document readable.
//!
//! The reader that decides about records takes validity on trust to be quick. Before anything is
//! written because of a document, it passes here.

use poseur_matcher::found::Found;
use poseur_matcher::json::specials;
use poseur_matcher::number;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::{Handle, MAX_DEPTH, Unreadable};

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
    Check::new(text, 0, None, None).document(None)
}

/// The same, of a document that begins at `start` of an indexed text: strings of which the index says
/// that nothing in them is special are passed over.
///
/// # Errors
/// As [`check`].
pub fn check_indexed(text: &[u8], start: usize, index: &Index) -> Result<(), Unreadable> {
    let plain = index.has_plain_strings().then_some(index);
    Check::new(text, start, plain, None).document(None)
}

/// The same, and puts the values at wanted paths into `found` on the way. Only for a text that has
/// [plain strings](Index::has_plain_strings).
///
/// # Errors
/// As [`check`].
pub fn check_and_collect(
    text: &[u8],
    start: usize,
    index: &Index,
    paths: &Paths,
    found: &mut Found,
) -> Result<(), Unreadable> {
    let wanted = Some((paths, found));
    Check::new(text, start, Some(index), wanted).document(Some(PathId::ROOT))
}

struct Check<'a> {
    text: &'a [u8],
    at: usize,
    /// The text's index, if there are plain strings only.
    plain: Option<&'a Index>,
    /// What is collected, and where.
    wanted: Option<(&'a Paths, &'a mut Found)>,
    /// How many containers are open.
    depth: usize,
}

impl<'a> Check<'a> {
    fn new(
        text: &'a [u8],
        at: usize,
        plain: Option<&'a Index>,
        wanted: Option<(&'a Paths, &'a mut Found)>,
    ) -> Check<'a> {
        Check {
            text,
            at,
            plain,
            wanted,
            depth: 0,
        }
    }

    /// `node`: where paths that are wanted of the document begin.
    fn document(mut self, node: Option<PathId>) -> Result<(), Unreadable> {
        self.value(node)?;
        match self.token() {
            Err(Unreadable::Truncated) => Ok(()),
            _ => Err(Unreadable::Broken),
        }
    }

    /// A value at a node, if anything below it is wanted; says where it starts.
    #[inline(always)]
    fn value(&mut self, node: Option<PathId>) -> Result<usize, Unreadable> {
        let first = self.token()?;
        let start = self.at - 1;
        // Most values are strings.
        match first {
            b'"' => self.string()?,
            _ => self.other_value(first, node)?,
        }
        Ok(start)
    }

    /// The rest of a value that is no string, after its first byte.
    fn other_value(&mut self, first: u8, node: Option<PathId>) -> Result<(), Unreadable> {
        match first {
            b'{' | b'[' => {
                if self.depth == MAX_DEPTH {
                    return Err(Unreadable::TooDeep);
                }
                self.depth += 1;
                match first {
                    b'{' => self.members(node)?,
                    _ => self.elements(node)?,
                }
                self.depth -= 1;
                Ok(())
            }
            b't' => self.literal(b"rue"),
            b'f' => self.literal(b"alse"),
            b'n' => self.literal(b"ull"),
            b'-' | b'0'..=b'9' => self.number(first),
            _ => Err(Unreadable::Broken),
        }
    }

    /// The rest of an object, after its bracket.
    fn members(&mut self, node: Option<PathId>) -> Result<(), Unreadable> {
        let mut token = self.token()?;
        if token == b'}' {
            return Ok(());
        }
        loop {
            if token != b'"' {
                return Err(Unreadable::Broken);
            }
            let key = self.at;
            self.string()?;
            match node {
                Some(node) => self.member(node, key, self.at - 1)?,
                None => {
                    self.member_value(None)?;
                }
            }
            // What mostly follows is looked for first, here and below.
            if self.follows(b",\"") {
                continue;
            }
            match self.token()? {
                b',' => token = self.token()?,
                b'}' => return Ok(()),
                _ => return Err(Unreadable::Broken),
            }
        }
    }

    /// What follows a key; says where the value starts.
    #[inline(always)]
    fn member_value(&mut self, node: Option<PathId>) -> Result<usize, Unreadable> {
        if self.follows(b":\"") {
            let start = self.at - 1;
            self.string()?;
            return Ok(start);
        }
        match self.token()? {
            b':' => self.value(node),
            _ => Err(Unreadable::Broken),
        }
    }

    /// The rest of a list, after its bracket.
    fn elements(&mut self, node: Option<PathId>) -> Result<(), Unreadable> {
        if self.token()? == b']' {
            return Ok(());
        }
        self.at -= 1;
        loop {
            self.value(node)?;
            match self.token()? {
                b',' => {}
                b']' => return Ok(()),
                _ => return Err(Unreadable::Broken),
            }
        }
    }

    /// The value of a member of an object where something is wanted.
    #[inline]
    fn member(&mut self, node: PathId, key: usize, key_end: usize) -> Result<(), Unreadable> {
        let name = &self.text[key..key_end];
        let paths = self.wanted.as_ref().map(|(paths, _)| *paths);
        let child = paths.and_then(|paths| paths.child(node, name));
        let below = child.filter(|&child| paths.is_some_and(|paths| paths.leads_on(child)));
        let start = self.member_value(below)?;
        let end = self.at;
        if let Some((paths, found)) = &mut self.wanted {
            if let Some(child) = child
                && paths.wanted(child)
            {
                found.push(child, Handle { start, end });
            }
            if self.plain.is_none_or(|index| index.has_marks(key, key_end)) {
                let handle = Handle { start, end };
                paths.passed_by(node, name, |path| found.push_beyond(path, handle));
            }
        }
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Result<u8, Unreadable> {
        let byte = *self.text.get(self.at).ok_or(Unreadable::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// Goes past these two bytes if they are next.
    #[inline(always)]
    fn follows(&mut self, bytes: &[u8; 2]) -> bool {
        let next = self.text[self.at..].first_chunk() == Some(bytes);
        self.at += 2 * usize::from(next);
        next
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

    /// The rest of a string, after its opening quote.
    #[inline(always)]
    fn string(&mut self) -> Result<(), Unreadable> {
        match self.plain {
            Some(index) => {
                self.at = index.next_quote(self.at).ok_or(Unreadable::Truncated)? + 1;
                Ok(())
            }
            None => self.marked_string(),
        }
    }

    fn marked_string(&mut self) -> Result<(), Unreadable> {
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

    #[inline]
    fn literal(&mut self, rest: &[u8]) -> Result<(), Unreadable> {
        if self.text[self.at..].starts_with(rest) {
            self.at += rest.len();
            return Ok(());
        }
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
    use poseur_matcher::record::Record;

    use super::*;
    use crate::json::document::{Document, Pool};

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
            let moved = format!("  {text}");
            index.build(moved.as_bytes());
            let indexed = check_indexed(moved.as_bytes(), 2, &index);
            assert_eq!(indexed, expected, "{text}, indexed");
            if index.has_plain_strings() {
                let (mut paths, mut found) = (Paths::default(), Found::new(2));
                paths.add("a");
                paths.finish();
                let collected = check_and_collect(moved.as_bytes(), 2, &index, &paths, &mut found);
                assert_eq!(collected, expected, "{text}, collected");
            }
        }
        assert_eq!(check(b"\"\xff\xfe\x80\""), Ok(()));
        assert_eq!(check(b"\xff"), Err(Broken));
    }

    #[test]
    fn collects_what_a_walk_finds() {
        let mut paths = Paths::default();
        let wanted = ["a", "a.b", "a.b.c", "d"].map(|path| paths.add(path));
        paths.finish();
        let pool = Pool::default();
        for text in [
            r#"{"a":1,"x":{"a":2},"a":[{"b":3},[{"b":{"c":[4,{}]}}]],"d":{"a":5}}"#,
            r#"{ "a.b" : { "c" : 1 } , "a.b.c" : "x", "a.b.c.d": 2, "a.x": 3, "a" : null }"#,
            r#"{"a":[],"d":{},"d":"d","a.b":[[1]]}"#,
            r#"{"\u0061":1,"a":"\n"}"#,
            "{}",
        ] {
            let (mut walked, mut collected) = (Found::new(paths.len()), Found::new(paths.len()));
            let mut index = Index::default();
            let document = Document::new(text.as_bytes(), &mut index, &pool).unwrap();
            document.walk(document.root(), &paths, &mut walked).unwrap();
            let root = document.root();
            document.walk_matched(root, &paths, &mut collected).unwrap();
            for path in wanted {
                assert!(walked.values(path).eq(collected.values(path)), "{text}");
                let (walked, collected) =
                    (walked.values_beyond(path), collected.values_beyond(path));
                assert!(walked.eq(collected), "{text}, beyond");
            }
        }
    }
}
