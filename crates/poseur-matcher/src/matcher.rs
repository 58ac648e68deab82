//! The matcher: rules and exceptions compiled for every schema; decides about one record.

use jiff::Timestamp;
use poseur_rule::exception::{Exception, Ground};
use poseur_rule::model::Rule;

use crate::evaluate::{Evaluation, State};
use crate::field::{Object, Texts};
use crate::found::Found;
use crate::plan::{Plan, PlanError, SchemaPlan};
use crate::program::{NumberedPredicate, PredicateId};
use crate::record::{Handle, Record, Unreadable};
use crate::report::{self, Reporter};
use crate::schema::Schema;
use crate::shape::Forced;
use crate::traverse::{Judge, Traversal};
use crate::trust::{Exceptions, TrustScratch};
use crate::verdict::{Match, Suppressed, Verdict};
use crate::witness::Witness;

/// Rules and exceptions compiled for a set of schemas. Shared between threads; what changes with
/// every record is in a [`Scratch`].
#[derive(Debug)]
pub struct Matcher {
    rules: Vec<Rule>,
    /// By rule: its analyst fields.
    context: Vec<Vec<usize>>,
    exceptions: Vec<Exception>,
    exception_plans: Vec<ExceptionPlan>,
    /// By rule: numbers of the exceptions that concern it.
    concerning: Vec<Vec<usize>>,
    pub(crate) plan: Plan,
}

/// What of an exception is compiled.
#[derive(Debug)]
pub(crate) struct ExceptionPlan {
    /// The number of a Sigma filter's condition.
    pub filter: Option<usize>,
}

/// Why a set of rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// No schema has the name.
    #[error("there is no schema `{name}`; known are {}", known.join(", "))]
    UnknownSchema {
        /// As given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A rule cannot be compiled.
    #[error("field `{}`: {}", .0.field, .0.reason)]
    Plan(#[from] PlanError),
}

impl Matcher {
    /// Compiles rules and exceptions. `schema` names the one schema that all records have; `None`
    /// recognises the shape of each.
    ///
    /// # Errors
    /// If a rule cannot be compiled, or the schema is not known.
    pub fn new(
        rules: Vec<Rule>,
        exceptions: Vec<Exception>,
        schemas: Vec<Schema>,
        schema: Option<&str>,
    ) -> Result<Matcher, MatcherError> {
        let forced = match schema {
            None | Some("auto") => None,
            Some("envelope") => Some(Forced::Envelope),
            Some(name) => Some(flat_schema(&schemas, name)?),
        };
        let mut conditions = Vec::new();
        let exception_plans = exceptions
            .iter()
            .map(|exception| ExceptionPlan {
                filter: match &exception.ground {
                    Ground::Unless(condition) => {
                        conditions.push(condition);
                        Some(rules.len() + conditions.len() - 1)
                    }
                    Ground::Trusted(_) => None,
                },
            })
            .collect();
        let plan = Plan::new(&rules, &conditions, schemas, forced)?;
        let context = rules
            .iter()
            .map(|rule| plan.context_of(&rule.fields))
            .collect();
        let concerning = rules.iter().map(|rule| {
            let numbered = exceptions.iter().enumerate();
            let concerning = numbered.filter(|(_, exception)| exception.concerns(&rule.id));
            concerning.map(|(number, _)| number).collect()
        });
        Ok(Matcher {
            concerning: concerning.collect(),
            rules,
            context,
            exceptions,
            exception_plans,
            plan,
        })
    }

    /// The rules, by number.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The exceptions, by number.
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// The schemas, in the order they are tried.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        self.plan.schemas.iter().map(|plan| &plan.schema)
    }

    /// A predicate by its number.
    pub fn predicate(&self, id: PredicateId) -> &NumberedPredicate {
        self.plan.predicate(id)
    }

    /// How many distinct predicates and fields the rules have.
    pub fn size(&self) -> (usize, usize) {
        (
            self.plan.predicate_count(),
            self.plan.predicates.fields.len(),
        )
    }

    /// Canonical names of the analyst fields, as [`Verdict::context`] numbers them.
    pub fn context_names(&self) -> &[String] {
        &self.plan.context_names
    }

    /// Literals of which every record that matches any rule contains at least one, unless it spells
    /// characters with escapes. `None`: there are none, every record must be looked at.
    pub fn witnesses(&self) -> Option<Vec<Witness>> {
        self.plan.witnesses(self.rules.len())
    }

    /// The same for one rule.
    pub fn witnesses_of(&self, rule: usize) -> Option<Vec<String>> {
        self.plan.witnesses_of(rule)
    }

    /// Decides about every record of a document, in order: `visit` gets each record that matched,
    /// or would have but for exceptions, with the verdict. Where a document is a batch, records are
    /// its elements.
    ///
    /// # Errors
    /// If the document cannot be read, or `visit` says so.
    pub fn decide<R: Record + ?Sized>(
        &self,
        record: &R,
        now: Timestamp,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(Handle, &Verdict) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let Scratch {
            traversal,
            decision,
        } = scratch;
        decision.verdict.clear();
        let mut judge = Decide {
            matcher: self,
            now,
            decision,
            visit,
        };
        traversal.document(&self.plan, record, &mut judge)
    }
}

fn flat_schema(schemas: &[Schema], name: &str) -> Result<Forced, MatcherError> {
    let flat = |schema: &&Schema| schema.payload == Default::default();
    let found = schemas
        .iter()
        .position(|schema| schema.name == name && flat(&schema));
    found.map(Forced::Flat).ok_or_else(|| {
        let known = schemas
            .iter()
            .filter(flat)
            .map(|schema| schema.name.clone());
        let known = ["auto".to_owned()].into_iter().chain(known);
        MatcherError::UnknownSchema {
            name: name.to_owned(),
            known: known.chain(["envelope".to_owned()]).collect(),
        }
    })
}

/// What changes with every record: one for each thread.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) traversal: Traversal,
    decision: Decision,
}

#[derive(Debug)]
struct Decision {
    state: State,
    texts: Texts,
    /// Numbers of the rules that the record is tried on.
    tried: Vec<u32>,
    report: Found,
    satisfied: Vec<PredicateId>,
    trust: TrustScratch,
    verdict: Verdict,
    with_summary: bool,
    with_unmatched: bool,
}

impl Scratch {
    /// For records decided by this matcher.
    pub fn new(matcher: &Matcher) -> Scratch {
        Scratch {
            traversal: Traversal::new(&matcher.plan),
            decision: Decision {
                state: State::default(),
                texts: Texts::default(),
                tried: Vec::new(),
                report: Found::new(matcher.plan.report_paths.len()),
                satisfied: Vec::new(),
                trust: TrustScratch::new(&matcher.plan),
                verdict: Verdict::default(),
                with_summary: false,
                with_unmatched: false,
            },
        }
    }

    /// Visit the records that nothing can be said about, too: with an empty verdict.
    pub fn with_unmatched(mut self) -> Scratch {
        self.decision.with_unmatched = true;
        self
    }

    /// Fill in [`Verdict::summary`] as well.
    pub fn with_summary(mut self) -> Scratch {
        self.decision.with_summary = true;
        self
    }
}

struct Decide<'a> {
    matcher: &'a Matcher,
    now: Timestamp,
    decision: &'a mut Decision,
    visit: &'a mut dyn FnMut(Handle, &Verdict) -> Result<(), Unreadable>,
}

impl Judge for Decide<'_> {
    fn judge<R: Record + ?Sized>(
        &mut self,
        record: &R,
        root: Handle,
        schema: &SchemaPlan,
        found: &Found,
    ) -> Result<(), Unreadable> {
        let Decide {
            matcher,
            now,
            decision,
            ..
        } = self;
        let Decision {
            state,
            texts,
            tried,
            report,
            satisfied,
            trust,
            verdict,
            with_summary,
            ..
        } = &mut **decision;
        let plan = &matcher.plan;
        let object = Object {
            record,
            root,
            found,
            now: *now,
        };
        schema.dispatch.rules(&schema.fields, object, texts, tried);
        if tried.is_empty() {
            return Ok(());
        }
        let mut evaluation = Evaluation::new(plan, schema, record, root, found, *now, state);
        let mut reported = false;
        for rule in tried.iter().map(|&rule| rule as usize) {
            if !evaluation.holds(&schema.programs[rule]) {
                continue;
            }
            if !reported {
                report.clear();
                record.walk_matched(root, &plan.report_paths, report)?;
                reported = true;
            }
            let concerning = &matcher.concerning[rule];
            if !concerning.is_empty() {
                let exceptions = Exceptions {
                    all: &matcher.exceptions,
                    plans: &matcher.exception_plans,
                    concerning,
                    now: *now,
                };
                let suppressing = exceptions.suppressing(rule, &mut evaluation, report, trust);
                if !suppressing.is_empty() {
                    for &exception in suppressing {
                        let suppressed = Suppressed { rule, exception };
                        if !verdict.suppressed.contains(&suppressed) {
                            verdict.suppressed.push(suppressed);
                        }
                    }
                    continue;
                }
            }
            if verdict.rules().any(|known| known == rule) {
                continue;
            }
            satisfied.clear();
            report::satisfying(&mut evaluation, &plan.clauses[rule], satisfied);
            let on = report::values(&mut evaluation, satisfied, verdict);
            verdict.matches.push(Match { rule, on });
            let object = Object {
                found: report,
                ..evaluation.object()
            };
            let mut reporter = Reporter { object, texts };
            reporter.context(schema, &matcher.context[rule], verdict);
        }
        if reported && *with_summary {
            let object = Object {
                found: report,
                ..evaluation.object()
            };
            Reporter { object, texts }.summary(schema, verdict);
        }
        Ok(())
    }

    fn finish(&mut self, root: Handle) -> Result<(), Unreadable> {
        let verdict = &mut self.decision.verdict;
        if verdict.is_empty() && !self.decision.with_unmatched {
            return Ok(());
        }
        // An envelope's payloads may have added theirs in any order.
        verdict.matches.sort_unstable_by_key(|found| found.rule);
        let outcome = (self.visit)(root, verdict);
        verdict.clear();
        outcome
    }
}
