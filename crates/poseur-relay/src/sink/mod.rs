//! Where batches go. A kind of sink is a file here, and two small traits.

pub mod forward;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::batch::Batch;

/// A downstream.
pub trait Sink: Debug + Send + Sync {
    /// A way to it for batches that must stay in order.
    fn lane(&self) -> Box<dyn Lane>;
}

/// Delivers batches in order, one at a time.
#[async_trait]
pub trait Lane: Send {
    /// Delivers a batch; returns when the downstream has accepted it.
    ///
    /// # Errors
    /// If it has not, or nothing is known about it.
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure>;
}

/// Why a batch was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may be another time.
    Unavailable(String),
    /// It will never be.
    Refused(String),
}
