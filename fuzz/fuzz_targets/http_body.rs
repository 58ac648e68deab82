//! See `poseur_fuzz::http_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::http_body(data));
