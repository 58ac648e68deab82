//! The compact set that holds tenants, domains and addresses.

use std::cmp::Ordering;
use std::fmt;

/// A set of names that stays small at a million entries: one text, sorted offsets, binary search.
///
/// A hash set of a million short texts takes about 75 MB and a million allocations; this takes the
/// texts and four bytes for each.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Names {
    text: String,
    /// End of each name in `text`; names are sorted and unique.
    ends: Vec<u32>,
}

/// The names of one set are more than 4 GiB of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one set can hold 4 GiB of names, and these are more")]
pub struct TooLarge;

impl Names {
    /// The set of these names, in any order and with any repetition.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Names, TooLarge> {
        let mut builder = NamesBuilder::default();
        for name in names {
            builder.push(name.as_ref())?;
        }
        Ok(builder.finish())
    }

    /// Whether the set holds exactly these bytes. Does not allocate.
    pub fn contains(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match get(&self.text, &self.ends, middle).as_bytes().cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return true,
            }
        }
        false
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// No names.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The names, in byte order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.ends.len()).map(|index| get(&self.text, &self.ends, index))
    }
}

/// A set of a million names in an error or a log line is of no use: the first few, and how many.
impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let mut set = f.debug_set();
        set.entries(self.iter().take(SHOWN));
        match self.len().checked_sub(SHOWN) {
            None | Some(0) => set.finish(),
            Some(more) => set.entry(&format_args!("and {more} more")).finish(),
        }
    }
}

/// Collects names one by one for a set, without an allocation for each.
#[derive(Debug, Clone)]
pub struct NamesBuilder {
    text: String,
    ends: Vec<u32>,
    /// Most bytes of text; less than `u32::MAX` only in tests.
    limit: u32,
}

impl Default for NamesBuilder {
    fn default() -> NamesBuilder {
        NamesBuilder {
            text: String::new(),
            ends: Vec::new(),
            limit: u32::MAX,
        }
    }
}

impl NamesBuilder {
    /// Adds a name. After an error the builder is as it was before.
    pub fn push(&mut self, name: &str) -> Result<(), TooLarge> {
        let end = self
            .text
            .len()
            .checked_add(name.len())
            .and_then(|end| u32::try_from(end).ok())
            .filter(|end| *end <= self.limit)
            .ok_or(TooLarge)?;
        self.text.push_str(name);
        self.ends.push(end);
        Ok(())
    }

    /// No name was added.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The set.
    pub fn finish(self) -> Names {
        let NamesBuilder {
            mut text, mut ends, ..
        } = self;
        let name = |index: usize| get(&text, &ends, index);
        if (1..ends.len()).all(|index| name(index - 1) < name(index)) {
            // Sorted and unique already, as most exports are.
            text.shrink_to_fit();
            ends.shrink_to_fit();
            return Names { text, ends };
        }
        let mut order: Vec<usize> = (0..ends.len()).collect();
        order.sort_unstable_by(|a, b| name(*a).cmp(name(*b)));
        order.dedup_by(|a, b| name(*a) == name(*b));
        let bytes = order.iter().map(|index| name(*index).len()).sum();
        let mut sorted = Names {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(order.len()),
        };
        for index in order {
            sorted.text.push_str(name(index));
            // No more text than `push` let in, so it still fits.
            sorted.ends.push(sorted.text.len() as u32);
        }
        sorted
    }
}

/// The name at an index that is in range.
fn get<'t>(text: &'t str, ends: &[u32], index: usize) -> &'t str {
    let start = match index {
        0 => 0,
        _ => ends[index - 1] as usize,
    };
    &text[start..ends[index] as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sets() {
        // (names in, names out)
        let cases: &[(&[&str], &[&str])] = &[
            (&[], &[]),
            (&[""], &[""]),
            (&["", "", "a"], &["", "a"]),
            (&["b", "a", "b"], &["a", "b"]),
            (&["a", "ab", "abc"], &["a", "ab", "abc"]),
            (&["abc", "ab", "a"], &["a", "ab", "abc"]),
            (&["é", "z", "a\0", "a"], &["a", "a\0", "z", "é"]),
        ];
        for (given, wanted) in cases {
            let names = Names::new(*given).unwrap();
            assert_eq!(names.iter().collect::<Vec<_>>(), *wanted, "{given:?}");
            assert_eq!(names.len(), wanted.len());
            assert_eq!(names.is_empty(), wanted.is_empty());
            for name in *wanted {
                assert!(names.contains(name), "{name:?} in {given:?}");
                assert!(names.contains(name.as_bytes()));
            }
            for other in ["abcd", "aa", "b\0", "0", "\u{ff}"] {
                assert!(!names.contains(other), "{other:?} in {given:?}");
            }
            assert!(!names.contains(b"\xff"));
        }
    }

    #[test]
    fn more_text_than_offsets_can_say_is_an_error() {
        let mut builder = NamesBuilder {
            limit: 5,
            ..NamesBuilder::default()
        };
        assert_eq!(builder.push("abc"), Ok(()));
        assert_eq!(builder.push("def"), Err(TooLarge));
        assert_eq!(builder.push("de"), Ok(()));
        assert_eq!(builder.push(""), Ok(()));
        assert_eq!(builder.push("x"), Err(TooLarge));
        assert_eq!(
            builder.finish().iter().collect::<Vec<_>>(),
            ["", "abc", "de"]
        );
    }

    #[test]
    fn debug_output_stays_short() {
        let few = Names::new(["a"]).unwrap();
        assert_eq!(format!("{few:?}"), r#"{"a"}"#);
        let many = Names::new((0..1000).map(|n| n.to_string())).unwrap();
        assert!(format!("{many:?}").ends_with("and 992 more}"), "{many:?}");
    }

    proptest! {
        #[test]
        fn is_a_set(names in prop::collection::vec("[a-c]{0,3}", 0..40), probes in prop::collection::vec("[a-d]{0,4}", 0..20)) {
            let plain: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let set = Names::new(&names).unwrap();
            prop_assert!(set.iter().eq(plain.iter().copied()));
            for probe in &probes {
                prop_assert_eq!(set.contains(probe), plain.contains(probe.as_str()));
            }
            prop_assert_eq!(Names::new(set.iter()).unwrap(), set);
        }
    }
}
