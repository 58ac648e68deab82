//! See `poseur_fuzz::protobuf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poseur_fuzz::protobuf(data));
