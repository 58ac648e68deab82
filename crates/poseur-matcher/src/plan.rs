//! Rules × schemas, compiled once: what to look for in a record, and what to make of it.

use poseur_rule::model::{Field, Rule, Test};

use crate::field::{FieldPlan, text_scalar};
use crate::kusto::Expression;
use crate::paths::{PathId, Paths};
use crate::predicates::{CompileError, PredicateSet};
use crate::program::{Clause, Node, PredicateId, Predicates};
use crate::schema::{Schema, Scope};
use crate::shape::{Forced, Shapes};

/// The compiled form of a set of rules.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) predicates: Predicates,
    /// By field: predicates that are about the field as a whole, not about one value.
    pub(crate) whole: Vec<Vec<PredicateId>>,
    /// By field: the predicates about one value.
    pub(crate) sets: Vec<PredicateSet>,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) schemas: Vec<SchemaPlan>,
    pub(crate) shapes: Shapes,
    /// Everything a decision needs, for all schemas together: one walk serves them all.
    pub(crate) paths: Paths,
    /// What is reported about a match: a second walk, of matched records only.
    pub(crate) report_paths: Paths,
    /// Canonical names of all analyst fields.
    pub(crate) context_names: Vec<String>,
}

/// The plan for records of one schema.
#[derive(Debug, Clone)]
pub struct SchemaPlan {
    /// The schema.
    pub schema: Schema,
    /// By field number.
    pub(crate) fields: Vec<FieldPlan>,
    /// By rule.
    pub(crate) programs: Vec<Node>,
    /// By context name.
    pub(crate) context: Vec<FieldPlan>,
    pub(crate) summary: SummaryPlan,
    pub(crate) parties: Vec<PartyPlan>,
    pub(crate) tenants: Option<FieldPlan>,
}

/// Compiled [`Summary`](crate::schema::Summary).
#[derive(Debug, Clone)]
pub(crate) struct SummaryPlan {
    pub time: Vec<FieldPlan>,
    pub who: Vec<FieldPlan>,
    pub whom: Vec<FieldPlan>,
    pub place: Vec<FieldPlan>,
}

/// Compiled [`Party`](crate::schema::Party).
#[derive(Debug, Clone)]
pub(crate) struct PartyPlan {
    /// Numbers of the fields that are about this party.
    pub fields: Vec<usize>,
    pub identity: Identity,
}

/// How a party is identified.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// One party of the record, by fields.
    Fields(Box<Fields>),
    /// Each element of a list is a party.
    Each { list: PathId, element: Element },
}

impl Identity {
    /// What is read of a list's elements.
    pub fn element(&self) -> Option<&Element> {
        match self {
            Identity::Fields(fields) => fields.member.as_ref().map(|(_, element)| element),
            Identity::Each { element, .. } => Some(element),
        }
    }
}

/// The fields that identify a party of the record.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub email: Option<FieldPlan>,
    pub tenant: Option<FieldPlan>,
    /// List of members, and the keys of a member's address and tenant id.
    pub member: Option<(PathId, Element)>,
}

/// Where an element's address and tenant id are.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub paths: Paths,
    pub email: Option<PathId>,
    pub tenant: Option<PathId>,
}

impl Element {
    fn new(email: Option<&str>, tenant: Option<&str>) -> Element {
        let mut paths = Paths::default();
        let email = email.map(|path| paths.add(path));
        let tenant = tenant.map(|path| paths.add(path));
        paths.finish();
        Element {
            paths,
            email,
            tenant,
        }
    }
}

/// A rule, or the condition of an exception, that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PlanError {
    /// The field whose predicates cannot be compiled.
    pub field: String,
    /// Why.
    pub reason: CompileError,
}

impl Plan {
    /// Compiles rules (and further conditions, for exceptions) for schemas in the order they are
    /// tried.
    ///
    /// # Errors
    /// If a test cannot be compiled; front ends check most of it before.
    pub fn new(
        rules: &[Rule],
        conditions: &[&poseur_rule::model::Condition],
        schemas: Vec<Schema>,
        forced: Option<Forced>,
    ) -> Result<Plan, PlanError> {
        let mut predicates = Predicates::default();
        let all = rules.iter().map(|rule| &rule.condition);
        let all = all.chain(conditions.iter().copied());
        let clauses: Vec<Clause> = all.map(|condition| predicates.number(condition)).collect();
        let mut whole = vec![Vec::new(); predicates.fields.len()];
        for (id, numbered) in predicates.list.iter().enumerate() {
            if matches!(numbered.predicate.test, Test::Null | Test::SameAs { .. }) {
                whole[numbered.field].push(id as PredicateId);
            }
        }
        let sets = compile_sets(&predicates)?;
        let expressions = compile_expressions(&predicates)?;
        let mut context_names: Vec<String> = Vec::new();
        for name in rules.iter().flat_map(|rule| &rule.fields) {
            if !context_names.contains(name) {
                context_names.push(name.clone());
            }
        }
        let (mut paths, mut report_paths) = (Paths::default(), Paths::default());
        let shapes = Shapes::new(&schemas, forced, &mut paths);
        let wanted = Wanted {
            predicates: &predicates,
            sets: &sets,
            expressions: &expressions,
            clauses: &clauses,
            context_names: &context_names,
        };
        let schemas = schemas
            .into_iter()
            .map(|schema| SchemaPlan::new(schema, &wanted, &mut paths, &mut report_paths))
            .collect();
        paths.finish();
        report_paths.finish();
        Ok(Plan {
            predicates,
            whole,
            sets,
            clauses,
            schemas,
            shapes,
            paths,
            report_paths,
            context_names,
        })
    }
}

fn is_at_or_below(name: &str, path: &str) -> bool {
    name.strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The predicates of each field; the bits are the predicates' numbers.
fn compile_sets(predicates: &Predicates) -> Result<Vec<PredicateSet>, PlanError> {
    let mut sets = vec![PredicateSet::default(); predicates.fields.len()];
    let named = |field: usize| match &predicates.fields[field] {
        Field::Name(name) => name.clone(),
        Field::Any => "(any field)".to_owned(),
        field => field.label().into_owned(),
    };
    for (id, numbered) in predicates.list.iter().enumerate() {
        sets[numbered.field].add(&numbered.predicate.test, id as PredicateId);
    }
    for (field, set) in sets.iter_mut().enumerate() {
        set.finish().map_err(|reason| PlanError {
            field: named(field),
            reason,
        })?;
    }
    Ok(sets)
}

/// By field: its expression, if it is one.
fn compile_expressions(predicates: &Predicates) -> Result<Vec<Option<Expression>>, PlanError> {
    let fields = predicates.fields.iter().map(|field| match field {
        Field::Value(expression) => {
            Expression::new(expression)
                .map(Some)
                .map_err(|reason| PlanError {
                    field: field.label().into_owned(),
                    reason,
                })
        }
        _ => Ok(None),
    });
    fields.collect()
}

/// What is compiled for every schema.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    predicates: &'a Predicates,
    sets: &'a [PredicateSet],
    /// By field.
    expressions: &'a [Option<Expression>],
    clauses: &'a [Clause],
    context_names: &'a [String],
}

impl SchemaPlan {
    fn new(
        schema: Schema,
        all: &Wanted<'_>,
        paths: &mut Paths,
        report_paths: &mut Paths,
    ) -> SchemaPlan {
        let Wanted {
            predicates,
            sets,
            expressions,
            clauses,
            context_names,
        } = *all;
        let scope = Scope {
            schema: &schema,
            object: None,
        };
        let fields = predicates.fields.iter().zip(expressions);
        let fields: Vec<FieldPlan> = fields
            .map(|(field, expression)| match (field, expression) {
                (Field::Name(name), _) => FieldPlan::new(scope, name, paths),
                (Field::Like(pattern), _) => FieldPlan::like(scope, pattern, paths),
                (Field::Column(column), _) => FieldPlan::column(scope, column, paths),
                (_, Some(expression)) => FieldPlan::value(scope, expression, paths),
                (Field::Any | Field::Value(_), None) => FieldPlan::any(),
            })
            .collect();
        let constant = |id: PredicateId| {
            let field = predicates.list[id as usize].field;
            let text = fields[field].constant()?;
            match &predicates.list[id as usize].predicate.test {
                Test::SameAs { .. } => None,
                Test::Null => Some(false),
                _ => Some(sets[field].holds_for(id, text_scalar(text.as_bytes()))),
            }
        };
        let cost = |id: PredicateId| fields[predicates.list[id as usize].field].cost();
        let programs = clauses
            .iter()
            .map(|clause| Node::compile(clause, &constant, &cost))
            .collect();
        let mut plans = |names: &[String]| -> Vec<FieldPlan> {
            let plans = names
                .iter()
                .map(|name| FieldPlan::new(scope, name, report_paths));
            plans.collect()
        };
        let context = plans(context_names);
        let summary = SummaryPlan {
            time: plans(&schema.summary.time),
            who: plans(&schema.summary.who),
            whom: plans(&schema.summary.whom),
            place: plans(&schema.summary.place),
        };
        let parties = schema
            .parties
            .iter()
            .map(|party| PartyPlan {
                fields: predicates
                    .fields
                    .iter()
                    .enumerate()
                    .filter(|(_, field)| match field {
                        Field::Name(name) => party.fields.iter().any(|of| is_at_or_below(name, of)),
                        Field::Any => true,
                        _ => false,
                    })
                    .map(|(number, _)| number)
                    .collect(),
                identity: match &party.each {
                    Some(list) => {
                        // An element's keys are found from the list's own lookup in this schema.
                        let path = schema.lookup(list).paths.swap_remove(0);
                        Identity::Each {
                            list: report_paths.add(&path),
                            element: Element::new(party.email.as_deref(), party.tenant.as_deref()),
                        }
                    }
                    None => Identity::Fields(Box::new(Fields {
                        email: party
                            .email
                            .as_ref()
                            .map(|name| FieldPlan::new(scope, name, report_paths)),
                        tenant: party
                            .tenant
                            .as_ref()
                            .map(|name| FieldPlan::new(scope, name, report_paths)),
                        member: party.member.as_ref().map(|(list, email, tenant)| {
                            let path = report_paths.add(list);
                            (path, Element::new(Some(email), Some(tenant)))
                        }),
                    })),
                },
            })
            .collect();
        let tenants = schema
            .tenants
            .as_ref()
            .map(|name| FieldPlan::new(scope, name, report_paths));
        SchemaPlan {
            schema,
            fields,
            programs,
            context,
            summary,
            parties,
            tenants,
        }
    }
}
