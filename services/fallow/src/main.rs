//! The `fallow` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    fallow::root::main(std::env::args_os())
}
