//! Exceptions applied: is every party that satisfied a rule trusted?

use std::ops::ControlFlow;

use jiff::Timestamp;
use poseur_rule::exception::{Exception, Ground, Trusted};

use crate::evaluate::Evaluation;
use crate::field::{FieldPlan, Texts};
use crate::found::Found;
use crate::matcher::ExceptionPlan;
use crate::plan::{Element, Identity};
use crate::program::PredicateId;
use crate::record::{Handle, Kind, Record};
use crate::report::with_document;

/// The exceptions in force for one rule, and which of them were needed.
pub(crate) struct Trust<'a> {
    exceptions: &'a [Exception],
    /// Numbers of the exceptions in force.
    active: Vec<usize>,
    used: Vec<usize>,
}

impl<'a> Trust<'a> {
    pub fn new(exceptions: &'a [Exception], rule: &str, now: Timestamp) -> Trust<'a> {
        let active = exceptions.iter().enumerate().filter(|(_, exception)| {
            exception.is_active(now) && exception.concerns(rule)
        });
        Trust {
            exceptions,
            active: active.map(|(number, _)| number).collect(),
            used: Vec::new(),
        }
    }

    /// The exceptions that suppress a match; empty if it stands.
    ///
    /// `satisfied` are the predicates that the match rests on; `report` is the record's second walk.
    pub fn suppressing<R: Record + ?Sized>(
        mut self,
        evaluation: &mut Evaluation<'_, R>,
        plans: &[ExceptionPlan],
        satisfied: &[PredicateId],
        report: &Found,
    ) -> Vec<usize> {
        for &number in &self.active {
            if let Some(filter) = plans[number].filter
                && !evaluation.holds(&evaluation.schema.programs[filter])
            {
                return vec![number];
            }
        }
        let trusts_parties =
            |number: &usize| matches!(self.exceptions[*number].ground, Ground::Trusted(_));
        self.active.retain(trusts_parties);
        if !self.active.is_empty() && self.all_trusted(evaluation, satisfied, report) {
            self.used.sort_unstable();
            self.used.dedup();
            return self.used;
        }
        Vec::new()
    }

    fn all_trusted<R: Record + ?Sized>(
        &mut self,
        evaluation: &mut Evaluation<'_, R>,
        satisfied: &[PredicateId],
        report: &Found,
    ) -> bool {
        let schema = evaluation.schema;
        let mut anybody = false;
        for &predicate in satisfied {
            let field = evaluation.plan.predicates.list[predicate as usize].field;
            for party in schema.parties.iter().filter(|party| party.fields.contains(&field)) {
                anybody = true;
                let trusted = match &party.identity {
                    Identity::Each { list, element } => {
                        self.elements(evaluation, predicate, report, report.values(*list), element)
                    }
                    identity => self.by_fields(evaluation, identity, report),
                };
                if !trusted {
                    return false;
                }
            }
        }
        if anybody {
            return true;
        }
        // The rule rests on nobody's identity: it is about whoever acted.
        let actor = schema.parties.iter().find_map(|party| match &party.identity {
            identity @ Identity::Fields { .. } => Some(identity),
            Identity::Each { .. } => None,
        });
        actor.is_some_and(|identity| self.by_fields(evaluation, identity, report))
    }

    /// Whether a party that fields identify is trusted.
    fn by_fields<R: Record + ?Sized>(
        &mut self,
        evaluation: &mut Evaluation<'_, R>,
        identity: &Identity,
        report: &Found,
    ) -> bool {
        let Identity::Fields { email, tenant, member } = identity else {
            return false;
        };
        let mut emails = Vec::new();
        if let Some(field) = email {
            emails = texts_of(evaluation, field, report);
            if self.every(&emails, Trusted::trusts_email) {
                return true;
            }
        }
        let mut tenants = Vec::new();
        if let Some(field) = tenant {
            tenants = texts_of(evaluation, field, report);
        }
        if let Some((list, element)) = member {
            for list in report.values(*list) {
                each_element(evaluation.record, list, &mut |record, value| {
                    let (addresses, ids) = identity_of(record, value, element);
                    let same = addresses.iter().any(|address| {
                        emails.iter().any(|email| email.eq_ignore_ascii_case(address))
                    });
                    if same {
                        tenants.extend(ids);
                    }
                });
            }
        }
        if tenants.is_empty()
            && let Some(everybody) = &evaluation.schema.tenants
        {
            tenants = texts_of(evaluation, everybody, report);
        }
        self.every(&tenants, Trusted::trusts_tenant)
    }

    /// Whether every element that satisfies a predicate by itself is trusted, and there is one.
    fn elements<R: Record + ?Sized>(
        &mut self,
        evaluation: &mut Evaluation<'_, R>,
        predicate: PredicateId,
        report: &Found,
        lists: impl Iterator<Item = Handle>,
        element: &Element,
    ) -> bool {
        let field = evaluation.plan.predicates.list[predicate as usize].field;
        let everybody = evaluation.schema.tenants.as_ref();
        let everybody = everybody.map(|field| texts_of(evaluation, field, report));
        let (mut somebody, mut all) = (false, true);
        for list in lists {
            each_element(evaluation.record, list, &mut |record, value| {
                if !evaluation.element_satisfies(record, value, field, predicate) {
                    return;
                }
                somebody = true;
                let (emails, mut tenants) = identity_of(record, value, element);
                if tenants.is_empty() {
                    tenants.extend(everybody.iter().flatten().cloned());
                }
                all &= self.every(&emails, Trusted::trusts_email)
                    || self.every(&tenants, Trusted::trusts_tenant);
            });
        }
        somebody && all
    }

    /// Whether there are names, and each is trusted by some exception in force.
    fn every(&mut self, names: &[String], trusts: fn(&Trusted, &str) -> bool) -> bool {
        let before = self.used.len();
        let all = !names.is_empty()
            && names.iter().all(|name| {
                let by = self.active.iter().find(|&&number| {
                    match &self.exceptions[number].ground {
                        Ground::Trusted(trusted) => trusts(trusted, name),
                        Ground::Unless(_) => false,
                    }
                });
                self.used.extend(by);
                by.is_some()
            });
        if !all {
            self.used.truncate(before);
        }
        all
    }
}

/// The texts of a field; bytes that are not UTF-8 make a text nobody trusts.
fn texts_of<R: Record + ?Sized>(
    evaluation: &Evaluation<'_, R>,
    field: &FieldPlan,
    report: &Found,
) -> Vec<String> {
    let mut names = Vec::new();
    let _ = field.values(
        evaluation.record,
        evaluation.root,
        report,
        &mut Texts::default(),
        &mut |value, _| {
            names.push(String::from_utf8_lossy(value.text).into_owned());
            ControlFlow::Continue(())
        },
    );
    names
}

/// Visits the elements of a list that stands in the record or, as JSON, in one of its strings.
fn each_element<R: Record + ?Sized>(
    record: &R,
    list: Handle,
    visit: &mut dyn FnMut(&dyn Record, Handle),
) {
    with_document(record, list, &mut |record, list| {
        let _ = record.elements(list, &mut |element| {
            visit(record, element);
            ControlFlow::Continue(())
        });
    });
}

/// Addresses and tenant ids of an element.
fn identity_of(record: &dyn Record, value: Handle, element: &Element) -> (Vec<String>, Vec<String>) {
    let mut found = Found::new(element.paths.len());
    if record.kind(value) != Kind::Map || record.walk(value, &element.paths, &mut found).is_err() {
        return Default::default();
    }
    let mut scratch = Vec::new();
    let mut texts = |path: Option<crate::paths::PathId>| {
        let mut texts = Vec::new();
        for value in path.iter().flat_map(|&path| found.values(path)) {
            let _ = crate::field::leaves(record, value, &mut scratch, &mut |leaf, _| {
                texts.push(String::from_utf8_lossy(leaf.text).into_owned());
                ControlFlow::Continue(())
            });
        }
        texts
    };
    (texts(element.email), texts(element.tenant))
}
