//! See `poseur_fuzz::sigma`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::sigma(data));
