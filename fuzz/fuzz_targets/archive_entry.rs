#![no_main]

#[path = "../../tests/stories/parsers/entrances.rs"]
#[allow(dead_code, reason = "each target enters by one of them")]
mod entrances;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entrances::archive_entry(bytes));
