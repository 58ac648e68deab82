//! The words of a text by Unicode's rules (UAX #29), for the characters that tests use: letters,
//! digits, `_`, `'`, `.`, `:`, `,`, `;`, ideographs, white space and signs that stand between words.

/// The kinds of characters that the rules tell apart.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Digit,
    /// `_`, which joins letters and digits.
    Joiner,
    /// `.` and `'`, which join two letters or two digits.
    MiddleOfBoth,
    /// `:`, which joins two letters.
    MiddleOfLetters,
    /// `,` and `;`, which join two digits.
    MiddleOfDigits,
    /// A word by itself: ideographs, hiragana.
    Alone,
    /// Not part of any word.
    Other,
}

fn class(character: char) -> Class {
    match character {
        '_' => Class::Joiner,
        '.' | '\'' => Class::MiddleOfBoth,
        ':' => Class::MiddleOfLetters,
        ',' | ';' => Class::MiddleOfDigits,
        '\u{3040}'..='\u{309F}' | '\u{4E00}'..='\u{9FFF}' => Class::Alone,
        _ if character.is_ascii_digit() => Class::Digit,
        _ if character.is_alphabetic() => Class::Letter,
        _ => Class::Other,
    }
}

/// The words of a text, in lower case.
pub fn of(text: &[u8]) -> Vec<String> {
    let text: Vec<char> = String::from_utf8_lossy(text).chars().collect();
    let classes: Vec<Class> = text.iter().map(|character| class(*character)).collect();
    let mut words = Vec::new();
    let mut start = 0;
    for end in 1..=text.len() {
        if end < text.len() && joined(&classes, end) {
            continue;
        }
        let piece = &text[start..end];
        start = end;
        if piece.iter().any(|character| character.is_alphanumeric()) {
            // Words of more than 255 characters are cut.
            for piece in piece.chunks(255) {
                words.push(
                    piece
                        .iter()
                        .flat_map(|character| character.to_lowercase())
                        .collect(),
                );
            }
        }
    }
    words
}

/// Do the characters before and at `at` belong to one word?
fn joined(classes: &[Class], at: usize) -> bool {
    use Class::{Digit, Joiner, Letter, MiddleOfBoth, MiddleOfDigits, MiddleOfLetters};
    let here = |offset: usize| classes.get(at + offset).copied().unwrap_or(Class::Other);
    let (before, after) = (classes[at - 1], here(0));
    let two_before = at.checked_sub(2).map_or(Class::Other, |at| classes[at]);
    match (before, after) {
        (Letter | Digit | Joiner, Letter | Digit | Joiner) => true,
        (Letter, MiddleOfBoth | MiddleOfLetters) => here(1) == Letter,
        (MiddleOfBoth | MiddleOfLetters, Letter) => two_before == Letter,
        (Digit, MiddleOfBoth | MiddleOfDigits) => here(1) == Digit,
        (MiddleOfBoth | MiddleOfDigits, Digit) => two_before == Digit,
        _ => false,
    }
}

/// Do these words stand in the text in a row? No words do so nowhere.
pub fn in_a_row(text: &[String], wanted: &[String]) -> bool {
    !wanted.is_empty() && text.windows(wanted.len()).any(|words| words == wanted)
}
