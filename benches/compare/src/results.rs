//! The figures of a comparison, as they are written for programs and shown to people.

use serde::Serialize;

use crate::answer::Does;
use crate::machine::Machine;
use crate::process::Usage;
use crate::statistics::{median, ratio};

/// A whole comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// When it began, in UTC.
    pub date: String,
    /// What it ran on.
    pub machine: Machine,
    /// What the records are.
    pub traffic: String,
    /// All of the input.
    pub whole: Size,
    /// What slow tools got of it.
    pub slice: Size,
    /// Where input and outputs were: a folder, and what kind of one.
    pub place: String,
    /// How many rounds there were. In each, every tool ran once.
    pub rounds: usize,
    /// The tools, in the order of the table.
    pub rows: Vec<Row>,
    /// Tools that this command knows and did not find.
    pub absent: Vec<String>,
    /// Tools that have no way to say the rule.
    pub unable: Vec<String>,
}

/// The size of an input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Size {
    /// Its bytes.
    pub bytes: u64,
    /// Its lines.
    pub lines: u64,
    /// How many of them match.
    pub matching: u64,
}

/// One tool.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does with the stream.
    pub does: Does,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a tool.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub enum Outcome {
    /// It answered right and was timed.
    Measured(Figures),
    /// It answered wrong, and was not timed.
    Wrong {
        /// What was wrong.
        reason: String,
    },
    /// It did not run.
    Failed {
        /// What it said.
        reason: String,
    },
}

/// The medians of a tool, and its ratios.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Bytes of the input it got.
    pub bytes: u64,
    /// Whether that was only the slice.
    pub on_slice: bool,
    /// The tool's runs, in order.
    pub runs: Vec<Usage>,
    /// Median seconds for a gigabyte, by the clock.
    pub wall_per_gb: f64,
    /// Median seconds of processor time for a gigabyte, user and system.
    pub cpu_per_gb: f64,
    /// Median of the peak memory, in bytes.
    pub peak: f64,
    /// Time by the clock for a byte, `cat` being 1: the median of the rounds' ratios.
    pub wall_to_cat: Option<f64>,
    /// Processor time for a byte, `poseur` on one thread being 1: the median of the rounds' ratios.
    pub cpu_to_poseur: Option<f64>,
    /// Which share of the records that are not tagged came out byte for byte. `None` if the stream does not come out.
    pub kept: Option<f64>,
}

/// What was measured of a tool, before anything is computed from it.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Bytes of the input it got.
    pub bytes: u64,
    /// Whether that was only the slice.
    pub on_slice: bool,
    /// One entry for each round.
    pub runs: Vec<Usage>,
    /// As in [`Figures`].
    pub kept: Option<f64>,
}

impl Measured {
    fn per_gb(&self, figure: fn(&Usage) -> f64) -> Vec<f64> {
        let gigabytes = self.bytes as f64 / 1e9;
        self.runs
            .iter()
            .map(|run| figure(run) / gigabytes)
            .collect()
    }

    /// The figures, beside those of `cat` and of `poseur`.
    pub fn figures(&self, cat: Option<&Measured>, poseur: Option<&Measured>) -> Figures {
        let wall = |run: &Usage| run.wall;
        let cpu = |run: &Usage| run.cpu;
        let (walls, cpus) = (self.per_gb(wall), self.per_gb(cpu));
        let peaks: Vec<f64> = self.runs.iter().map(|run| run.peak as f64).collect();
        Figures {
            bytes: self.bytes,
            on_slice: self.on_slice,
            wall_per_gb: median(&walls),
            cpu_per_gb: median(&cpus),
            peak: median(&peaks),
            wall_to_cat: cat.and_then(|cat| ratio(&walls, &cat.per_gb(wall))),
            cpu_to_poseur: poseur.and_then(|poseur| ratio(&cpus, &poseur.per_gb(cpu))),
            kept: self.kept,
            runs: self.runs.clone(),
        }
    }
}

impl Results {
    /// Whether every tool ran and answered right.
    pub fn all_agree(&self) -> bool {
        let measured = |row: &Row| matches!(row.outcome, Outcome::Measured(_));
        self.rows.iter().all(measured)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn measured(bytes: u64, runs: &[(f64, f64)]) -> Measured {
        let run = |&(wall, cpu): &(f64, f64)| Usage {
            wall,
            cpu,
            peak: 5_000_000,
        };
        Measured {
            bytes,
            runs: runs.iter().map(run).collect(),
            ..Measured::default()
        }
    }

    #[test]
    fn figures_are_for_a_gigabyte() {
        let cat = measured(2_000_000_000, &[(0.2, 0.2), (0.4, 0.4), (0.3, 0.3)]);
        let poseur = measured(2_000_000_000, &[(0.4, 0.3), (0.8, 0.6), (0.9, 0.4)]);
        let slow = measured(100_000_000, &[(1.0, 0.9), (1.2, 1.1), (1.1, 1.0)]);
        let figures = slow.figures(Some(&cat), Some(&poseur));
        assert!((figures.wall_per_gb - 11.0).abs() < 1e-9);
        assert!((figures.cpu_per_gb - 10.0).abs() < 1e-9);
        assert_eq!(figures.peak, 5e6);
        // Rounds: 10 / 0.1, 12 / 0.2, 11 / 0.15.
        assert!((figures.wall_to_cat.unwrap() - 11.0 / 0.15).abs() < 1e-9);
        // Rounds: 9 / 0.15, 11 / 0.3, 10 / 0.2.
        assert!((figures.cpu_to_poseur.unwrap() - 50.0).abs() < 1e-9);
        assert_eq!(slow.figures(None, None).wall_to_cat, None);
    }

    /// Results with a row of every kind.
    pub(crate) fn sample() -> Results {
        let cat = measured(1_000_000_000, &[(0.25, 0.25)]);
        let poseur = measured(1_000_000_000, &[(0.5, 0.45)]);
        let mut slow = measured(100_000_000, &[(5.0, 5.5)]);
        slow.on_slice = true;
        slow.kept = Some(0.9512);
        let row = |name: &str, does, outcome| Row {
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            does,
            outcome,
        };
        let figures = |of: &Measured| Outcome::Measured(of.figures(Some(&cat), Some(&poseur)));
        let size = |bytes| Size {
            bytes,
            lines: bytes / 1600,
            matching: bytes / 1_600_000,
        };
        Results {
            date: "2026-11-22 05:00 UTC".to_owned(),
            machine: Machine {
                cpu: "Some <CPU> & more".to_owned(),
                cores: 2,
                memory: 24 << 30,
                kernel: "linux 6.1".to_owned(),
                load: 0.5,
            },
            traffic: "generated".to_owned(),
            whole: size(1_000_000_000),
            slice: size(100_000_000),
            place: "/dev/shm, in memory".to_owned(),
            rounds: 1,
            rows: vec![
                row("cat", Does::Copies, figures(&cat)),
                row("poseur", Does::Splices, figures(&poseur)),
                row("slow <one>", Does::Tags, figures(&slow)),
                row(
                    "liar",
                    Does::Tags,
                    Outcome::Wrong {
                        reason: "2 lines instead of 3".to_owned(),
                    },
                ),
                row(
                    "broken",
                    Does::FindsMatches,
                    Outcome::Failed {
                        reason: "exit status: 2".to_owned(),
                    },
                ),
            ],
            absent: vec!["vector".to_owned()],
            unable: vec!["rsigma".to_owned()],
        }
    }
}
