//! See `poseur_fuzz::msgpack`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::msgpack(data));
