//! What the host's WASI functions, preview 1, are used for besides files: the time, and standard error.

use jiff::Timestamp;

use crate::filter::Notice;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
    fn fd_write(file: u32, from: *const Stretch, stretches: usize, written: *mut usize) -> u32;
}

/// `ciovec` of WASI.
#[repr(C)]
struct Stretch {
    start: *const u8,
    length: usize,
}

/// `clockid`: the time of day.
const REAL_TIME: u32 = 0;

/// A millisecond will do.
const PRECISION: u64 = 1_000_000;

/// Now by the host's clock; if it has none, another moment.
pub fn now(otherwise: Timestamp) -> Timestamp {
    let mut time = 0;
    // SAFETY: the host writes one number.
    let number = unsafe { clock_time_get(REAL_TIME, PRECISION, &raw mut time) };
    match Timestamp::from_nanosecond(i128::from(time)) {
        Ok(now) if number == 0 => now,
        _ => otherwise,
    }
}

/// Writes a line for the operator to standard error.
pub fn tell(notice: &Notice) {
    let (level, text) = match notice {
        Notice::Info(text) => ("info", text),
        Notice::Warning(text) => ("warning", text),
        Notice::Error(text) => ("error", text),
    };
    let line = format!("[poseur] {level}: {text}\n");
    let from = Stretch {
        start: line.as_ptr(),
        length: line.len(),
    };
    let (standard_error, mut written) = (2, 0);
    // SAFETY: there is one stretch, of a text that is that long; the host writes one length. That nobody
    // reads it is no reason not to go on.
    unsafe { fd_write(standard_error, &raw const from, 1, &raw mut written) };
}
