//! Exceptions applied: is every party that satisfied a rule trusted?

use std::ops::ControlFlow;

use jiff::Timestamp;
use poseur_rule::exception::{Exception, Ground, Trusted};
use poseur_rule::model::{Field, Test};

use crate::evaluate::Evaluation;
use crate::field::{FieldPlan, Object, Texts, leaves};
use crate::found::Found;
use crate::matcher::ExceptionPlan;
use crate::paths::PathId;
use crate::plan::{Element, Identity, Plan, SchemaPlan};
use crate::program::PredicateId;
use crate::record::{Handle, Kind, Record};
use crate::report::{positive, with_document};

/// Whether a set of names holds one of a kind.
type Trusts = fn(&Trusted, &str) -> bool;

/// Memory for asking about trust. Reused from match to match.
#[derive(Debug)]
pub(crate) struct TrustScratch {
    /// Predicates that the match rests on.
    basis: Vec<PredicateId>,
    /// Exceptions that were needed so far.
    used: Vec<usize>,
    /// The exceptions that trust everybody who takes part; none if somebody is not trusted.
    everybody: Vec<usize>,
    /// Addresses of a party that fields identify.
    emails: Texts,
    /// Its tenants, or everybody's.
    tenants: Texts,
    /// Objects that satisfy a condition.
    objects: Vec<Handle>,
    /// The keys of an element of a list.
    element: Found,
    /// One text of an element.
    text: Vec<u8>,
}

impl TrustScratch {
    /// For the schemas of a plan.
    pub fn new(plan: &Plan) -> TrustScratch {
        let parties = plan.schemas.iter().flat_map(|schema| &schema.parties);
        let elements = parties.filter_map(|party| party.identity.element());
        let most = elements.map(|element| element.paths.len()).max();
        TrustScratch {
            basis: Vec::new(),
            used: Vec::new(),
            everybody: Vec::new(),
            emails: Texts::default(),
            tenants: Texts::default(),
            objects: Vec::new(),
            element: Found::new(most.unwrap_or_default()),
            text: Vec::new(),
        }
    }
}

/// The exceptions for one rule.
#[derive(Clone, Copy)]
pub(crate) struct Exceptions<'a> {
    pub all: &'a [Exception],
    pub plans: &'a [ExceptionPlan],
    /// Numbers of those that concern the rule.
    pub concerning: &'a [usize],
    pub now: Timestamp,
}

impl<'a> Exceptions<'a> {
    /// The exceptions that suppress a match of a rule; none if it stands. `report` is the record's
    /// second walk.
    pub fn suppressing<'s, R: Record + ?Sized>(
        self,
        rule: usize,
        evaluation: &mut Evaluation<'_, R>,
        report: &Found,
        scratch: &'s mut TrustScratch,
    ) -> &'s [usize] {
        scratch.used.clear();
        let schema = evaluation.schema;
        let filter = self.in_force().find(|&number| {
            let filter = self.plans[number].filter;
            filter.is_some_and(|filter| !evaluation.holds(&schema.programs[filter]))
        });
        if let Some(filter) = filter {
            scratch.used.push(filter);
        } else if self.in_force().any(|number| self.trusted(number).is_some()) {
            scratch.basis.clear();
            positive(
                evaluation,
                &evaluation.plan.clauses[rule],
                &mut scratch.basis,
            );
            let basis = std::mem::take(&mut scratch.basis);
            let mut parties = Parties::new(self, evaluation, report, scratch);
            let trusted = parties.all_trusted(&basis);
            scratch.basis = basis;
            if !trusted {
                scratch.used.clear();
            }
            scratch.used.sort_unstable();
            scratch.used.dedup();
        }
        &scratch.used
    }

    fn in_force(self) -> impl Iterator<Item = usize> + 'a {
        let concerning = self.concerning.iter().copied();
        concerning.filter(move |&number| self.all[number].is_active(self.now))
    }

    /// Whom an exception trusts, if that is its ground.
    fn trusted(self, number: usize) -> Option<&'a Trusted> {
        match &self.all[number].ground {
            Ground::Trusted(trusted) => Some(trusted),
            Ground::Unless(_) => None,
        }
    }

    /// Asks about names, which `visit` hands on one by one. True if there are any and each is
    /// trusted by some exception in force; those exceptions are then added to `used`.
    fn trust_each(
        self,
        trusts: Trusts,
        used: &mut Vec<usize>,
        visit: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) -> bool {
        let before = used.len();
        let (mut any, mut all) = (false, true);
        visit(&mut |name| {
            any = true;
            // What is not UTF-8 is nobody's name.
            let by = std::str::from_utf8(name).ok().and_then(|name| {
                let trusts = |trusted| trusts(trusted, name);
                self.in_force()
                    .find(|&number| self.trusted(number).is_some_and(trusts))
            });
            all &= by.is_some();
            used.extend(by);
        });
        if !(any && all) {
            used.truncate(before);
        }
        any && all
    }
}

/// The parties of one match.
struct Parties<'q, 'e, R: ?Sized> {
    exceptions: Exceptions<'q>,
    evaluation: &'q mut Evaluation<'e, R>,
    report: &'q Found,
    scratch: &'q mut TrustScratch,
}

impl<'q, 'e, R: Record + ?Sized> Parties<'q, 'e, R> {
    fn new(
        exceptions: Exceptions<'q>,
        evaluation: &'q mut Evaluation<'e, R>,
        report: &'q Found,
        scratch: &'q mut TrustScratch,
    ) -> Self {
        let TrustScratch {
            everybody, tenants, ..
        } = scratch;
        everybody.clear();
        if let Some(field) = &evaluation.schema.tenants {
            exceptions.trust_each(Trusted::trusts_tenant, everybody, |name| {
                each_text(evaluation, field, report, tenants, name);
            });
        }
        Parties {
            exceptions,
            evaluation,
            report,
            scratch,
        }
    }

    /// Whether each party that one of the predicates rests on is trusted.
    fn all_trusted(&mut self, predicates: &[PredicateId]) -> bool {
        let (plan, schema): (&Plan, &SchemaPlan) = (self.evaluation.plan, self.evaluation.schema);
        let mut anybody = false;
        for &predicate in predicates {
            if let Some(nested) = plan.nested_with(predicate) {
                for party in &schema.parties {
                    if !party.nested.contains(&nested) {
                        continue;
                    }
                    let trusted = match &party.identity {
                        Identity::Each { element, .. } if party.lists.contains(&nested) => {
                            self.objects(nested, element)
                        }
                        // Who of several is meant is not known.
                        _ => false,
                    };
                    if !trusted {
                        return false;
                    }
                    anybody = true;
                }
                continue;
            }
            let numbered = &plan.predicates.list[predicate as usize];
            if numbered.predicate.test == Test::Null {
                // Nobody satisfies a rule by not being there.
                continue;
            }
            for party in &schema.parties {
                if !party.fields.contains(&numbered.field) {
                    continue;
                }
                let trusted = match &party.identity {
                    Identity::Each { list, element } => self.elements(predicate, *list, element),
                    Identity::Fields(fields) => Some(self.by_fields(fields)),
                };
                match trusted {
                    Some(true) => anybody = true,
                    Some(false) => return false,
                    // The value that satisfied it stands somewhere else.
                    None if matches!(numbered.predicate.field, Field::Any | Field::Like(_)) => {}
                    // It takes several elements together.
                    None => return false,
                }
            }
        }
        if anybody {
            return true;
        }
        // The rule rests on nobody's identity: it is about whoever acted.
        let actor = schema
            .parties
            .iter()
            .find_map(|party| match &party.identity {
                Identity::Fields(fields) => Some(fields),
                Identity::Each { .. } => None,
            });
        actor.is_some_and(|fields| self.by_fields(fields))
    }

    /// Whether the party that fields identify is trusted: by its address, or by its tenant. Where
    /// the record has several addresses, each is a party.
    fn by_fields(&mut self, fields: &crate::plan::Fields) -> bool {
        let mut emails = std::mem::take(&mut self.scratch.emails);
        let (mut any, mut all) = (false, true);
        if let Some(field) = &fields.email {
            let object = Object {
                found: self.report,
                ..self.evaluation.object()
            };
            let _ = field.values(object, &mut emails, &mut |value, _| {
                any = true;
                all = self.by_address(value.text) || self.by_tenant(fields, Some(value.text));
                if all {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
        }
        self.scratch.emails = emails;
        if any {
            all
        } else {
            self.by_tenant(fields, None)
        }
    }

    fn by_address(&mut self, address: &[u8]) -> bool {
        let used = &mut self.scratch.used;
        self.exceptions
            .trust_each(Trusted::trusts_email, used, |name| name(address))
    }

    /// Whether the tenant of the party with an address is trusted.
    fn by_tenant(&mut self, fields: &crate::plan::Fields, address: Option<&[u8]>) -> bool {
        let mut known = false;
        if let Some(field) = &fields.tenant {
            let TrustScratch { used, tenants, .. } = &mut *self.scratch;
            let trusted = self
                .exceptions
                .trust_each(Trusted::trusts_tenant, used, |name| {
                    each_text(self.evaluation, field, self.report, tenants, &mut |text| {
                        known = true;
                        name(text);
                    });
                });
            if known {
                return trusted;
            }
        }
        let mut all = true;
        if let (Some((list, element)), Some(address)) = (&fields.member, address) {
            let record = self.evaluation.record;
            for list in self.report.values(*list) {
                each_element(record, list, &mut |record, value| {
                    self.read(record, value, element);
                    let mut same = false;
                    self.each_name(record, element.email, &mut |email| {
                        same |= email.eq_ignore_ascii_case(address);
                    });
                    if same {
                        known = true;
                        all &= self.element_by_tenant(record, element);
                    }
                });
            }
        }
        if known { all } else { self.by_everybody() }
    }

    /// Whether every element of a list that satisfies a predicate by itself is trusted; `None` if
    /// no element does.
    fn elements(
        &mut self,
        predicate: PredicateId,
        list: PathId,
        element: &Element,
    ) -> Option<bool> {
        let field = self.evaluation.plan.predicates.list[predicate as usize].field;
        let (record, report) = (self.evaluation.record, self.report);
        let (mut somebody, mut all) = (false, true);
        for value in report.values(list) {
            each_element(record, value, &mut |record, value| {
                if all
                    && self
                        .evaluation
                        .element_satisfies(record, value, field, predicate)
                {
                    somebody = true;
                    all = self.element(record, value, element);
                }
            });
        }
        // Under a dotted key that goes on below the list, nobody in particular stands.
        for value in report.values_beyond(list) {
            record.with_dyn(&mut |record| {
                if all
                    && self
                        .evaluation
                        .element_satisfies(record, value, field, predicate)
                {
                    somebody = true;
                    all = self.by_everybody();
                }
            });
        }
        somebody.then_some(all)
    }

    /// Whether every object of a list that satisfies a condition is trusted.
    fn objects(&mut self, nested: usize, element: &Element) -> bool {
        let mut objects = std::mem::take(&mut self.scratch.objects);
        objects.clear();
        let _ = self
            .evaluation
            .each_object(nested, &mut |_, object, holds| {
                if holds {
                    objects.push(object);
                }
                ControlFlow::Continue(())
            });
        let mut all = true;
        self.evaluation.record.with_dyn(&mut |record| {
            let mut objects = objects.iter();
            all = objects.all(|&object| self.element(record, object, element));
        });
        self.scratch.objects = objects;
        all
    }

    /// Whether the party that an element is is trusted: by each of its addresses, or its tenant.
    fn element(&mut self, record: &dyn Record, value: Handle, element: &Element) -> bool {
        self.read(record, value, element);
        let mut used = std::mem::take(&mut self.scratch.used);
        let trusted = self
            .exceptions
            .trust_each(Trusted::trusts_email, &mut used, |name| {
                self.each_name(record, element.email, name);
            });
        self.scratch.used = used;
        trusted || self.element_by_tenant(record, element)
    }

    /// Whether the tenant of the element that was read last is trusted.
    fn element_by_tenant(&mut self, record: &dyn Record, element: &Element) -> bool {
        let mut known = false;
        let mut used = std::mem::take(&mut self.scratch.used);
        let trusted = self
            .exceptions
            .trust_each(Trusted::trusts_tenant, &mut used, |name| {
                self.each_name(record, element.tenant, &mut |text| {
                    known = true;
                    name(text);
                });
            });
        self.scratch.used = used;
        if known { trusted } else { self.by_everybody() }
    }

    /// Whether everybody who takes part is trusted: asked about a party of unknown tenant.
    fn by_everybody(&mut self) -> bool {
        let TrustScratch {
            used, everybody, ..
        } = &mut *self.scratch;
        used.extend_from_slice(everybody);
        !everybody.is_empty()
    }

    /// Reads the keys of an element; one that is no object has none.
    fn read(&mut self, record: &dyn Record, value: Handle, element: &Element) {
        let found = &mut self.scratch.element;
        found.clear();
        if record.kind(value) == Kind::Map && record.walk(value, &element.paths, found).is_err() {
            found.clear();
        }
    }

    /// Visits the texts under a key of the element that was read last, at whatever depth.
    fn each_name(
        &mut self,
        record: &dyn Record,
        key: Option<PathId>,
        visit: &mut dyn FnMut(&[u8]),
    ) {
        let Some(key) = key else { return };
        let TrustScratch { element, text, .. } = &mut *self.scratch;
        for value in element.values(key).chain(element.values_beyond(key)) {
            let _ = leaves(record, value, text, &mut |leaf, _| {
                visit(leaf.text);
                ControlFlow::Continue(())
            });
        }
    }
}

/// Visits the texts of a field.
fn each_text<R: Record + ?Sized>(
    evaluation: &Evaluation<'_, R>,
    field: &FieldPlan,
    report: &Found,
    texts: &mut Texts,
    visit: &mut dyn FnMut(&[u8]),
) {
    let object = Object {
        found: report,
        ..evaluation.object()
    };
    let _ = field.values(object, texts, &mut |value, _| {
        visit(value.text);
        ControlFlow::Continue(())
    });
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
