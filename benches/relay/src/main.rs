//! Measures `poseur serve` over loopback, as a process, with senders and receivers in this one: throughput beside a proxy
//! that only copies, latency at half load, memory with many connections. What arrives is counted and must be right.
//!
//! ```text
//! cargo build --release -p poseur --features serve
//! cargo run --release -p poseur-relay-benches
//! ```

mod forward;
mod http;
mod load;
mod process;
mod proxy;
mod vector;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use jiff::Timestamp;
use poseur_benches::Traffic;
use poseur_tests::traffic::{Config, Kind, Shape};

use crate::load::{Load, latency, median, throughput};
use crate::process::Process;

/// So many bytes of records are sent over and over.
const BYTES: usize = 32 << 20;

/// Teams records, 1 % of them candidates.
fn teams() -> Traffic {
    Traffic::teams(BYTES, 0.0)
}

/// Defender's MessageEvents of the last 30 days, 30 % of external threads, 1 % matching.
fn message_events() -> Traffic {
    let mut config = Config::new(Kind::MessageEvents, Shape::Defender);
    config.match_rate = 0.01;
    config.at = Timestamp::now().as_second();
    Traffic::new(config, BYTES)
}

#[derive(Parser)]
#[command(about = "Measures `poseur serve` over loopback")]
struct Args {
    /// What is measured; everything but `capacity` if nothing is named
    #[arg(value_enum)]
    what: Vec<What>,

    /// The command, built with the feature `serve`; beside this program if it is not given
    #[arg(long, value_name = "FILE")]
    poseur: Option<PathBuf>,

    /// How long each measurement takes
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    seconds: u64,

    /// Everybody is measured so often, in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// Connections at once
    #[arg(long, default_value_t = 4)]
    connections: usize,

    /// Bytes of events in a chunk, or of lines in a body
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    chunk: usize,

    /// For itself: copies between two addresses
    #[arg(long, hide = true, num_args = 2, value_names = ["LISTEN", "CONNECT"])]
    proxy: Option<Vec<SocketAddr>>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Forward in, Forward out
    Forward,
    /// Vector's protocol in and out
    Vector,
    /// NDJSON over HTTP in, nowhere out
    Http,
    /// What the stage adds to the time until an acknowledgement, at half load
    Latency,
    /// Resident memory at full load with 100 connections
    Memory,
    /// What a record costs the stage alone, each way, by size of chunk and kind of traffic
    Capacity,
}

fn main() {
    let args = Args::parse();
    if let Some(addresses) = &args.proxy {
        return proxy::run(addresses[0], addresses[1]);
    }
    let all = [
        What::Forward,
        What::Vector,
        What::Http,
        What::Latency,
        What::Memory,
    ];
    let wanted = if args.what.is_empty() {
        &all[..]
    } else {
        &args.what
    };
    for what in wanted {
        match what {
            What::Forward => measure_forward(&args),
            What::Vector => measure_vector(&args),
            What::Http => measure_http(&args),
            What::Latency => measure_latency(&args),
            What::Memory => measure_memory(&args),
            What::Capacity => measure_capacity(&args),
        }
    }
}

fn measure_forward(args: &Args) {
    let load = forward::chunks(&teams(), args.chunk);
    let receiver = forward::Receiver::start();
    let serve = Process::serve(args, &forward::pipeline(receiver.address));
    let proxy = Process::proxy(receiver.address);
    let (mut ours, mut copies, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let before = serve.cpu();
        let rate = forward_rate(args, &load, serve.address, &receiver, load.matching);
        cpu.push((serve.cpu() - before).as_secs_f64() / args.seconds as f64);
        ours.push(rate);
        copies.push(forward_rate(args, &load, proxy.address, &receiver, 0));
    }
    let (ours, copies) = (median(ours), median(copies));
    println!(
        "forward → forward     {:>6.0} MB/s   a proxy that copies whole messages {:>6.0} MB/s   {:.0} % of it   {:.2} cores",
        ours / 1e6,
        copies / 1e6,
        100.0 * ours / copies,
        median(cpu),
    );
}

fn forward_rate(
    args: &Args,
    load: &Load,
    to: SocketAddr,
    receiver: &forward::Receiver,
    tags: u64,
) -> f64 {
    rate(args, load, tags, &|| receiver.seen(), &|deadline| {
        forward::send(to, load, deadline)
    })
}

/// Bytes a second. Checks that everything arrived, and as many tags as there must be.
fn rate(
    args: &Args,
    load: &Load,
    tags: u64,
    seen: &dyn Fn() -> forward::Seen,
    send: &(dyn Fn(Instant) -> u64 + Sync),
) -> f64 {
    let before = seen();
    let (sent, took) = throughput(args.connections, args.seconds, send);
    let after = seen();
    assert_eq!(after.chunks - before.chunks, sent, "messages that arrived");
    let rounds = sent as f64 / load.messages.len() as f64;
    let expected = tags as f64 * rounds;
    let found = (after.tags - before.tags) as f64;
    // Senders stop anywhere in the load.
    let slack = (load.matching * args.connections as u64) as f64;
    assert!(
        (found - expected).abs() <= slack,
        "{found} tags instead of {expected}"
    );
    sent as f64 * load.bytes as f64 / load.messages.len() as f64 / took.as_secs_f64()
}

fn measure_vector(args: &Args) {
    let load = vector::requests(&teams(), args.chunk);
    let receiver = vector::Receiver::start();
    let serve = Process::serve(args, &vector::pipeline(receiver.address));
    let load = &load;
    let send = |to| move |deadline| vector::send(to, load, deadline);
    let (mut ours, mut direct, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let before = serve.cpu();
        ours.push(rate(
            args,
            load,
            load.matching,
            &|| receiver.seen(),
            &send(serve.address),
        ));
        cpu.push((serve.cpu() - before).as_secs_f64() / args.seconds as f64);
        direct.push(rate(
            args,
            load,
            0,
            &|| receiver.seen(),
            &send(receiver.address),
        ));
    }
    println!(
        "vector → vector       {:>6.0} MB/s   with nothing between {:>6.0} MB/s   {:.2} cores",
        median(ours) / 1e6,
        median(direct) / 1e6,
        median(cpu),
    );
}

fn measure_http(args: &Args) {
    let load = http::bodies(&teams(), args.chunk);
    let serve = Process::serve(args, http::PIPELINE);
    let (mut rates, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let before = serve.cpu();
        let (sent, took) = throughput(args.connections, args.seconds, |deadline| {
            http::send(serve.address, &load, deadline)
        });
        cpu.push((serve.cpu() - before).as_secs_f64() / took.as_secs_f64());
        let bytes = sent as f64 * load.bytes as f64 / load.messages.len() as f64;
        rates.push(bytes / took.as_secs_f64());
    }
    println!(
        "http NDJSON → null    {:>6.0} MB/s   {:.2} cores",
        median(rates) / 1e6,
        median(cpu)
    );
}

fn measure_latency(args: &Args) {
    // As a shipper flushes them: small chunks.
    let load = forward::chunks(&teams(), 64 << 10);
    let receiver = forward::Receiver::start();
    let serve = Process::serve(args, &forward::pipeline(receiver.address));
    let full = forward_rate(args, &load, serve.address, &receiver, load.matching);
    let chunk = load.bytes as f64 / load.messages.len() as f64;
    let pause = Duration::from_secs_f64(args.connections as f64 * chunk / (full / 2.0));
    let (mut added, mut shown) = (Vec::new(), [0.0; 2]);
    for _ in 0..args.rounds {
        let [direct, through] = [receiver.address, serve.address].map(|to| {
            latency(args.connections, args.seconds, pause, |pace| {
                forward::send_paced(to, &load, pace)
            })
        });
        shown = [direct, through].map(|times| times.at(0.99).as_secs_f64() * 1e3);
        added.push(shown[1] - shown[0]);
    }
    println!(
        "latency, half load    {:>6.2} ms added at p99 (last round: {:.2} ms direct, {:.2} ms through), {:.0} MB/s in chunks of 64 KiB",
        median(added),
        shown[0],
        shown[1],
        full / 2e6,
    );
}

fn measure_memory(args: &Args) {
    let load = forward::chunks(&teams(), args.chunk);
    let receiver = forward::Receiver::start();
    let serve = Process::serve(args, &forward::pipeline(receiver.address));
    let many = Args {
        connections: 100,
        what: Vec::new(),
        poseur: None,
        proxy: None,
        ..*args
    };
    let rate = forward_rate(&many, &load, serve.address, &receiver, load.matching);
    println!(
        "memory                {:>6.1} MB resident at most, 100 connections, chunks of {} KiB, {:.0} MB/s",
        serve.peak_memory() as f64 / 1e6,
        args.chunk >> 10,
        rate / 1e6,
    );
}

fn measure_capacity(args: &Args) {
    println!("stage alone: CPU      seconds per GB   µs per record   records a second and core");
    let (forward, vector) = (forward::Receiver::start(), vector::Receiver::start());
    for (kind, traffic) in [("Teams", teams()), ("MessageEvents", message_events())] {
        for size in [64 << 10, 1 << 20] {
            let cost = |way, pipeline: &str, load: &Load, send: Send| {
                cost(
                    args,
                    &format!("{way}, {kind}, {} KiB", size >> 10),
                    pipeline,
                    load,
                    send,
                );
            };
            let load = forward::chunks(&traffic, size);
            cost(
                "forward",
                &forward::pipeline(forward.address),
                &load,
                forward::send,
            );
            let load = vector::requests(&traffic, size);
            cost(
                "vector",
                &vector::pipeline(vector.address),
                &load,
                vector::send,
            );
            let load = http::bodies(&traffic, size);
            cost("http → null", http::PIPELINE, &load, http::send);
        }
    }
}

/// Sends to an address until a moment, and answers how many messages were acknowledged.
type Send = fn(SocketAddr, &Load, Instant) -> u64;

/// What a way costs the stage: its own processor time, whatever senders and receiver take.
fn cost(args: &Args, name: &str, pipeline: &str, load: &Load, send: Send) {
    let serve = Process::serve(args, pipeline);
    let mut costs = Vec::new();
    for _ in 0..args.rounds {
        let before = serve.cpu();
        let (sent, _) = throughput(args.connections, args.seconds, |deadline| {
            send(serve.address, load, deadline)
        });
        let spent = (serve.cpu() - before).as_secs_f64();
        costs.push(spent * load.messages.len() as f64 / sent as f64);
    }
    let cost = median(costs);
    println!(
        "{name:<36} {:>6.2} {:>12.2} {:>14.0}",
        cost / load.bytes as f64 * 1e9,
        cost / load.records as f64 * 1e6,
        load.records as f64 / cost,
    );
}
