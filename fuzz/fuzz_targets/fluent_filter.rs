//! See `poseur_fuzz::fluent_filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::fluent_filter(data));
