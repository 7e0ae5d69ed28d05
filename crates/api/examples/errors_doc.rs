//! Prints docs/errors.md; `cargo xtask codegen` writes it to its place.

fn main() {
    print!("{}", fallow_api::reasons::markdown());
}
