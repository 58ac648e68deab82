//! Why each rule did or did not match: the production plan, evaluated clause by clause.

use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::evaluate::{Evaluation, State};
use crate::found::Found;
use crate::matcher::{Matcher, Scratch};
use crate::plan::SchemaPlan;
use crate::program::{Clause, PredicateId};
use crate::record::{Handle, Record, Unreadable};
use crate::traverse::Judge;

/// At most so many values are shown for a predicate.
const MOST_VALUES: usize = 8;

/// Everything there is to say about one object that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Name of the schema it was judged by.
    pub schema: String,
    /// By rule number.
    pub rules: Vec<RuleExplanation>,
}

/// Why one rule did or did not match.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleExplanation {
    /// Index into [`Matcher::rules`].
    pub rule: usize,
    /// The rule is tried on such records: as far as is known, they are of the logs it is for.
    pub tried: bool,
    /// The rule is tried and its condition holds. Exceptions may still suppress the match.
    pub holds: bool,
    /// Its condition.
    pub clause: Explained,
}

/// One clause and whether it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// It holds.
    pub holds: bool,
    /// What it is.
    pub what: What,
}

/// The kinds of clauses.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// All of these.
    All(Vec<Explained>),
    /// One of these.
    Any(Vec<Explained>),
    /// Not this.
    Not(Box<Explained>),
    /// Named by the rule's author.
    Named(String, Box<Explained>),
    /// A condition on objects.
    Nested {
        /// Canonical name of the field that holds the objects.
        path: String,
        /// How many objects there are.
        objects: usize,
        /// The condition for the first object that satisfies it, or else the first there is.
        object: Option<Box<Explained>>,
    },
    /// A predicate, and the values its field has.
    Predicate {
        /// See [`Matcher::predicate`].
        id: PredicateId,
        /// The first values of the field, as texts.
        values: Vec<String>,
        /// The field has more values than are listed.
        more: bool,
    },
}

impl Matcher {
    /// Explains every record of a document: handle of the record, and an explanation for each
    /// object judged for it (several if it is an envelope with several payloads).
    ///
    /// # Errors
    /// If the document cannot be read.
    pub fn explain<R: Record + ?Sized>(
        &self,
        record: &R,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Result<Vec<(Handle, Vec<Explanation>)>, Unreadable> {
        let mut judge = Explain {
            matcher: self,
            now,
            state: State::default(),
            current: Vec::new(),
            done: Vec::new(),
        };
        scratch.traversal.document(&self.plan, record, &mut judge)?;
        Ok(judge.done)
    }
}

struct Explain<'a> {
    matcher: &'a Matcher,
    now: Timestamp,
    state: State,
    current: Vec<Explanation>,
    done: Vec<(Handle, Vec<Explanation>)>,
}

impl Judge for Explain<'_> {
    fn judge<R: Record + ?Sized>(
        &mut self,
        record: &R,
        root: Handle,
        schema: &SchemaPlan,
        found: &Found,
    ) -> Result<(), Unreadable> {
        let plan = &self.matcher.plan;
        let mut evaluation =
            Evaluation::new(plan, schema, record, root, found, self.now, &mut self.state);
        let rules = (0..self.matcher.rules().len()).map(|rule| RuleExplanation {
            rule,
            tried: schema
                .schema
                .sources
                .admit(&self.matcher.rules()[rule].log_source),
            // The answer is the one a decision gives; the clauses are the same predicates in the
            // author's order.
            holds: evaluation.holds(&schema.programs[rule]),
            clause: explain(&mut evaluation, &plan.clauses[rule]),
        });
        let rules = rules.collect();
        self.current.push(Explanation {
            schema: schema.schema.name.clone(),
            rules,
        });
        Ok(())
    }

    fn finish(&mut self, root: Handle) -> Result<(), Unreadable> {
        self.done.push((root, std::mem::take(&mut self.current)));
        Ok(())
    }
}

fn explain<R: Record + ?Sized>(evaluation: &mut Evaluation<'_, R>, clause: &Clause) -> Explained {
    let holds = evaluation.clause(clause);
    let mut all = |parts: &[Clause]| -> Vec<Explained> {
        parts.iter().map(|part| explain(evaluation, part)).collect()
    };
    let what = match clause {
        Clause::All(parts) => What::All(all(parts)),
        Clause::Any(parts) => What::Any(all(parts)),
        Clause::Not(part) => What::Not(Box::new(explain(evaluation, part))),
        Clause::Named(name, part) => What::Named(name.clone(), Box::new(explain(evaluation, part))),
        Clause::Nested(number) => {
            let (mut objects, mut object) = (0, None::<Box<Explained>>);
            let _ = evaluation.each_object(*number, &mut |inner, _, holds| {
                objects += 1;
                if object.as_ref().is_none_or(|known| holds && !known.holds) {
                    object = Some(Box::new(explain(inner, &inner.plan.clauses[0])));
                }
                ControlFlow::Continue(())
            });
            What::Nested {
                path: evaluation.plan.nested[*number].path.clone(),
                objects,
                object,
            }
        }
        Clause::Predicate(id) => {
            let field = evaluation.plan.predicates.list[*id as usize].field;
            let (mut values, mut more) = (Vec::new(), false);
            evaluation.each_value(field, &mut |_, value, _, _| {
                if values.len() == MOST_VALUES {
                    more = true;
                    return ControlFlow::Break(());
                }
                values.push(String::from_utf8_lossy(value.text).into_owned());
                ControlFlow::Continue(())
            });
            What::Predicate {
                id: evaluation.first + *id,
                values,
                more,
            }
        }
    };
    Explained { holds, what }
}
