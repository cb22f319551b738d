#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tonnage_fuzz::advisories::target(data));
