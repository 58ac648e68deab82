//! Text patterns with wildcards, matched against bytes.

use memchr::{memchr_iter, memchr2_iter};
use poseur_rule::model::{Case, Part, Pattern};

/// Whether a text fits a pattern. Greedy from the left, going back to the last `*`: linear for the
/// patterns rules have, quadratic at worst.
pub fn fits(pattern: &Pattern, case: Case, text: &[u8]) -> bool {
    let (mut parts, mut text) = (pattern.parts(), text);
    // Most texts are told apart by their ends, which need no search.
    if let [rest @ .., Part::Run, Part::Literal(tail)] = parts {
        if !ends_with(text, tail.as_bytes(), case) {
            return false;
        }
        text = &text[..text.len() - tail.len()];
        parts = &parts[..rest.len() + 1];
    }
    let (mut part, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match &parts[part..] {
            [Part::Run] => return true,
            [Part::Run, Part::Literal(literal), ..] => {
                let Some(found) = find(&text[at..], literal.as_bytes(), case) else {
                    return false;
                };
                // The same literal may stand further on, where the rest fits.
                retry = Some((part, at + found));
                at += found;
                part += 1;
                Some(literal.len())
            }
            [Part::Run, ..] => {
                retry = Some((part, at));
                part += 1;
                continue;
            }
            [Part::Literal(literal), ..] => {
                starts_with(&text[at..], literal.as_bytes(), case).then_some(literal.len())
            }
            [Part::One, ..] => (at < text.len()).then(|| character_length(&text[at..])),
            [] if at == text.len() => return true,
            [] => None,
        };
        match (step, retry) {
            (Some(length), _) => {
                at += length;
                part += 1;
            }
            (None, Some((run, from))) if from < text.len() => {
                // By characters: a run must not end inside one, of which `?` would take a byte.
                at = from + character_length(&text[from..]);
                part = run;
            }
            (None, _) => return false,
        }
    }
}

/// Where a literal first stands in a text. It begins with a whole character, so it is found where a
/// character of the text begins.
fn find(text: &[u8], literal: &[u8], case: Case) -> Option<usize> {
    let first = *literal.first()?;
    let stands = |&at: &usize| starts_with(&text[at..], literal, case);
    match case {
        Case::Exact => memchr_iter(first, text).find(stands),
        Case::Ascii => {
            let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
            memchr2_iter(lower, upper, text).find(stands)
        }
    }
}

/// Whether `text` starts with `prefix`.
pub fn starts_with(text: &[u8], prefix: &[u8], case: Case) -> bool {
    let start = text.get(..prefix.len());
    start.is_some_and(|start| equal(start, prefix, case))
}

/// Whether `text` ends with `suffix`.
pub fn ends_with(text: &[u8], suffix: &[u8], case: Case) -> bool {
    let start = text.len().checked_sub(suffix.len());
    start.is_some_and(|start| equal(&text[start..], suffix, case))
}

/// Whether two texts are the same.
pub fn equal(a: &[u8], b: &[u8], case: Case) -> bool {
    match case {
        Case::Exact => a == b,
        Case::Ascii => a.eq_ignore_ascii_case(b),
    }
}

/// Whether `text` holds `needle`.
pub fn contains(text: &[u8], needle: &[u8], case: Case) -> bool {
    match case {
        Case::Exact => memchr::memmem::find(text, needle).is_some(),
        Case::Ascii => needle.is_empty() || find(text, needle, case).is_some(),
    }
}

/// Length of the first character; 1 where the bytes are not UTF-8.
fn character_length(text: &[u8]) -> usize {
    let length = match text[0] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    match text.get(..length).map(std::str::from_utf8) {
        Some(Ok(_)) => length,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text.chars().map(|character| match character {
            '*' => Part::Run,
            '?' => Part::One,
            other => Part::Literal(other.to_string()),
        }))
    }

    /// The same, by trying everything.
    fn plain(parts: &[Part], text: &[u8]) -> bool {
        match parts {
            [] => text.is_empty(),
            [Part::Run, rest @ ..] => {
                plain(rest, text)
                    || !text.is_empty() && plain(parts, &text[character_length(text)..])
            }
            [Part::One, rest @ ..] => {
                !text.is_empty() && plain(rest, &text[character_length(text)..])
            }
            [Part::Literal(literal), rest @ ..] => text
                .strip_prefix(literal.as_bytes())
                .is_some_and(|text| plain(rest, text)),
        }
    }

    #[test]
    fn agrees_with_trying_everything() {
        let alphabet = ['a', 'b', '*', '?'];
        let nth = |mut n: usize, length: usize, from: &[char]| -> String {
            (0..length)
                .map(|_| {
                    let character = from[n % from.len()];
                    n /= from.len();
                    character
                })
                .collect()
        };
        let texts: Vec<String> = (0..6)
            .flat_map(|length| (0..3usize.pow(length as u32)).map(move |n| (n, length)))
            .map(|(n, length)| nth(n, length, &['a', 'b', 'é']))
            .collect();
        for length in 0..5 {
            for n in 0..4usize.pow(length) {
                let pattern = pattern(&nth(n, length as usize, &alphabet));
                for text in &texts {
                    assert_eq!(
                        fits(&pattern, Case::Exact, text.as_bytes()),
                        plain(pattern.parts(), text.as_bytes()),
                        "{pattern:?} {text:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn folds_ascii_only_and_takes_any_bytes() {
        assert!(!fits(&pattern("*???"), Case::Exact, "日x".as_bytes()));
        assert!(fits(&pattern("*???"), Case::Exact, b"\xe6\x97x"));
        assert!(fits(&pattern("HELP*"), Case::Ascii, b"helpdesk"));
        assert!(!fits(&pattern("É"), Case::Ascii, "é".as_bytes()));
        assert!(fits(&pattern("a?b"), Case::Exact, b"a\xffb"));
        assert!(fits(&pattern("a?b"), Case::Exact, "a😀b".as_bytes()));
        assert!(fits(&pattern("*"), Case::Exact, b"\n"));
        assert!(contains("Help".as_bytes(), b"ELP", Case::Ascii));
    }
}
