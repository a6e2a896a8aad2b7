#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| varve_core::fuzzing::frame_header(data));
