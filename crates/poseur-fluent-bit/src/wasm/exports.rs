//! The functions that a host calls.

use std::cell::Cell;
use std::panic;
use std::slice;

use jiff::Timestamp;

use super::record::{RecordFilter, deepest, sources};
use super::{host, memory};
use crate::filter::Notice;

thread_local! {
    /// The filter of this instance. A call takes it and puts it back: one that was cut off by a trap leaves
    /// nothing behind, and the next one begins anew.
    static FILTER: Cell<Option<Box<RecordFilter>>> = const { Cell::new(None) };
}

/// Bytes of a page of memory.
const PAGE: usize = 1 << 16;

fn begin() -> Box<RecordFilter> {
    panic::set_hook(Box::new(|fault| {
        let text = format!("a fault in Poseur, please report it: {fault}");
        host::tell(&Notice::Error(text));
    }));
    let now = host::now(Timestamp::UNIX_EPOCH);
    let (mut filter, notices) = RecordFilter::new(&sources(), now);
    notices.iter().for_each(host::tell);
    // If the host's stack is too small, this fails at its start, and not at some record.
    for record in deepest() {
        filter.tag(&record, || now);
    }
    Box::new(filter)
}

/// Loads the rules. Hosts call this before anything else; if one does not, the first record does it.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    FILTER.set(Some(begin()));
}

/// Memory for the host, which writes its records there.
#[unsafe(no_mangle)]
extern "C" fn malloc(length: usize) -> *mut u8 {
    memory::allocate(length)
}

/// Takes memory back.
///
/// # Safety
/// The block is one of [`malloc`]'s that has not been given back.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut u8) {
    // SAFETY: the contract is the same.
    unsafe { memory::release(block) }
}

/// Tags a record: a JSON text of `length` bytes, followed by a NUL. Answers `record` itself if it stays as it
/// is, else a text that ends with a NUL and stays valid until the next call.
///
/// # Safety
/// Nobody writes to the record meanwhile. A record that is null, or not within the memory, is not read.
#[unsafe(no_mangle)]
unsafe extern "C" fn poseur_filter(
    _tag: *const u8,
    _tag_length: usize,
    seconds: u32,
    _nanoseconds: u32,
    record: *const u8,
    length: usize,
) -> *const u8 {
    let memory = std::arch::wasm32::memory_size::<0>().saturating_mul(PAGE);
    let end = record.addr().checked_add(length);
    if record.is_null() || length == 0 || end.is_none_or(|end| end > memory) {
        return record;
    }
    // SAFETY: the bytes are within the memory, and the caller does not write to them.
    let text = unsafe { slice::from_raw_parts(record, length) };
    let mut filter = FILTER.take().unwrap_or_else(begin);
    let event = || Timestamp::from_second(i64::from(seconds)).unwrap_or(Timestamp::UNIX_EPOCH);
    let answer = filter.tag(text, || host::now(event()));
    let answer = answer.map_or(record, <[u8]>::as_ptr);
    FILTER.set(Some(filter));
    answer
}
