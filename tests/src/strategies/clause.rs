//! One clause of a rule in a record: as the rule wants it, or wrong in one of the ways that matter.

use proptest::prelude::*;

use super::dice::Dice;
use super::document::Node;

/// In what state a record holds what a clause asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Good, inside an array, maybe among others.
    Listed,
    /// Twice: good first.
    GoodFirst,
    /// Twice: good last.
    GoodLast,
    /// Good in another dress, where there is one (a flag as text).
    Dressed,
    /// Almost.
    Near,
    /// Some other plain value.
    Other,
    /// Not there.
    Missing,
    /// Null, or an array that holds nothing.
    Empty,
    /// A value of another type, or the good value inside an object.
    Wrong,
}

/// Mostly states in which the clause holds, `faults` times out of a thousand others.
pub fn state(faults: u32) -> impl Strategy<Value = State> {
    let share = 1000 - faults;
    prop_oneof![
        share * 6 => Just(State::Good),
        share => Just(State::Listed),
        share => Just(State::GoodFirst),
        share => Just(State::GoodLast),
        share => Just(State::Dressed),
        faults * 4 => Just(State::Near),
        faults * 2 => Just(State::Other),
        faults * 2 => Just(State::Missing),
        faults => Just(State::Empty),
        faults => Just(State::Wrong),
    ]
}

/// What one member may be: the forms a clause's value can take.
pub struct Forms {
    /// Values by which the clause holds; the first is the usual one.
    pub good: Vec<Node>,
    /// Values by which it just does not.
    pub near: Vec<Node>,
    /// Some other plain value.
    pub other: Node,
    /// Whether the value still counts inside an array.
    pub opened: bool,
}

/// The values of the clause's key, one for each time the key is written.
pub fn occurrences(state: State, forms: &Forms, dice: &mut Dice) -> Vec<Node> {
    let usual = forms.good[0].clone();
    let other = match dice.below(3) {
        0 => Node::Null,
        1 => forms.near[dice.below(forms.near.len())].clone(),
        _ => forms.other.clone(),
    };
    match state {
        State::Good => vec![usual],
        State::Dressed => vec![forms.good[dice.below(forms.good.len())].clone()],
        State::Listed if !forms.opened => vec![usual],
        State::Listed => vec![match dice.below(3) {
            0 => Node::List(vec![usual]),
            1 => Node::List(vec![other, usual, Node::Null]),
            _ => Node::List(vec![Node::List(vec![]), Node::List(vec![usual, other])]),
        }],
        State::GoodFirst => vec![usual, other],
        State::GoodLast => vec![other, usual],
        State::Near => vec![forms.near[dice.below(forms.near.len())].clone()],
        State::Other => vec![forms.other.clone()],
        State::Missing => vec![],
        State::Empty => vec![match dice.below(4) {
            0 => Node::List(vec![]),
            1 => Node::List(vec![Node::Null, Node::List(vec![])]),
            _ => Node::Null,
        }],
        State::Wrong => vec![match dice.below(5) {
            0 => Node::map([("value", usual)]),
            1 => Node::map([]),
            2 => Node::number(7),
            3 => Node::List(vec![Node::map([("", usual)])]),
            _ => Node::text(""),
        }],
    }
}

/// A keyword spelled almost right.
pub fn misspelled(word: &str, dice: &mut Dice) -> Vec<u8> {
    let letters: Vec<char> = word.chars().collect();
    let at = dice.below(letters.len());
    let mut out: Vec<String> = letters.iter().map(char::to_string).collect();
    let space = letters.iter().position(|letter| *letter == ' ');
    match (dice.below(9), space) {
        (0, _) => return flipped(word),
        (1, _) => return word.to_uppercase().into_bytes(),
        (2, Some(at)) => out[at] = "   ".to_owned(),
        (3, Some(at)) => out[at] = "\u{A0}".to_owned(),
        (4, Some(at)) => out[at] = String::new(),
        (2..=4, None) => out[at].push('\u{200B}'),
        (5, _) => out[at].push('\u{200D}'),
        (6, _) => out[at] = look_alike(letters[at]),
        (7, _) => out[at].push('\0'),
        _ => out[at] = String::new(),
    }
    out.concat().into_bytes()
}

/// The first letter in the other case.
fn flipped(word: &str) -> Vec<u8> {
    let mut out = word.as_bytes().to_vec();
    if let Some(letter) = out.iter_mut().find(|byte| byte.is_ascii_alphabetic()) {
        *letter ^= 0x20;
    }
    out
}

fn look_alike(letter: char) -> String {
    match letter {
        'e' => "\u{435}",
        'p' => "\u{440}",
        's' => "\u{17F}",
        'k' => "\u{212A}",
        'i' => "\u{131}",
        'I' => "\u{130}",
        'H' => "\u{41D}",
        'M' => "\u{41C}",
        'o' => "\u{3BF}",
        _ => "\u{FFFD}",
    }
    .to_owned()
}
