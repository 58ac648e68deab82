//! See `poseur_fuzz::tagger`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::tagger(data));
