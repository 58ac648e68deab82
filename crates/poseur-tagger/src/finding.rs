//! One match, with everything there is to tell about it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use poseur_matcher::Matcher;
use poseur_matcher::verdict::{Match, Suppressed, Verdict};
use poseur_rule::exception::Exception;
use poseur_rule::model::Rule;

use crate::tag::keyword;

/// A match, or one that an exception suppressed.
#[derive(Debug)]
pub struct Finding<'a> {
    matcher: &'a Matcher,
    verdict: &'a Verdict,
    what: What<'a>,
}

#[derive(Debug, Clone, Copy)]
enum What<'a> {
    Match(&'a Match),
    Suppressed(&'a Suppressed),
}

/// What satisfied a rule.
#[derive(Debug)]
pub struct On<'a> {
    /// The field.
    pub field: Cow<'a, str>,
    /// Its value.
    pub value: Cow<'a, str>,
    /// What the rule looks for.
    pub keyword: String,
}

impl<'a> Finding<'a> {
    /// The findings of a verdict, in the order of the rules; the suppressed ones only if wanted. Who, whom, when and
    /// where are known only of verdicts with a summary.
    pub fn all(
        matcher: &'a Matcher,
        verdict: &'a Verdict,
        suppressed: bool,
    ) -> impl Iterator<Item = Finding<'a>> {
        let matches = verdict.matches.iter().map(What::Match);
        let suppressed = suppressed.then(|| verdict.suppressed.iter().map(What::Suppressed));
        matches
            .chain(suppressed.into_iter().flatten())
            .map(move |what| Finding {
                matcher,
                verdict,
                what,
            })
    }

    /// The number of the rule.
    pub fn rule_number(&self) -> usize {
        match self.what {
            What::Match(found) => found.rule,
            What::Suppressed(found) => found.rule,
        }
    }

    /// The rule.
    pub fn rule(&self) -> &'a Rule {
        &self.matcher.rules()[self.rule_number()]
    }

    /// The exception that suppressed it.
    pub fn exception(&self) -> Option<&'a Exception> {
        match self.what {
            What::Match(_) => None,
            What::Suppressed(found) => Some(&self.matcher.exceptions()[found.exception]),
        }
    }

    /// When, as the record says.
    pub fn time(&self) -> Option<Cow<'a, str>> {
        self.text(self.verdict.summary.as_ref()?.time.as_ref())
    }

    /// Who did it.
    pub fn who(&self) -> Option<Cow<'a, str>> {
        self.text(self.verdict.summary.as_ref()?.who.as_ref())
    }

    /// In which conversation.
    pub fn place(&self) -> Option<Cow<'a, str>> {
        self.text(self.verdict.summary.as_ref()?.place.as_ref())
    }

    /// Against whom: the addresses of all who took part but the sender; where there are none, the
    /// names. A sender's own name cannot be told from the others'.
    pub fn whom(&self) -> Vec<Cow<'a, str>> {
        let who = self.who();
        let is_sender = |text: &str| {
            who.as_ref()
                .is_some_and(|who| who.eq_ignore_ascii_case(text))
        };
        let mut whom: Vec<Cow<'a, str>> = Vec::new();
        let mut known = HashSet::new();
        for range in self
            .verdict
            .summary
            .iter()
            .flat_map(|summary| &summary.whom)
        {
            let text = String::from_utf8_lossy(self.verdict.text(range));
            if !is_sender(&text) && known.insert(text.clone()) {
                whom.push(text);
            }
        }
        if whom.iter().any(|text| text.contains('@')) {
            whom.retain(|text| text.contains('@'));
        }
        whom
    }

    /// What satisfied the rule; nothing is known of suppressed matches.
    pub fn on(&self) -> impl Iterator<Item = On<'a>> {
        let (matcher, verdict) = (self.matcher, self.verdict);
        let on = match self.what {
            What::Match(found) => found.on.clone(),
            What::Suppressed(_) => 0..0,
        };
        verdict.on[on].iter().map(move |satisfied| {
            let predicate = &matcher.predicate(satisfied.predicate).predicate;
            On {
                field: predicate.field.label(),
                value: String::from_utf8_lossy(verdict.text(&satisfied.value)),
                keyword: keyword(&predicate.test),
            }
        })
    }

    /// The rule's analyst fields: name and JSON value.
    pub fn context(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let (matcher, verdict, rule) = (self.matcher, self.verdict, self.rule());
        let is_match = self.exception().is_none();
        verdict
            .context
            .iter()
            .filter(move |_| is_match)
            .filter_map(move |(name, value)| {
                let name = matcher.context_names()[*name].as_str();
                let wanted = rule.fields.iter().any(|field| field == name);
                wanted.then(|| (name, String::from_utf8_lossy(verdict.text(value))))
            })
    }

    fn text(&self, range: Option<&Range<usize>>) -> Option<Cow<'a, str>> {
        range.map(|range| String::from_utf8_lossy(self.verdict.text(range)))
    }
}
