//! Compares `poseur tag` with other programs that could do its job, as an operator would: whole processes, from file
//! to file, on the same input. Who answers wrong is not timed.
//!
//! Data flows down this list:
//!
//! - [`input`] makes the traffic and knows which records match;
//! - [`tools`] knows how each program is told to do the job;
//! - [`process`] runs one program once and says what it took;
//! - [`answer`] reads what it wrote and judges it;
//! - [`comparison`] runs all of them in turns;
//! - [`results`] are the medians and ratios, which [`table`] and [`picture`] show.

pub mod answer;
pub mod comparison;
pub mod error;
pub mod input;
pub mod machine;
pub mod picture;
pub mod process;
pub mod results;
pub mod rule;
pub mod statistics;
pub mod table;
pub mod tools;

pub use error::Error;
