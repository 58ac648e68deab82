//! Rules × schemas, compiled once: what to look for in a record, and what to make of it.

use jiff::Timestamp;
use poseur_rule::model::{Case, Condition, Field, Part, Pattern, Rule, Test};

use crate::bits::Bits;
use crate::dispatch::Dispatch;
use crate::field::{FieldPlan, text_scalar};
use crate::kusto::Expression;
use crate::paths::{PathId, Paths};
use crate::predicates::{CompileError, PredicateSet};
use crate::program::{Clause, Node, NumberedPredicate, PredicateId, Predicates};
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
    /// The conditions on objects, by their numbers.
    pub(crate) nested: Vec<NestedPlan>,
    pub(crate) schemas: Vec<SchemaPlan>,
    pub(crate) shapes: Shapes,
    /// Everything a decision needs, for all schemas together: one walk serves them all.
    pub(crate) paths: Paths,
    /// What is reported about a match: a second walk, of matched records only.
    pub(crate) report_paths: Paths,
    /// Canonical names of all analyst fields.
    pub(crate) context_names: Vec<String>,
}

/// A condition on the objects at a path, compiled as if each object were a record.
#[derive(Debug, Clone)]
pub struct NestedPlan {
    /// Canonical name of the field that holds the objects.
    pub path: String,
    /// Has one clause, and the same schemas as the plan around it.
    pub(crate) plan: Plan,
    /// Its predicates are numbered from here in the plan around it.
    pub(crate) first: PredicateId,
}

/// The plan for records of one schema.
#[derive(Debug, Clone)]
pub struct SchemaPlan {
    /// The schema.
    pub schema: Schema,
    /// Its number in the plan.
    pub(crate) number: usize,
    /// By field number.
    pub(crate) fields: Vec<FieldPlan>,
    /// By number of a condition on objects: where these are.
    pub(crate) objects: Vec<FieldPlan>,
    /// By rule, then by condition of an exception. Rules for other logs never hold.
    pub(crate) programs: Vec<Node>,
    /// Which rules to try.
    pub(crate) dispatch: Dispatch,
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
    /// Numbers of the conditions on objects that are about this party.
    pub nested: Vec<usize>,
    /// Those of them whose objects are the party's list.
    pub lists: Vec<usize>,
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
        conditions: &[&Condition],
        schemas: Vec<Schema>,
        forced: Option<Forced>,
    ) -> Result<Plan, PlanError> {
        Plan::in_scope(rules, conditions, schemas, forced, None)
    }

    /// Compiles one condition about each of the objects at a path.
    fn of_objects(
        path: &str,
        condition: &Condition,
        schemas: &[Schema],
    ) -> Result<Plan, PlanError> {
        let schemas = schemas.iter().map(Schema::of_objects).collect();
        Plan::in_scope(&[], &[condition], schemas, None, Some(path))
    }

    fn in_scope(
        rules: &[Rule],
        conditions: &[&Condition],
        schemas: Vec<Schema>,
        forced: Option<Forced>,
        object: Option<&str>,
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
        let mut nested: Vec<NestedPlan> = Vec::new();
        let mut first = predicates.list.len();
        for (path, condition) in &predicates.nested {
            let plan = Plan::of_objects(path, condition, &schemas)?;
            let numbers = plan.predicate_count();
            nested.push(NestedPlan {
                path: path.clone(),
                plan,
                first: first as PredicateId,
            });
            first += numbers;
        }
        let mut context_names: Vec<String> = Vec::new();
        for name in rules.iter().flat_map(|rule| &rule.fields) {
            if !context_names.contains(name) {
                context_names.push(name.clone());
            }
        }
        let (mut paths, mut report_paths) = (Paths::default(), Paths::default());
        let shapes = Shapes::new(&schemas, forced, &mut paths);
        let wanted = Wanted {
            rules,
            predicates: &predicates,
            sets: &sets,
            expressions: &expressions,
            clauses: &clauses,
            nested: &nested,
            object,
            context_names: &context_names,
        };
        let schemas = schemas
            .into_iter()
            .enumerate()
            .map(|schema| SchemaPlan::new(schema, &wanted, &mut paths, &mut report_paths))
            .collect();
        paths.finish();
        report_paths.finish();
        Ok(Plan {
            predicates,
            whole,
            sets,
            clauses,
            nested,
            schemas,
            shapes,
            paths,
            report_paths,
            context_names,
        })
    }
}

impl Plan {
    /// How many predicates there are, those of conditions on objects included.
    pub(crate) fn predicate_count(&self) -> usize {
        let nested = self.nested.last();
        nested.map_or(self.predicates.list.len(), |last| {
            last.first as usize + last.plan.predicate_count()
        })
    }

    /// A predicate by its number.
    pub(crate) fn predicate(&self, id: PredicateId) -> &NumberedPredicate {
        match self.nested_with(id) {
            Some(number) => {
                let nested = &self.nested[number];
                nested.plan.predicate(id - nested.first)
            }
            None => &self.predicates.list[id as usize],
        }
    }

    /// The number of the condition on objects that has a predicate.
    pub(crate) fn nested_with(&self, id: PredicateId) -> Option<usize> {
        self.nested.iter().rposition(|nested| nested.first <= id)
    }

    /// Whether a condition on objects, or anything in one, is about a field of a party.
    fn is_about(&self, of: &str) -> bool {
        let fields = self.predicates.fields.iter();
        let inner = self.nested.iter();
        fields.clone().any(|field| is_about(field, of))
            || inner
                .clone()
                .any(|nested| is_at_or_below(&nested.path, of) || nested.plan.is_about(of))
    }
}

/// Whether a predicate on a field is about a field of a party.
fn is_about(field: &Field, of: &str) -> bool {
    match field {
        Field::Name(name) => is_at_or_below(name, of),
        Field::Column(column) => is_at_or_below(&column.name, of),
        Field::Any => true,
        Field::Like(pattern) => may_name(pattern, of),
        Field::Value(expression) => {
            let mut about = false;
            expression.columns(&mut |column| about |= is_at_or_below(&column.name, of));
            about
        }
    }
}

/// Whether a pattern may fit a name, or one below it.
fn may_name(pattern: &Pattern, name: &str) -> bool {
    let start = match pattern.parts().first() {
        Some(Part::Literal(start)) => start,
        _ => return true,
    };
    crate::pattern::fits(pattern, Case::Exact, name.as_bytes()) || is_at_or_below(start, name)
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
    rules: &'a [Rule],
    predicates: &'a Predicates,
    sets: &'a [PredicateSet],
    /// By field.
    expressions: &'a [Option<Expression>],
    clauses: &'a [Clause],
    nested: &'a [NestedPlan],
    /// Canonical name of the field that holds the objects that are judged, if they are no records.
    object: Option<&'a str>,
    context_names: &'a [String],
}

impl SchemaPlan {
    fn new(
        (number, schema): (usize, Schema),
        all: &Wanted<'_>,
        paths: &mut Paths,
        report_paths: &mut Paths,
    ) -> SchemaPlan {
        let Wanted {
            rules,
            predicates,
            sets,
            expressions,
            clauses,
            nested,
            object,
            context_names,
        } = *all;
        let scope = Scope {
            schema: &schema,
            object,
        };
        let objects = nested
            .iter()
            .map(|nested| FieldPlan::new(scope, &nested.path, paths))
            .collect();
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
        // By field: what holds for its value, if that is the same in every record.
        let constants = fields.iter().zip(sets).map(|(field, set)| {
            let mut bits = Bits::default();
            bits.reset(predicates.list.len());
            let text = field.constant()?;
            set.test(
                text_scalar(text.as_bytes()),
                Timestamp::UNIX_EPOCH,
                &mut bits,
            );
            Some(bits)
        });
        let constants: Vec<Option<Bits>> = constants.collect();
        let constant = |id: PredicateId| {
            let numbered = &predicates.list[id as usize];
            let bits = constants[numbered.field].as_ref()?;
            match numbered.predicate.test {
                Test::SameAs { .. } => None,
                Test::Null => Some(false),
                _ => Some(bits.has(id)),
            }
        };
        let cost = |id: PredicateId| fields[predicates.list[id as usize].field].cost();
        let compile = |(number, clause)| {
            let rule: Option<&Rule> = rules.get(number);
            if rule.is_some_and(|rule| !schema.sources.admit(&rule.log_source)) {
                return Node::Constant(false);
            }
            Node::compile(clause, &constant, &cost)
        };
        let programs: Vec<Node> = clauses.iter().enumerate().map(compile).collect();
        let dispatch = Dispatch::new(&programs[..rules.len()], predicates, &fields);
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
                fields: {
                    let fields = predicates.fields.iter().enumerate();
                    let about = fields.filter(|(_, field)| {
                        party.fields.iter().any(|of| is_about(field, of)) || **field == Field::Any
                    });
                    about.map(|(number, _)| number).collect()
                },
                nested: {
                    let about = nested.iter().enumerate().filter(|(_, nested)| {
                        let mut of = party.fields.iter();
                        of.any(|of| is_at_or_below(&nested.path, of) || nested.plan.is_about(of))
                    });
                    about.map(|(number, _)| number).collect()
                },
                lists: {
                    let is_list = |nested: &NestedPlan| {
                        let list = party.each.as_ref().map(|list| scope.lookup(list).paths);
                        list == Some(scope.lookup(&nested.path).paths)
                    };
                    let numbers = 0..nested.len();
                    numbers.filter(|&number| is_list(&nested[number])).collect()
                },
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
            number,
            fields,
            objects,
            programs,
            dispatch,
            context,
            summary,
            parties,
            tenants,
            schema,
        }
    }
}
