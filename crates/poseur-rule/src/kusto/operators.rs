//! What operators do to the columns: which there are behind them, and what they stand for.

use super::Result;
use super::bind::Binder;
use super::scope::Meaning;
use super::syntax::{self, Name, Wildcard};
use crate::expression::Expression;

impl Binder<'_> {
    /// `extend`: columns are made, all from what was there before.
    pub(super) fn extend(&mut self, columns: &[syntax::Column]) -> Result<()> {
        for (name, meaning) in self.meanings(columns)? {
            if let Some(name) = name {
                self.columns.set(&name, meaning);
            }
        }
        Ok(())
    }

    /// `project`, `distinct`: these columns and no others.
    pub(super) fn project(
        &mut self,
        operator: &'static str,
        columns: &[syntax::Column],
    ) -> Result<()> {
        let meanings = self.meanings(columns)?;
        self.columns.filter(operator, true, Vec::new());
        for (name, meaning) in meanings {
            if let Some(name) = name {
                self.columns.set(&name, meaning);
            }
        }
        Ok(())
    }

    fn meanings(&mut self, columns: &[syntax::Column]) -> Result<Vec<(Option<String>, Meaning)>> {
        let meaning = |column: &syntax::Column| {
            let name = column.name.as_ref().map(|name| name.text.clone());
            Ok((name, self.meaning(&column.value)?))
        };
        columns.iter().map(meaning).collect()
    }

    /// `project-rename`: new names for old columns.
    pub(super) fn rename(&mut self, names: &[(Name, Name)]) -> Result<()> {
        let mut meanings = Vec::new();
        for (new, old) in names {
            let meaning = match self.column(&old.text, old.at) {
                Ok(value) => Ok(value),
                Err(refusal) if refusal.only_unevaluated => Err(refusal),
                Err(refusal) => return Err(refusal),
            };
            meanings.push((&new.text, meaning));
        }
        let gone = names.iter().map(|(_, old)| Wildcard {
            text: old.text.clone(),
        });
        self.columns.filter("project-rename", false, gone.collect());
        for (name, meaning) in meanings {
            self.columns.set(name, meaning);
        }
        Ok(())
    }

    /// The table's column that a name stands for, if it is nothing else.
    pub(super) fn plain_column(&mut self, name: &str) -> Option<String> {
        match self.column(name, 0).ok()?.expression {
            Expression::Column(column) => Some(column.name),
            _ => None,
        }
    }
}
