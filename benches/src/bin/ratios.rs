//! Everybody in one process, turn by turn, so that all meet the same machine; then the project's targets,
//! met or missed. `ratios [--quick] [--rounds N] [--only TEXT]... [--records FILE...]`: see
//! benches/README.md.

use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use poseur_benches::targets::{TARGETS, Target};
use poseur_benches::workloads::of_records;
use poseur_benches::{Contender, Sizes, WORKLOADS};

/// Measures the tagger, its limits and its peers in memory, in turns, and compares the medians.
#[derive(Parser)]
struct Arguments {
    /// Less traffic and fewer rounds: less than a minute without the heavy peers
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

/// One row of the table.
struct Row {
    workload: &'static str,
    contender: &'static str,
    /// Bytes a second, at the median of its times.
    rate: f64,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let sizes = Sizes::from_environment(arguments.quick);
    let rounds = arguments
        .rounds
        .unwrap_or(if arguments.quick { 5 } else { 11 });
    let wanted =
        |name: &str, of: &[String]| of.is_empty() || of.iter().any(|text| name.contains(text));
    let mut rows = Vec::new();
    let mut measure = |workload, contenders: Vec<Contender>| {
        let with = |contender: &Contender| {
            contender.name.starts_with("poseur") || wanted(contender.name, &arguments.with)
        };
        let contenders = contenders.into_iter().filter(with).collect();
        rows.extend(turns(workload, contenders, rounds));
    };
    for workload in &WORKLOADS {
        if wanted(workload.name, &arguments.only) {
            measure(workload.name, workload.contenders(sizes));
        }
    }
    if !arguments.records.is_empty() && wanted("real records", &arguments.only) {
        let records = read(&arguments.records)?;
        measure("real records", of_records(&records, sizes));
    }
    judge(&rows);
    Ok(())
}

/// Lets everybody run in turn, prints a table, and returns its rows.
fn turns(workload: &'static str, mut contenders: Vec<Contender>, rounds: usize) -> Vec<Row> {
    // Nobody is timed whose answer is wrong. This run also warms everybody up.
    contenders.iter_mut().for_each(Contender::check);
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for _ in 0..rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let start = Instant::now();
            black_box(contender.run());
            times.push(start.elapsed());
        }
    }
    let rows: Vec<Row> = contenders
        .iter()
        .zip(times)
        .map(|(contender, mut times)| Row {
            workload,
            contender: contender.name,
            rate: contender.bytes as f64 / median(&mut times).as_secs_f64(),
        })
        .collect();
    let tagger = rows
        .iter()
        .rev()
        .find(|row| row.contender == "poseur" || row.contender == "poseur, 500 rules");
    println!("\n| {workload} | GB/s | the tagger is × as fast |\n|---|---|---|");
    for row in &rows {
        let times = tagger.map_or(f64::NAN, |tagger| tagger.rate / row.rate);
        println!("| {} | {:.3} | {times:.2} |", row.contender, row.rate / 1e9);
    }
    rows
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints which targets are met, of those that were measured.
fn judge(rows: &[Row]) {
    let rate = |workload, contender| {
        let mut rows = rows.iter();
        let row = rows.find(|row| row.workload == workload && row.contender == contender);
        row.map(|row| row.rate)
    };
    println!("\n| target | at least | measured | |\n|---|---|---|---|");
    for Target {
        what,
        least,
        workload,
        tagger,
        than,
    } in TARGETS
    {
        let figure = match than {
            Some(than) => rate(workload, tagger)
                .zip(rate(workload, than))
                .map(|(ours, theirs)| ours / theirs),
            None => rate(workload, tagger).map(|rate| rate / 1e9),
        };
        let verdict = match figure {
            None => "not measured".to_owned(),
            Some(figure) => {
                let verdict = if figure >= least { "met" } else { "MISSED" };
                format!("{figure:.2} | {verdict}")
            }
        };
        let unit = if than.is_some() { "×" } else { "GB/s" };
        match figure {
            None => println!("| {what} | {least} {unit} | | {verdict} |"),
            Some(_) => println!("| {what} | {least} {unit} | {verdict} |"),
        }
    }
}

/// The lines of all files.
fn read(files: &[PathBuf]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for path in files {
        let file = fs::File::open(path)?;
        if path.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::MultiGzDecoder::new(file).read_to_end(&mut out)?;
        } else {
            fs::File::read_to_end(&mut { file }, &mut out)?;
        }
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
    Ok(out)
}
