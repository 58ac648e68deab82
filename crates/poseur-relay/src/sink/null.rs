//! Nowhere: everything is accepted and forgotten.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Failure, Lane, Sink};
use crate::batch::{Batch, Form};

/// Nowhere. For trials and measurements.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NullSink")]
pub struct Config {}

/// Nowhere.
#[derive(Debug)]
pub struct Null;

impl Sink for Null {
    fn form(&self) -> Form {
        Form::Any
    }

    fn lane(&self) -> Box<dyn Lane> {
        Box::new(Null)
    }
}

#[async_trait]
impl Lane for Null {
    async fn deliver(&mut self, _: &Batch) -> Result<(), Failure> {
        Ok(())
    }
}
