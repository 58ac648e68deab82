//! Records that generated rules are about.

use super::{Generated, Query, Value};
use crate::traffic::rng::Rng;

impl Generated {
    /// A line with a record, as an ECS document with dotted keys, for which the query holds; with
    /// `faults` (0 to 1) as the share of what it asks for that the record has not. The same seed gives the same
    /// record.
    pub fn record(&self, seed: u64, faults: f64) -> String {
        let mut rng = Rng::new(seed);
        let mut members: Vec<(&str, Vec<String>)> = Vec::new();
        fill(&self.query, &mut rng, faults, &mut members);
        let members = members
            .iter()
            .map(|(field, values)| match values.as_slice() {
                [value] => format!("{field:?}:{value}"),
                values => format!("{field:?}:[{}]", values.join(",")),
            });
        let members: Vec<String> = members.collect();
        format!("{{\"event.id\":\"{seed:x}\",{}}}", members.join(","))
    }
}

fn fill<'q>(
    query: &'q Query,
    rng: &mut Rng,
    faults: f64,
    members: &mut Vec<(&'q str, Vec<String>)>,
) {
    match query {
        Query::All(parts) => parts
            .iter()
            .for_each(|part| fill(part, rng, faults, members)),
        Query::Any(parts) => fill(rng.pick(parts), rng, faults, members),
        Query::Not(_) => {}
        Query::Has(field, values) => {
            if rng.chance(faults) {
                return;
            }
            let value = rng.pick(values).json();
            match members.iter_mut().find(|(known, _)| known == field) {
                Some((_, known)) => known.push(value),
                None => members.push((field, vec![value])),
            }
        }
    }
}

impl Value {
    /// A JSON value that it admits.
    fn json(&self) -> String {
        match self {
            Value::Text(text) => format!("{text:?}"),
            Value::Pattern(text) => format!("{:?}", text.replace('*', "-Xx ")),
            Value::Exists => "0".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Network(address, _) => format!("\"{}.{}.7.9\"", address[0], address[1]),
        }
    }
}
