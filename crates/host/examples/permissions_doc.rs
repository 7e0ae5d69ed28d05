//! Prints docs/permissions.md; `cargo xtask codegen` writes it to its place.

fn main() {
    print!("{}", fallow_host::rights::markdown());
}
