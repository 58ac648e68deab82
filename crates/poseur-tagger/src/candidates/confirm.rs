//! Confirmation: which lines hold the keywords that a witness needs.

use aho_corasick::{Span, packed};
use memchr::{memchr2_iter, memmem};
use poseur_matcher::witness::{Confirmation, Keyword};
use poseur_rule::model::Case;

use super::pairs::commonness;
use super::search::MOST_PACKED;

/// So many bytes of a keyword in any case are searched for, in all spellings: the vector search knows
/// no letter case, and looks at no more bytes than this to find a place.
const SPELLED: usize = 4;

/// Tells whether a line holds all keywords of one of several groups.
#[derive(Debug, Clone)]
pub struct Confirmer {
    groups: Vec<Group>,
    /// Finds where the first keyword of a group may be; `None` if there is no group.
    search: Option<packed::Searcher>,
}

#[derive(Debug, Clone)]
struct Group {
    first: Keyword,
    /// Where in the first keyword the part stands that is searched for.
    offset: usize,
    rest: Vec<Keyword>,
}

impl Confirmer {
    /// For groups of keywords, none empty; `None` if they are too many, or the processor has no vectors for
    /// the search.
    pub fn new(groups: Confirmation) -> Option<Confirmer> {
        let mut starts: Vec<Vec<u8>> = Vec::new();
        let mut known = Vec::new();
        for mut group in groups {
            if group.is_empty() {
                return None;
            }
            let first = group.remove(0);
            let (offset, spellings) = spellings(&first);
            for spelling in spellings {
                if !starts.contains(&spelling) {
                    starts.push(spelling);
                }
            }
            known.push(Group {
                first,
                offset,
                rest: group,
            });
        }
        if known.len() > u64::BITS as usize {
            return None;
        }
        if starts.len() > MOST_PACKED {
            return None;
        }
        let mut search = None;
        if !starts.is_empty() {
            let mut builder = packed::Config::new().builder();
            builder.extend(starts);
            search = Some(builder.build()?);
        }
        Some(Confirmer {
            groups: known,
            search,
        })
    }

    /// Whether a line holds all keywords of a group.
    pub fn confirms(&self, line: &[u8]) -> bool {
        let Some(search) = &self.search else {
            return false;
        };
        let (mut at, mut missed) = (0, 0_u64);
        let span = |at| Span {
            start: at,
            end: line.len(),
        };
        while let Some(hit) = search.find_in(line, span(at)) {
            for (number, group) in self.groups.iter().enumerate() {
                let start = hit.start().checked_sub(group.offset);
                if missed >> number & 1 == 0
                    && start.is_some_and(|start| starts_with(&line[start..], &group.first))
                {
                    if group.rest.iter().all(|keyword| holds(line, keyword)) {
                        return true;
                    }
                    // The rest is looked for once, however often the first keyword stands there.
                    missed |= 1 << number;
                }
            }
            at = hit.start() + 1;
        }
        false
    }
}

/// What is searched for of a keyword: where it stands in it, and all its spellings.
fn spellings(keyword: &Keyword) -> (usize, Vec<Vec<u8>>) {
    let text = keyword.text.as_bytes();
    if keyword.case == Case::Exact {
        return (0, vec![text.to_vec()]);
    }
    let cost = |part: &[u8]| -> u32 { part.iter().map(|&byte| u32::from(commonness(byte))).sum() };
    let parts = text.windows(SPELLED.min(text.len())).enumerate();
    let (offset, part) = parts
        .min_by_key(|(_, part)| cost(part))
        .unwrap_or((0, text));
    let mut all = vec![Vec::new()];
    for byte in part {
        let mut cases = vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
        cases.dedup();
        all = all
            .iter()
            .flat_map(|start| {
                cases
                    .iter()
                    .map(move |&byte| [start.as_slice(), &[byte]].concat())
            })
            .collect();
    }
    (offset, all)
}

fn starts_with(text: &[u8], keyword: &Keyword) -> bool {
    let wanted = keyword.text.as_bytes();
    let start = text.get(..wanted.len());
    start.is_some_and(|start| match keyword.case {
        Case::Exact => start == wanted,
        Case::Ascii => start.eq_ignore_ascii_case(wanted),
    })
}

fn holds(line: &[u8], keyword: &Keyword) -> bool {
    let wanted = keyword.text.as_bytes();
    match keyword.case {
        Case::Exact => memmem::find(line, wanted).is_some(),
        Case::Ascii => {
            let first = wanted[0];
            memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), line)
                .any(|at| starts_with(&line[at..], keyword))
        }
    }
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
            if let Some(confirmer) = Confirmer::new(groups.clone()) {
                prop_assert_eq!(confirmer.confirms(line.as_bytes()), plainly(&groups, &line));
            }
        }
    }
}
