//! See `poseur_fuzz::forward`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::forward(data));
