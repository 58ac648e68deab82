//! See `poseur_fuzz::kusto`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::kusto(data));
