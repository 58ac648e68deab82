//! See `poseur_fuzz::kuery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::kuery(data));
