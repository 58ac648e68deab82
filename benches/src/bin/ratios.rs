//! Everybody in one process, turn by turn, so that all meet the same machine; then the project's targets,
//! met or missed. `ratios [--quick] [--rounds N] [--only TEXT] [--with TEXT] [--records FILE...]`: see
//! benches/README.md.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use flate2::read::MultiGzDecoder;
use poseur_benches::targets::{REAL_RECORDS, TARGETS, Target};
use poseur_benches::workloads::of_records;
use poseur_benches::{Contender, Sizes, WORKLOADS};

/// Measures the tagger, its limits and its peers in memory, in turns, and compares the medians.
#[derive(Parser)]
struct Arguments {
    /// Less traffic and fewer rounds: less than a minute
    #[arg(long)]
    quick: bool,
    /// How many turns everybody gets
    #[arg(long)]
    rounds: Option<usize>,
    /// Only kinds of traffic whose name holds this
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Only contenders whose name holds this, and the tagger
    #[arg(long, value_name = "TEXT")]
    with: Vec<String>,
    /// Files of real records, NDJSON, plain or .gz: measured too, repeated to 300 MB
    #[arg(long, value_name = "FILE", num_args = 1..)]
    records: Vec<PathBuf>,
}

/// Who was how fast on what.
struct Row {
    workload: &'static str,
    contender: &'static str,
    /// Bytes a second, at the median of its times.
    rate: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(rows) => {
            judge(&rows);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a name was asked for: by a part of it, or because nothing was.
fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|text| name.contains(text))
}

fn measure(arguments: &Arguments) -> Result<Vec<Row>, String> {
    let sizes = Sizes::from_environment(arguments.quick);
    let usual = if arguments.quick { 5 } else { 11 };
    let rounds = arguments.rounds.unwrap_or(usual).max(1);
    let mut rows = Vec::new();
    let mut turns = |workload, mut contenders: Vec<Contender>| {
        contenders.retain(|contender| {
            contender.name.starts_with("poseur") || is_wanted(contender.name, &arguments.with)
        });
        rows.extend(turns(workload, contenders, rounds)?);
        Ok::<_, String>(())
    };
    for workload in WORKLOADS {
        if is_wanted(workload.name, &arguments.only) {
            turns(workload.name, workload.contenders(sizes))?;
        }
    }
    if !arguments.records.is_empty() && is_wanted(REAL_RECORDS, &arguments.only) {
        let records = read(&arguments.records)?;
        turns(REAL_RECORDS, of_records(&records, sizes))?;
    }
    Ok(rows)
}

/// Lets everybody run in turn, and prints a table.
fn turns(
    workload: &'static str,
    mut contenders: Vec<Contender>,
    rounds: usize,
) -> Result<Vec<Row>, String> {
    // This also warms everybody up.
    let checks = contenders.iter_mut().map(Contender::check);
    let wrong: Vec<String> = checks.filter_map(Result::err).collect();
    if !wrong.is_empty() {
        return Err(format!("{workload}: {}", wrong.join(", ")));
    }
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for _ in 0..rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let start = Instant::now();
            black_box(contender.run());
            times.push(start.elapsed());
        }
    }
    let rows = contenders.iter().zip(times);
    let rows = rows.map(|(contender, mut times)| Row {
        workload,
        contender: contender.name,
        rate: contender.bytes as f64 / median(&mut times).as_secs_f64(),
    });
    let rows: Vec<Row> = rows.collect();
    let taggers = ["poseur", "poseur, 500 rules", "poseur_match"];
    let tagger = rows.iter().find(|row| taggers.contains(&row.contender));
    println!("\n| {workload} | GB/s | the tagger is so many times as fast |\n|---|---|---|");
    for row in &rows {
        let times = tagger.map_or(f64::NAN, |tagger| tagger.rate / row.rate);
        println!("| {} | {:.3} | {times:.2} |", row.contender, row.rate / 1e9);
    }
    Ok(rows)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints which targets are met.
fn judge(rows: &[Row]) {
    let rate = |workload, contender| {
        let mut rows = rows.iter();
        let row = rows.find(|row| row.workload == workload && row.contender == contender);
        row.map(|row| row.rate)
    };
    println!("\n| target | at least | measured | |\n|---|---|---|---|");
    for target in TARGETS {
        let ours = rate(target.workload, target.tagger);
        let (unit, figure) = match target.than {
            Some(than) => {
                let both = ours.zip(rate(target.workload, than));
                (" ×", both.map(|(ours, theirs)| ours / theirs))
            }
            None => (" GB/s", ours.map(|rate| rate / 1e9)),
        };
        let (figure, verdict) = match figure {
            None => (String::new(), "not measured"),
            Some(figure) if figure < target.least => (format!("{figure:.2}{unit}"), "MISSED"),
            Some(figure) => (format!("{figure:.2}{unit}"), "met"),
        };
        let Target { what, least, .. } = target;
        println!("| {what} | {least}{unit} | {figure} | {verdict} |");
    }
}

/// The lines of all files.
fn read(files: &[PathBuf]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    for path in files {
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        let read = File::open(path).and_then(|mut file| match packed {
            true => MultiGzDecoder::new(file).read_to_end(&mut out),
            false => file.read_to_end(&mut out),
        });
        read.map_err(|error| format!("{}: {error}", path.display()))?;
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
    if out.is_empty() {
        return Err("the files of records are empty".to_owned());
    }
    Ok(out)
}
