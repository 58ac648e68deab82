//! Matches counted by rule, by the sender's domain and by day.

use std::collections::HashMap;
use std::ops::AddAssign;

use poseur_matcher::Matcher;
use poseur_tagger::finding::Finding;

use crate::terminal::{Colour, Paint, harmless, padding, width};

/// More different domains or days than this are counted together: they are an attacker's to choose,
/// and memory is not.
const MOST: usize = 50_000;

/// So many lines of each kind are shown.
const SHOWN: usize = 10;

const OTHERS: &str = "(others)";

/// Numbers of matches.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    rules: HashMap<usize, u64>,
    domains: HashMap<String, u64>,
    days: HashMap<String, u64>,
}

impl Tally {
    /// Counts a match.
    pub fn count(&mut self, finding: &Finding<'_>) {
        *self.rules.entry(finding.rule_number()).or_default() += 1;
        add(&mut self.domains, domain(finding.who().as_deref()), 1);
        add(&mut self.days, day(finding.time().as_deref()), 1);
    }

    /// Three lists for people, the largest numbers first; days in their order.
    pub fn text(&self, matcher: &Matcher, paint: Paint) -> String {
        let rules = self
            .rules
            .iter()
            .map(|(rule, count)| (matcher.rules()[*rule].title.clone(), *count));
        let mut days: Vec<(String, u64)> = self.days.clone().into_iter().collect();
        days.sort();
        let mut out = String::new();
        section("by rule", largest_first(rules), paint, &mut out);
        section(
            "by sender's domain",
            largest_first(self.domains.clone()),
            paint,
            &mut out,
        );
        section("by day", days, paint, &mut out);
        out
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        for (rule, count) in other.rules {
            *self.rules.entry(rule).or_default() += count;
        }
        for (domain, count) in other.domains {
            add(&mut self.domains, domain, count);
        }
        for (day, count) in other.days {
            add(&mut self.days, day, count);
        }
    }
}

fn add(counts: &mut HashMap<String, u64>, key: String, count: u64) {
    let full = counts.len() >= MOST && !counts.contains_key(&key);
    let key = if full { OTHERS.to_owned() } else { key };
    *counts.entry(key).or_default() += count;
}

fn domain(who: Option<&str>) -> String {
    match who.map(|who| who.rsplit_once('@')) {
        Some(Some((_, domain))) => domain.to_ascii_lowercase(),
        Some(None) => "(no address)".to_owned(),
        None => "(unknown)".to_owned(),
    }
}

fn day(time: Option<&str>) -> String {
    let is_day = |day: &&str| {
        day.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    let day = time.and_then(|time| time.get(..10)).filter(is_day);
    day.unwrap_or("(unknown)").to_owned()
}

fn largest_first(counts: impl IntoIterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

fn section(title: &str, mut counts: Vec<(String, u64)>, paint: Paint, out: &mut String) {
    if counts.is_empty() {
        return;
    }
    if counts.len() > SHOWN {
        // One more line says what is left out; it must stand for two at least.
        let rest = counts.split_off(SHOWN - 1);
        counts.push((
            format!("({} more)", rest.len()),
            rest.iter().map(|(_, count)| count).sum(),
        ));
    }
    out.push_str(&paint.of(Colour::Bold, title));
    out.push('\n');
    for (name, _) in &mut counts {
        *name = harmless(name).into_owned();
    }
    let names = counts
        .iter()
        .map(|(name, _)| width(name))
        .max()
        .unwrap_or(0);
    let digits = counts
        .iter()
        .map(|(_, count)| count.to_string().len())
        .max()
        .unwrap_or(0);
    for (name, count) in counts {
        out.push_str(&format!(
            "  {name}{}  {count:>digits$}\n",
            padding(&name, names)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_days() {
        for (who, wanted) in [
            (Some("a@Evil.Example"), "evil.example"),
            (Some("a@b@c.example"), "c.example"),
            (Some("somebody"), "(no address)"),
            (None, "(unknown)"),
        ] {
            assert_eq!(domain(who), wanted);
        }
        for (time, wanted) in [
            (Some("2026-11-19T08:00:00Z"), "2026-11-19"),
            (Some("2026-11-19"), "2026-11-19"),
            (Some("2026-11"), "(unknown)"),
            (Some("日本語日本語"), "(unknown)"),
            (None, "(unknown)"),
        ] {
            assert_eq!(day(time), wanted);
        }
    }

    #[test]
    fn long_lists_end_early() {
        let counts = |n: u64| {
            (0..n)
                .map(|at| (format!("d{at:02}"), n - at))
                .collect::<Vec<_>>()
        };
        let mut out = String::new();
        section("x", counts(10), Paint::plain(), &mut out);
        assert_eq!(out.lines().count(), 11);
        out.clear();
        section("x", counts(12), Paint::plain(), &mut out);
        assert_eq!(out.lines().count(), 11);
        assert!(out.ends_with("  d08        4\n  (3 more)   6\n"), "{out}");
    }

    #[test]
    fn memory_is_bounded() {
        let mut counts = HashMap::new();
        for number in 0..MOST as u64 + 10 {
            add(&mut counts, number.to_string(), 1);
        }
        add(&mut counts, "7".to_owned(), 1);
        assert_eq!(counts.len(), MOST + 1);
        assert_eq!((counts[OTHERS], counts["7"]), (10, 2));
    }
}
