//! Functions of texts. Positions count characters.

use regex::Regex;

use super::json::Json;

/// Lower or upper case, character by character.
pub fn to_lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// See [`to_lower`].
pub fn to_upper(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).collect()
}

/// A position from the start, or, if it is negative, from the end; not before the start.
fn position(start: i64, length: usize) -> usize {
    let start = if start < 0 {
        (start + length as i64).max(0)
    } else {
        start
    };
    usize::try_from(start).unwrap_or(usize::MAX)
}

/// `substring(a, start[, length])`
pub fn substring(text: &str, start: i64, length: Option<i64>) -> String {
    let start = position(start, text.chars().count());
    let length = length.map_or(usize::MAX, |length| {
        usize::try_from(length.max(0)).unwrap_or(usize::MAX)
    });
    text.chars().skip(start).take(length).collect()
}

/// `split(a, delimiter[, index])`
pub fn split(text: &str, delimiter: &str, index: Option<i64>) -> Json {
    let mut parts: Vec<&str> = match delimiter {
        "" => vec![text],
        delimiter => text.split(delimiter).collect(),
    };
    if let Some(index) = index {
        let part = usize::try_from(index).ok();
        let part = part.and_then(|index| parts.get(index).copied());
        parts = part.into_iter().collect();
    }
    Json::List(parts.into_iter().map(Json::from).collect())
}

/// Where to look for the `occurrence`th of some places, of which there are `length`. Null: `None`.
pub struct Search {
    /// First place to look at; negative: from the end.
    pub start: i64,
    /// How many places to look at; -1: all.
    pub length: i64,
    /// From 1.
    pub occurrence: i64,
}

impl Search {
    /// The place found, or -1.
    ///
    /// `size` is how many places a hit takes.
    pub fn find(&self, places: usize, size: usize, is_hit: impl Fn(usize) -> bool) -> Option<i64> {
        if self.length < -1 || self.occurrence < 0 {
            return None;
        }
        let start = position(self.start, places);
        let end = match self.length {
            -1 => places,
            length => start.saturating_add(length as usize).min(places),
        };
        let last = (end + 1).saturating_sub(size);
        let mut hits = (start..last).filter(|at| is_hit(*at));
        let nth = usize::try_from(self.occurrence).unwrap_or(usize::MAX);
        let found = hits.nth(nth.saturating_sub(1));
        Some(found.map_or(-1, |at| at as i64))
    }
}

/// `indexof(a, b)`
pub fn index_of(text: &str, part: &str, search: &Search) -> Option<i64> {
    let text: Vec<char> = text.chars().collect();
    let part: Vec<char> = part.chars().collect();
    search.find(text.len(), part.len(), |at| text[at..].starts_with(&part))
}

/// `countof(a, b)`
pub fn count_of(text: &str, part: &str) -> i64 {
    if part.is_empty() {
        return 0;
    }
    let starts = text.char_indices().map(|(at, _)| &text[at..]);
    starts.filter(|rest| rest.starts_with(part)).count() as i64
}

/// `trim(regex, a)`, at the ends asked for.
pub fn trim(text: &str, at_start: Option<&Regex>, at_end: Option<&Regex>) -> String {
    let mut text = text;
    if let Some(hit) = at_start.and_then(|regex| regex.find(text)) {
        text = &text[hit.end()..];
    }
    if let Some(hit) = at_end.and_then(|regex| regex.find(text)) {
        text = &text[..hit.start()];
    }
    text.to_owned()
}

/// `replace_string(a, from, to)`
pub fn replace(text: &str, from: &str, to: &str) -> String {
    match from {
        "" => text.to_owned(),
        from => text.replace(from, to),
    }
}

/// `replace_regex(a, regex, to)`
pub fn replace_regex(text: &str, regex: &Regex, to: &str) -> String {
    // Kusto writes groups as \1, the library as ${1}.
    let mut rewrite = String::new();
    let mut rest = to.chars().peekable();
    while let Some(character) = rest.next() {
        match (character, rest.peek()) {
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                rewrite.push_str(&format!("${{{digit}}}"));
                rest.next();
            }
            ('\\', Some('\\')) => {
                rewrite.push('\\');
                rest.next();
            }
            ('$', _) => rewrite.push_str("$$"),
            (character, _) => rewrite.push(character),
        }
    }
    regex.replace_all(text, rewrite).into_owned()
}

/// `extract(regex, group, a)`
pub fn extract(text: &str, regex: &Regex, group: i64) -> String {
    let captures = regex.captures(text);
    let hit = captures.and_then(|captures| captures.get(usize::try_from(group).ok()?));
    hit.map_or(String::new(), |hit| hit.as_str().to_owned())
}

/// `base64_decode_tostring(a)`
pub fn base64_decode(text: &str) -> String {
    use base64::Engine;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_default()
}
