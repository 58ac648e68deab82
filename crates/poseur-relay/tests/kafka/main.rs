//! Pipelines of Kafka against librdkafka's own mock cluster, which fails when it is told to.
//!
//! The mock cluster keeps messages of transactions that are aborted, and shows them: what was aborted and read again is there
//! twice. Where that can be, tests look for each message at least once. That it is exactly once is for a real broker to
//! show.

mod faults;
mod scene;
mod sinks;
