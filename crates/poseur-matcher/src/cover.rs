//! Choosing few literals that serve many rules.
//!
//! Every literal that is searched for costs a little, and every place where it stands costs a walk over
//! a record. A literal's *weight* says what it may cost; a greedy cover then takes, again and again,
//! the literal that saves most for its weight, until every rule is served. A rule that is served by a
//! set only (a list of values without anything in common) adds what is missing of its cheapest set.

use std::collections::HashMap;

use memchr::memmem::Finder;

/// Literals and what they weigh.
#[derive(Debug, Clone, Default)]
pub(crate) struct Literals {
    texts: Vec<String>,
    weights: Vec<u64>,
    by_text: HashMap<String, usize>,
}

/// What a rule needs: which literals a matching record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing can be said.
    Unknown,
    /// This literal.
    Literal(usize),
    /// All of these, so that looking for one is enough. Empty: nothing can be said.
    All(Vec<Need>),
    /// One of these, so that all must be looked for. Empty: no record matches.
    Any(Vec<Need>),
}

impl Literals {
    /// A literal. If it is known, the lesser weight counts.
    pub fn add(&mut self, text: &str, weight: u64) -> Need {
        if let Some(&known) = self.by_text.get(text) {
            self.weights[known] = self.weights[known].min(weight);
            return Need::Literal(known);
        }
        let number = self.texts.len();
        self.texts.push(text.to_owned());
        self.weights.push(weight);
        self.by_text.insert(text.to_owned(), number);
        Need::Literal(number)
    }

    /// Whether a need names a literal that holds a text.
    pub fn speaks_of(&self, need: &Need, text: &str) -> bool {
        match need {
            Need::Unknown => false,
            Need::Literal(literal) => self.texts[*literal].contains(text),
            Need::All(needs) | Need::Any(needs) => {
                needs.iter().any(|need| self.speaks_of(need, text))
            }
        }
    }

    /// Literals that serve all needs together; `None` if one cannot be served. None of them holds
    /// another one.
    pub fn cover(&self, needs: &[Need]) -> Option<Vec<String>> {
        let mut cover = Cover {
            literals: self,
            found: vec![false; self.texts.len()],
            chosen: Vec::new(),
        };
        let mut open: Vec<Open> = Vec::new();
        for need in needs {
            open.push(Open {
                need,
                cost: cover.cost(need)?,
                singles: singles(need),
            });
        }
        // By literal: the needs that it serves alone.
        let mut serves: Vec<Vec<usize>> = vec![Vec::new(); self.texts.len()];
        for (number, open) in open.iter().enumerate() {
            for &single in &open.singles {
                serves[single].push(number);
            }
        }
        let mut served = vec![false; open.len()];
        loop {
            for (number, open) in open.iter().enumerate() {
                served[number] |= open.singles.iter().any(|&single| cover.found[single]);
            }
            let saved = |literal: usize| -> u64 {
                let left = serves[literal].iter().filter(|&&need| !served[need]);
                left.map(|&need| open[need].cost).sum()
            };
            // The best by what it saves for its weight; of equals the longest, then the first.
            let best = (0..self.texts.len())
                .map(|literal| (saved(literal) / self.weights[literal], literal))
                .filter(|&(gain, _)| gain > 0)
                .max_by_key(|&(gain, literal)| {
                    (gain, self.texts[literal].len(), usize::MAX - literal)
                });
            let Some((_, best)) = best else { break };
            cover.choose(best);
        }
        for (open, _) in open.iter().zip(&served).filter(|(_, served)| !**served) {
            cover.serve(open.need);
        }
        Some(cover.texts())
    }
}

/// A need that is to be served.
struct Open<'a> {
    need: &'a Need,
    /// What serving it alone costs.
    cost: u64,
    /// Each of these serves it.
    singles: Vec<usize>,
}

/// The literals of which each serves a need alone.
fn singles(need: &Need) -> Vec<usize> {
    match need {
        Need::Unknown => Vec::new(),
        Need::Literal(literal) => vec![*literal],
        Need::All(needs) => {
            let mut all: Vec<usize> = needs.iter().flat_map(singles).collect();
            all.sort_unstable();
            all.dedup();
            all
        }
        Need::Any(needs) => {
            let mut needs = needs.iter().map(singles);
            let mut common = needs.next().unwrap_or_default();
            for other in needs {
                common.retain(|literal| other.contains(literal));
            }
            common
        }
    }
}

/// A choice in the making.
struct Cover<'a> {
    literals: &'a Literals,
    /// By literal: it is searched for, or holds one that is.
    found: Vec<bool>,
    chosen: Vec<usize>,
}

impl Cover<'_> {
    fn choose(&mut self, literal: usize) {
        self.chosen.push(literal);
        let finder = Finder::new(&self.literals.texts[literal]);
        for (text, found) in self.literals.texts.iter().zip(&mut self.found) {
            *found |= finder.find(text.as_bytes()).is_some();
        }
    }

    /// What serving a need costs beyond what is chosen; `None` if it cannot be served.
    fn cost(&self, need: &Need) -> Option<u64> {
        match need {
            Need::Unknown => None,
            Need::Literal(literal) if self.found[*literal] => Some(0),
            Need::Literal(literal) => Some(self.literals.weights[*literal]),
            Need::All(needs) => needs.iter().filter_map(|need| self.cost(need)).min(),
            Need::Any(needs) => needs.iter().map(|need| self.cost(need)).sum(),
        }
    }

    /// Chooses what is missing for a need that can be served.
    fn serve(&mut self, need: &Need) {
        match need {
            Need::Unknown => {}
            Need::Literal(literal) => {
                if !self.found[*literal] {
                    self.choose(*literal);
                }
            }
            Need::All(needs) => {
                let costs = needs
                    .iter()
                    .filter_map(|need| Some((self.cost(need)?, need)));
                // The first of equals: conditions begin with what is cheap to test.
                if let Some((_, need)) = costs.min_by_key(|(cost, _)| *cost) {
                    self.serve(need);
                }
            }
            Need::Any(needs) => needs.iter().for_each(|need| self.serve(need)),
        }
    }

    /// The chosen literals, without those that hold another one: finding that one is enough.
    fn texts(self) -> Vec<String> {
        let mut texts: Vec<String> = self
            .chosen
            .iter()
            .map(|&chosen| self.literals.texts[chosen].clone())
            .collect();
        texts.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
        let mut kept: Vec<String> = Vec::new();
        for text in texts {
            if !kept.iter().any(|known| text.contains(known.as_str())) {
                kept.push(text);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_many_is_chosen() {
        let mut literals = Literals::default();
        let dataset = literals.add("aws.cloudtrail", 1);
        let mut needs: Vec<Need> = Vec::new();
        for rule in 0..20 {
            let actions = (0..3)
                .map(|n| literals.add(&format!("Action{rule}-{n}"), 1))
                .collect();
            needs.push(Need::All(vec![Need::Any(actions), dataset.clone()]));
        }
        assert_eq!(
            literals.cover(&needs),
            Some(vec!["aws.cloudtrail".to_owned()])
        );
        // One that stands everywhere is not worth the others.
        let common = literals.add("type", 10_000);
        let few: Vec<Need> = (0..5)
            .map(|rule| {
                let action = literals.add(&format!("Other{rule}"), 1);
                Need::All(vec![common.clone(), action])
            })
            .collect();
        assert_eq!(literals.cover(&few).map(|cover| cover.len()), Some(5));
    }

    #[test]
    fn every_need_is_served_or_none() {
        let mut literals = Literals::default();
        let [a, b, ab] = ["aaaa", "bbbb", "aaaabbbb"].map(|text| literals.add(text, 1));
        let unknown = Need::All(Vec::new());
        for (need, expected) in [
            (Need::Any(vec![]), Some(&[][..])),
            (unknown.clone(), None),
            (Need::Unknown, None),
            (Need::Any(vec![a.clone(), unknown.clone()]), None),
            (Need::All(vec![a.clone(), unknown]), Some(&["aaaa"][..])),
            (
                Need::Any(vec![a.clone(), b.clone()]),
                Some(&["aaaa", "bbbb"]),
            ),
            (Need::Any(vec![a, ab]), Some(&["aaaa"])),
        ] {
            let expected =
                expected.map(|texts| texts.iter().map(|&text| text.to_owned()).collect());
            assert_eq!(
                literals.cover(std::slice::from_ref(&need)),
                expected,
                "{need:?}"
            );
        }
        assert_eq!(literals.cover(&[b.clone(), Need::Unknown, b]), None);
    }
}
