//! Runs the tools in turns: each answers first, and those that answer right are timed.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::Error;
use crate::answer::{self, Answer, Does};
use crate::input::{self, Input, Inputs, Source};
use crate::machine::{self, Machine};
use crate::process::{self, Usage};
use crate::results::{Measured, Outcome, Results, Row, Size};
use crate::tools::{self, Place, Tool};

/// What to compare, and how.
pub struct Settings {
    /// Where records come from.
    pub source: Source,
    /// How many bytes of them.
    pub bytes: u64,
    /// How many of these are the slice for slow tools.
    pub slice: u64,
    /// How often each tool is timed.
    pub rounds: usize,
    /// A tool that would take longer for all of the input, in seconds, gets the slice.
    pub patience: f64,
    /// Where the files are put, in a folder that is deleted at the end.
    pub place: PathBuf,
    /// This command, which measures: see [`process`].
    pub measurer: PathBuf,
}

/// Compares tools. `say` is told what is going on.
///
/// # Errors
/// If the input cannot be made or nothing can be measured. What goes wrong with a tool is in its row.
pub fn run(
    settings: &Settings,
    tools: &[Tool],
    say: &mut dyn FnMut(&str),
) -> Result<Results, Error> {
    let date = Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let machine = Machine::this();
    let folder = tempfile::Builder::new()
        .prefix("poseur-compare-")
        .tempdir_in(&settings.place)
        .map_err(Error::file(&settings.place))?;
    say("making the input");
    let inputs = input::make(
        &settings.source,
        settings.bytes,
        settings.slice,
        folder.path(),
    )?;
    let bench = Bench {
        settings,
        inputs,
        folder: folder.path().to_owned(),
    };
    let mut contenders = Vec::new();
    for tool in tools {
        say(&format!(
            "{} {}: is the answer right?",
            tool.name, tool.version
        ));
        contenders.push(bench.admit(tool)?);
    }
    for round in 1..=settings.rounds {
        say(&format!("round {round} of {}", settings.rounds));
        for contender in &mut contenders {
            bench.time(contender)?;
        }
    }
    let rows = rows(contenders);
    let kind = match machine::is_in_memory(&settings.place) {
        true => "in memory",
        false => "on disk",
    };
    Ok(Results {
        date,
        machine,
        traffic: traffic(settings, &bench.inputs),
        whole: size(&bench.inputs.whole),
        slice: size(&bench.inputs.slice),
        place: format!("{}, {kind}", settings.place.display()),
        rounds: settings.rounds,
        rows,
        absent: tools::absent(settings.source.rule()),
        unable: tools::unable(settings.source.rule()),
    })
}

/// A tool on its way through the comparison.
struct Contender<'a> {
    tool: &'a Tool,
    measured: Measured,
    /// How many bytes its right answer has.
    answer: u64,
    /// Why it is out.
    out: Option<Outcome>,
}

struct Bench<'a> {
    settings: &'a Settings,
    inputs: Inputs,
    folder: PathBuf,
}

impl Bench<'_> {
    /// Has a tool answer, first for the slice, and for all of the input if that does not take too long.
    fn admit<'t>(&self, tool: &'t Tool) -> Result<Contender<'t>, Error> {
        let mut contender = Contender {
            tool,
            measured: Measured::default(),
            answer: 0,
            out: None,
        };
        let (whole, slice) = (&self.inputs.whole, &self.inputs.slice);
        for input in [slice, whole] {
            let (usage, answer) = match self.answer(tool, input)? {
                Ok(right) => right,
                Err(out) => {
                    contender.out = Some(out);
                    break;
                }
            };
            contender.answer = answer.bytes;
            contender.measured.bytes = input.bytes;
            contender.measured.on_slice = input.bytes < whole.bytes;
            contender.measured.kept = tool.does.is_tagging().then(|| {
                let others = input.lines - answer.tagged.len() as u64;
                answer.kept as f64 / (others.max(1)) as f64
            });
            let factor = whole.bytes as f64 / input.bytes as f64;
            if factor <= 1.0 || usage.wall * factor > self.settings.patience {
                break;
            }
        }
        Ok(contender)
    }

    /// A run whose answer is judged.
    fn answer(
        &self,
        tool: &Tool,
        input: &Input,
    ) -> Result<Result<(Usage, Answer), Outcome>, Error> {
        let usage = match self.run(tool, input)? {
            Ok(usage) => usage,
            Err(reason) => return Ok(Err(Outcome::Failed { reason })),
        };
        let wrong = |reason| Ok(Err(Outcome::Wrong { reason }));
        let answer = match answer::read(input, &self.output()) {
            Ok(answer) => answer,
            Err(error) => return wrong(format!("its output cannot be read: {error}")),
        };
        match answer::judge(tool.does, input, &answer) {
            Ok(()) => Ok(Ok((usage, answer))),
            Err(reason) => wrong(reason),
        }
    }

    /// A timed run. Its answer must have the size of the one that was right.
    fn time(&self, contender: &mut Contender<'_>) -> Result<(), Error> {
        if contender.out.is_some() {
            return Ok(());
        }
        let input = match contender.measured.on_slice {
            true => &self.inputs.slice,
            false => &self.inputs.whole,
        };
        match self.run(contender.tool, input)? {
            Err(reason) => contender.out = Some(Outcome::Failed { reason }),
            Ok(usage) => {
                let bytes = fs::metadata(self.output()).map_or(0, |metadata| metadata.len());
                contender.measured.runs.push(usage);
                if bytes != contender.answer {
                    let reason =
                        format!("{bytes} bytes in one run, {} in another", contender.answer);
                    contender.out = Some(Outcome::Wrong { reason });
                }
            }
        }
        Ok(())
    }

    fn run(&self, tool: &Tool, input: &Input) -> Result<Result<Usage, String>, Error> {
        let folder = self.folder.join("work");
        let output = self.output();
        fresh(&folder)?;
        if output.exists() {
            fs::remove_file(&output).map_err(Error::file(&output))?;
        }
        let place = Place {
            input: &input.path,
            output: &output,
            folder: &folder,
            rule: input.rule,
        };
        let job = tool.job(place).map_err(Error::file(&folder))?;
        process::run(&self.settings.measurer, &tool.program, &job, &self.folder)
    }

    fn output(&self) -> PathBuf {
        self.folder.join("output.ndjson")
    }
}

/// An empty folder.
fn fresh(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::file(folder))?;
    }
    fs::create_dir(folder).map_err(Error::file(folder))
}

/// Those that do the whole job first, the quickest on top; then those that only find something.
fn rows(contenders: Vec<Contender<'_>>) -> Vec<Row> {
    let named = |name| contenders.iter().find(|other| other.tool.name == name);
    let measured = |name| {
        named(name)
            .filter(|contender| contender.out.is_none())
            .map(|contender| &contender.measured)
    };
    let (cat, poseur) = (measured("cat"), measured("poseur"));
    let mut rows: Vec<Row> = contenders
        .iter()
        .map(|contender| Row {
            name: contender.tool.name.clone(),
            version: contender.tool.version.clone(),
            does: contender.tool.does,
            outcome: match &contender.out {
                Some(out) => out.clone(),
                None => Outcome::Measured(contender.measured.figures(cat, poseur)),
            },
        })
        .collect();
    let place = |row: &Row| {
        let group = match row.does {
            Does::Copies => 0,
            Does::Splices => 1,
            Does::Tags => 2,
            Does::FindsMatches | Does::FindsCandidates => 3,
        };
        match &row.outcome {
            Outcome::Measured(figures) => (group, figures.cpu_per_gb),
            _ => (group, f64::INFINITY),
        }
    };
    rows.sort_by(|one, other| {
        let (one, other) = (place(one), place(other));
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    rows
}

fn traffic(settings: &Settings, inputs: &Inputs) -> String {
    match &settings.source {
        Source::Teams => {
            "Generated Teams audit records, 1 % ChatCreated, 0.1 % matching, 5 % with \\u00 escapes"
                .to_owned()
        }
        Source::MessageEvents => {
            "Generated Defender MessageEvents, 30 % external threads, 1 % matching, 5 % with \\u00 escapes"
                .to_owned()
        }
        Source::Files(paths) => {
            let left_out = match inputs.left_out {
                0 => String::new(),
                count => format!(", {count} lines that are no JSON object left out"),
            };
            format!(
                "Records of {} given files, over and over, with one generated matching record in a thousand{left_out}",
                paths.len()
            )
        }
    }
}

fn size(input: &Input) -> Size {
    Size {
        bytes: input.bytes,
        lines: input.lines,
        matching: input.matching.len() as u64,
    }
}
