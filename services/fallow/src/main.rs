//! The `fallow` binary.
fn main() {}
