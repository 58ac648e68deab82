//! Who is measured, and on how much.

/// Somebody who does the job on some traffic, or a part of the job.
pub struct Contender {
    /// Who, and what is included. The name of the measurement.
    pub name: &'static str,
    /// How many bytes one run goes over.
    pub bytes: usize,
    /// What a run must answer: mostly how many records match.
    pub answer: u64,
    run: Box<dyn FnMut() -> u64>,
}

impl Contender {
    /// Somebody who goes over so many bytes and must answer so.
    pub fn new(
        name: &'static str,
        bytes: usize,
        answer: u64,
        run: impl FnMut() -> u64 + 'static,
    ) -> Contender {
        Contender {
            name,
            bytes,
            answer,
            run: Box::new(run),
        }
    }

    /// Goes over the traffic once.
    pub fn run(&mut self) -> u64 {
        (self.run)()
    }

    /// Goes over the traffic once and compares the answer. Nobody is timed before.
    ///
    /// # Errors
    /// If the answer is wrong: who answers what instead of what.
    pub fn check(&mut self) -> Result<(), String> {
        let (answer, expected) = (self.run(), self.answer);
        if answer == expected {
            return Ok(());
        }
        Err(format!(
            "`{}` answers {answer} instead of {expected}",
            self.name
        ))
    }
}

/// How much traffic is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes for those who are quick: more than the caches hold.
    pub whole: usize,
    /// Bytes for those who parse every record: the beginning of the same stream.
    pub part: usize,
}

impl Sizes {
    /// As `POSEUR_BENCH_BYTES` says. Without it 320 MiB, or 64 MiB if `quick`.
    pub fn from_environment(quick: bool) -> Sizes {
        let wanted = std::env::var("POSEUR_BENCH_BYTES").ok();
        let usual = if quick { 64 << 20 } else { 320 << 20 };
        Sizes::of(wanted.and_then(|text| text.parse().ok()).unwrap_or(usual))
    }

    /// So many bytes, and a sixteenth for those who are slow, but a mebibyte if there is as much.
    pub fn of(whole: usize) -> Sizes {
        let part = (whole / 16).max(1 << 20).min(whole);
        Sizes { whole, part }
    }
}
