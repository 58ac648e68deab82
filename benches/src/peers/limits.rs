//! What the memory and the processor allow.

use std::hint::black_box;
use std::sync::Arc;

use crate::contender::Contender;
use crate::traffic::{Traffic, chunks};

/// Copies chunk by chunk into a buffer that is reused: what passing bytes on costs at least.
pub fn memcpy(traffic: &Arc<Traffic>) -> Contender {
    let (mut out, own) = (vec![0; 2 << 20], traffic.clone());
    let run = move || {
        let copied = chunks(&own.bytes).map(|chunk| {
            // A line may be longer than a chunk usually is.
            out.resize(out.len().max(chunk.len()), 0);
            out[..chunk.len()].copy_from_slice(chunk);
            black_box(&out);
            chunk.len() as u64
        });
        copied.sum()
    };
    let bytes = traffic.bytes.len();
    Contender::new("memcpy", bytes, bytes as u64, run)
}

/// The same for chunks that are there already.
pub fn memcpy_each(all: &Arc<Vec<Vec<u8>>>) -> Contender {
    let longest = all.iter().map(Vec::len).max().unwrap_or_default();
    let (mut out, own) = (vec![0; longest], all.clone());
    let run = move || {
        let copied = own.iter().map(|chunk| {
            out[..chunk.len()].copy_from_slice(chunk);
            black_box(&out);
            chunk.len() as u64
        });
        copied.sum()
    };
    let bytes = all.iter().map(Vec::len).sum();
    Contender::new("memcpy", bytes, bytes as u64, run)
}

/// Counts lines: what looking at every byte costs at least.
pub fn memchr(traffic: &Arc<Traffic>) -> Contender {
    let own = traffic.clone();
    let run = move || {
        let counts = chunks(&own.bytes).map(|chunk| memchr::memchr_iter(b'\n', chunk).count());
        counts.sum::<usize>() as u64
    };
    let bytes = traffic.bytes.len();
    Contender::new("memchr, count lines", bytes, traffic.truths.lines, run)
}
