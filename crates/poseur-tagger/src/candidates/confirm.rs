//! Confirmation: which lines hold the keywords that a witness needs.

use poseur_matcher::witness::{Confirmation, Keyword};
use poseur_rule::model::Case;

use super::nibbles::{LENGTH, Nibbles};
use super::pairs::commonness;

/// Tells whether a line holds all keywords of one of several groups.
#[derive(Debug, Clone)]
pub struct Confirmer {
    groups: Vec<Group>,
    /// Finds where the first keyword of a group may be.
    search: Nibbles,
}

#[derive(Debug, Clone)]
struct Group {
    first: Sought,
    rest: Vec<Sought>,
}

/// A keyword, and the stretch of it that is searched for.
#[derive(Debug, Clone)]
struct Sought {
    keyword: Keyword,
    offset: usize,
    /// Finds where the keyword may be.
    search: Nibbles,
}

impl Confirmer {
    /// For groups of keywords, none empty; `None` if they are too many.
    pub fn new(groups: Confirmation) -> Option<Confirmer> {
        if groups.len() > u64::BITS as usize {
            return None;
        }
        let mut known = Vec::new();
        for group in groups {
            let mut sought: Vec<Sought> = group.into_iter().map(Sought::new).collect();
            let rarest = (0..sought.len()).min_by_key(|&at| cost(sought[at].stretch()))?;
            known.push(Group {
                first: sought.swap_remove(rarest),
                rest: sought,
            });
        }
        let stretches = known.iter().map(|group| group.first.stretch_and_case());
        Some(Confirmer {
            search: Nibbles::new(&stretches.collect::<Vec<_>>()),
            groups: known,
        })
    }

    /// Whether a line holds all keywords of a group.
    pub fn confirms(&self, line: &[u8]) -> bool {
        let (mut at, mut missed) = (0, 0_u64);
        while let Some(place) = self.search.find(line, at) {
            for (number, group) in self.groups.iter().enumerate() {
                if missed >> number & 1 == 0 && group.first.stands_around(line, place) {
                    if group.rest.iter().all(|sought| sought.is_in(line)) {
                        return true;
                    }
                    // The rest is looked for once, however often the first keyword stands there.
                    missed |= 1 << number;
                }
            }
            at = place + 1;
        }
        false
    }
}

impl Sought {
    fn new(keyword: Keyword) -> Sought {
        let text = keyword.text.as_bytes();
        let stretches = text.windows(LENGTH.min(text.len()).max(1)).enumerate();
        let rarest = stretches.min_by_key(|(_, stretch)| cost(stretch));
        let (offset, stretch) = rarest.unwrap_or((0, text));
        Sought {
            search: Nibbles::new(&[(stretch, keyword.case == Case::Ascii)]),
            offset,
            keyword,
        }
    }

    fn stretch(&self) -> &[u8] {
        let text = &self.keyword.text.as_bytes()[self.offset..];
        &text[..LENGTH.min(text.len())]
    }

    /// What is searched for, and whether in any case.
    fn stretch_and_case(&self) -> (&[u8], bool) {
        (self.stretch(), self.keyword.case == Case::Ascii)
    }

    /// Whether the keyword stands where its stretch may be.
    fn stands_around(&self, line: &[u8], place: usize) -> bool {
        let start = place.checked_sub(self.offset);
        start.is_some_and(|start| starts_with(&line[start..], &self.keyword))
    }

    fn is_in(&self, line: &[u8]) -> bool {
        let mut at = 0;
        while let Some(place) = self.search.find(line, at) {
            if self.stands_around(line, place) {
                return true;
            }
            at = place + 1;
        }
        false
    }
}

/// How common a text is in JSON logs, roughly.
fn cost(text: &[u8]) -> u32 {
    text.iter().map(|&byte| u32::from(commonness(byte))).sum()
}

fn starts_with(text: &[u8], keyword: &Keyword) -> bool {
    let wanted = keyword.text.as_bytes();
    let start = text.get(..wanted.len());
    start.is_some_and(|start| match keyword.case {
        Case::Exact => start == wanted,
        Case::Ascii => start.eq_ignore_ascii_case(wanted),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plainly(groups: &[Vec<Keyword>], line: &str) -> bool {
        let folded = line.to_ascii_lowercase();
        groups.iter().any(|group| {
            group.iter().all(|keyword| match keyword.case {
                Case::Exact => line.contains(&keyword.text),
                Case::Ascii => folded.contains(&keyword.text.to_ascii_lowercase()),
            })
        })
    }

    fn keyword() -> impl Strategy<Value = Keyword> {
        ("[abB. ]{4,6}", any::<bool>()).prop_map(|(text, exact)| Keyword {
            text,
            case: if exact { Case::Exact } else { Case::Ascii },
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]
        #[test]
        fn agrees_with_looking_for_every_keyword(
            groups in proptest::collection::vec(proptest::collection::vec(keyword(), 1..3), 0..5),
            line in "[abAB. ]{0,120}",
            places in proptest::collection::vec((0..5usize, 0..3usize, 0..120usize), 0..4),
        ) {
            let mut line = line;
            for (group, number, at) in places {
                let Some(keyword) = groups.get(group).and_then(|group| group.get(number)) else { continue };
                line.insert_str(at.min(line.len()), &keyword.text);
            }
            let confirmer = Confirmer::new(groups.clone()).unwrap();
            prop_assert_eq!(confirmer.confirms(line.as_bytes()), plainly(&groups, &line));
        }
    }
}
