//! `cargo xtask codegen`: makes the Rust code of the wire from the protos, without protoc.
//!
//! Three files are made and committed under `crates/api/src/generated`: the messages, servers and clients; their Fallow
//! JSON; and the file descriptor set that reflection serves. Two documents are made from tables in the code:
//! docs/errors.md from the reasons, docs/permissions.md from the rights.
//! `--check` fails when a committed file is not what is made today.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use prost::Message;
use prost_types::FileDescriptorSet;

use crate::shell;

mod json;

/// The files of the contract, in the order of their dependence.
const PROTOS: [&str; 5] = ["types", "capacity", "demand", "matching", "monitor"];
/// Where the made code is committed, from the root of the repository.
const FOLDER: &str = "crates/api/src/generated";
/// Where each made document is committed, and the package and example that print it.
const DOCUMENTS: [(&str, &str, &str); 2] = [
    ("docs/errors.md", "fallow-api", "errors_doc"),
    ("docs/permissions.md", "fallow-host", "permissions_doc"),
];

/// Options of the task.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Changes nothing; fails when a committed file is out of date.
    #[arg(long)]
    check: bool,
}

/// Makes the files, or checks that they are fresh.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stale = Vec::new();
    for (name, content) in make()? {
        stale.extend(put(options, format!("{FOLDER}/{name}"), &content)?);
    }
    // A table is code of its own, so the crate that holds it prints the document.
    for (path, package, example) in DOCUMENTS {
        let table =
            shell::cargo().args(["run", "--quiet", "--package", package, "--example", example]).output()?;
        if !table.status.success() {
            bail!("could not print {path}:\n{}", String::from_utf8_lossy(&table.stderr));
        }
        stale.extend(put(options, path.to_owned(), &table.stdout)?);
    }
    if !stale.is_empty() {
        bail!("out of date: {}; run `cargo xtask codegen` and commit", stale.join(", "));
    }
    Ok(())
}

/// Writes a file unless it is fresh, or only says that it is not.
fn put(options: &Options, name: String, content: &[u8]) -> Result<Option<String>> {
    let path = shell::root().join(&name);
    if fs::read(&path).is_ok_and(|committed| committed == content) {
        return Ok(None);
    }
    if options.check {
        return Ok(Some(name));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, content).with_context(|| format!("could not write {}", path.display()))?;
    println!("made {name}");
    Ok(None)
}

/// Returns every made file with its content.
fn make() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut set = compile(&shell::root().join("proto"))?;
    let json = json::source(&set)?;
    let wire = wire(set.clone())?;
    // Reflection needs no comments; without them the set is a third of its size.
    for file in &mut set.file {
        file.source_code_info = None;
    }
    Ok(vec![
        ("fallow.v1.rs", wire),
        ("fallow.v1.json.rs", json.into_bytes()),
        ("descriptor.binpb", set.encode_to_vec()),
    ])
}

/// Reads the protos of `folder` with everything they import.
fn compile(folder: &Path) -> Result<FileDescriptorSet> {
    let files = PROTOS.map(|name| folder.join("fallow/v1").join(name).with_extension("proto"));
    let mut compiler = protox::Compiler::new([folder])?;
    compiler.include_source_info(true).include_imports(true).open_files(files)?;
    Ok(compiler.file_descriptor_set())
}

/// Makes messages, servers and clients.
fn wire(set: FileDescriptorSet) -> Result<Vec<u8>> {
    let folder = shell::target().join("codegen");
    fs::create_dir_all(&folder)?;
    tonic_prost_build::configure()
        .out_dir(&folder)
        .btree_map(".")
        .generate_default_stubs(true)
        .compile_fds(set)
        .context("could not make Rust code of the protos")?;
    Ok(fs::read(folder.join("fallow.v1.rs"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_files_are_what_the_protos_make() {
        for (name, content) in make().unwrap() {
            let committed = fs::read(shell::root().join(FOLDER).join(name)).unwrap();
            assert!(committed == content, "{name} is out of date: run `cargo xtask codegen`");
        }
    }
}
