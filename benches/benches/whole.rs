//! The tagger in memory, beside its limits and its peers: a group for each [`Workload`]. Everybody's answer
//! is asserted before they are timed. See benches/README.md.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use poseur_benches::{Sizes, WORKLOADS, Workload, five_hundred_files, load};
use poseur_tests::rules::Options;

/// The groups that the command line may mean: their traffic takes seconds to make.
fn meant() -> impl Iterator<Item = &'static Workload> {
    let filter = std::env::args().skip(1).find(|text| !text.starts_with('-'));
    let filter = filter.unwrap_or_default();
    let names = move |workload: &&Workload| {
        workload.name.contains(&filter) || filter.starts_with(workload.name)
    };
    // What names no group may be any expression; criterion decides about it.
    let any = WORKLOADS.iter().any(|workload| names(&workload));
    WORKLOADS
        .iter()
        .filter(move |workload| !any || names(workload))
}

fn workloads(c: &mut Criterion) {
    let quick = std::env::args().any(|text| text == "--quick" || text == "--test");
    let sizes = Sizes::from_environment(quick);
    for workload in meant() {
        let mut group = c.benchmark_group(workload.name);
        for mut contender in workload.contenders(sizes) {
            group.throughput(Throughput::Bytes(contender.bytes as u64));
            let mut checked = false;
            group.bench_function(contender.name, |b| {
                if !checked {
                    contender.check().expect("the right answer");
                    checked = true;
                }
                b.iter(|| contender.run());
            });
        }
        group.finish();
    }
}

fn loading(c: &mut Criterion) {
    let files = five_hundred_files(Options::default());
    let mut group = c.benchmark_group("loading");
    group.bench_function("500 rule files", |b| {
        b.iter(|| assert!(!load(&files).candidates().literals().is_empty()));
    });
    group.finish();
}

/// Few samples: each goes over so many records that it is a mean already.
fn settings() -> Criterion {
    let second = std::time::Duration::from_secs(1);
    Criterion::default()
        .sample_size(10)
        .warm_up_time(second)
        .measurement_time(2 * second)
}

criterion_group!(name = benches; config = settings(); targets = workloads, loading);
criterion_main!(benches);
