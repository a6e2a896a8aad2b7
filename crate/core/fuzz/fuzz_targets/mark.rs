#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| varve_core::fuzzing::mark(data));
