#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tonnage_fuzz::versions::target(data));
