//! Calls of functions: Kusto's own, and those that the query defines.

use std::collections::{HashMap, HashSet};

use super::bind::{Binder, Frame};
use super::functions::{self, Known, Signature};
use super::scope::Value;
use super::syntax::{Lambda, LetValue, Name, Node};
use super::{Refusal, Result};
use crate::expression::{ColumnType, Function, Literal};
use crate::yaml::closest;

impl<'q> Binder<'q> {
    pub(super) fn function(&mut self, name: &Name, nodes: &[Node]) -> Result<Value> {
        let at = name.at;
        if let Some((before, lambda)) = self.lambdas.get(&name.text).copied()
            && self
                .frames
                .last()
                .is_none_or(|frame| before < frame.functions)
        {
            return self.lambda(name, before, lambda, nodes);
        }
        if let Some(value) = self.special(name, nodes)? {
            return Ok(value);
        }
        let signature = match functions::find(&name.text) {
            Known::Evaluated(signature) => signature,
            Known::Across => {
                let reason = format!(
                    "`{}` looks across records, and Poseur judges each record alone",
                    name.text
                );
                return Err(Refusal::new(at, reason));
            }
            Known::Unevaluated => {
                let reason = format!("the function `{}` is not supported", name.text);
                return Err(Refusal::unevaluated(at, reason));
            }
            Known::Unknown => {
                let near = closest(&name.text, functions::names());
                let hint = near.map_or(String::new(), |near| format!(": did you mean `{near}`?"));
                let reason = format!("`{}` is no function that Poseur knows{hint}", name.text);
                return Err(Refusal::new(at, reason));
            }
        };
        let (least, most) = signature.arguments;
        self.count(name, nodes, least, most)?;
        let mut arguments = Vec::new();
        for node in nodes {
            arguments.push(self.bind(node)?);
        }
        if let (Some(kind), Some(first)) = (signature.wants, arguments.first()) {
            self.learn(first, kind);
        }
        if signature.function == Function::Bin {
            let kind = match arguments[1].kind {
                ColumnType::TimeSpan => ColumnType::DateTime,
                _ => ColumnType::Real,
            };
            self.learn(&arguments[0], kind);
        }
        self.checked_call(at, signature, arguments)
    }

    /// Refuses a wrong number of arguments.
    pub(super) fn count(
        &self,
        name: &Name,
        nodes: &[Node],
        least: usize,
        most: usize,
    ) -> Result<()> {
        if (least..=most).contains(&nodes.len()) {
            return Ok(());
        }
        let wanted = match (least, most) {
            _ if least == most => least.to_string(),
            (_, usize::MAX) => format!("at least {least}"),
            _ => format!("{least} to {most}"),
        };
        let plural = if wanted == "1" { "" } else { "s" };
        let reason = format!(
            "`{}` takes {wanted} argument{plural} here, not {}",
            name.text,
            nodes.len()
        );
        Err(Refusal::new(name.at, reason))
    }

    /// A call of a function that is evaluated, with what must be constant checked.
    fn checked_call(
        &mut self,
        at: usize,
        signature: &Signature,
        mut arguments: Vec<Value>,
    ) -> Result<Value> {
        let kind = signature.gives.unwrap_or(arguments[0].kind);
        match signature.function {
            Function::ToText if arguments[0].kind == ColumnType::Text => {
                return Ok(arguments.remove(0));
            }
            Function::Trim | Function::TrimStart | Function::TrimEnd => {
                self.pattern(at, &arguments[0])?;
            }
            Function::ReplaceRegex => self.pattern(at, &arguments[1])?,
            Function::CountOf if arguments.len() == 3 => match arguments[2].as_text() {
                Some("regex") => self.pattern(at, &arguments[1])?,
                Some("normal") => arguments.truncate(2),
                _ => self.mismatch(at, "`countof` counts \"normal\" or \"regex\"")?,
            },
            Function::Extract => {
                self.pattern(at, &arguments[0])?;
                if !matches!(arguments[1].as_literal(), Some(Literal::Long(0..))) {
                    self.mismatch(at, "the group of `extract` must be a whole number")?;
                }
            }
            _ => {}
        }
        self.call(at, signature.function, arguments, kind)
    }

    /// A call of a function that the query defines.
    fn lambda(
        &mut self,
        name: &Name,
        functions: usize,
        lambda: &'q Lambda,
        nodes: &[Node],
    ) -> Result<Value> {
        let parameters = &lambda.parameters;
        let required = parameters.iter().filter(|one| one.default.is_none());
        self.count(name, nodes, required.count(), parameters.len())?;
        let mut values = HashMap::new();
        for (position, parameter) in parameters.iter().enumerate() {
            let node = nodes.get(position).or(parameter.default.as_ref());
            let Some(node) = node else {
                let reason = format!("the parameter `{}` is missing", parameter.name.text);
                return Err(Refusal::new(name.at, reason));
            };
            let value = self.bind(node)?;
            self.learn(&value, parameter.kind);
            values.insert(parameter.name.text.clone(), Ok(value));
        }
        let mut names = HashSet::new();
        if let Some(twice) = parameters.iter().find(|one| !names.insert(&one.name.text)) {
            let reason = format!("the parameter `{}` stands here twice", twice.name.text);
            return Err(Refusal::new(twice.name.at, reason));
        }
        self.frames.push(Frame { values, functions });
        let value = self.body(lambda);
        self.frames.pop();
        value
    }

    fn body(&mut self, lambda: &'q Lambda) -> Result<Value> {
        for statement in &lambda.lets {
            let LetValue::Value(node) = &statement.value else {
                let reason = "a function inside a function is not supported";
                return Err(Refusal::new(statement.name.at, reason));
            };
            let meaning = self.meaning(node)?;
            if let Some(frame) = self.frames.last_mut() {
                frame.values.insert(statement.name.text.clone(), meaning);
            }
        }
        self.bind(&lambda.body)
    }
}
