//! Running other programs from the root of the repository.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// Returns the folder that cargo builds into, as an absolute path.
pub(crate) fn target() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root().join(named)
}

/// Variables with which cargo describes the package of this tool.
const OWN: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// Returns the `cargo` that runs this task, so that one toolchain does everything.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What cargo says of this tool is not said of what it builds: some build scripts would run again for it, and
    // everything above them.
    let own = env::vars_os().map(|(name, _)| name);
    for name in
        own.filter(|name| name.to_str().is_some_and(|name| OWN.iter().any(|own| name.starts_with(own))))
    {
        command.env_remove(name);
    }
    command
}

/// Returns a command that starts in `folder`, a path from the root of the repository.
pub(crate) fn program(name: impl AsRef<Path>, folder: &str) -> Command {
    let mut command = Command::new(name.as_ref());
    command.current_dir(root().join(folder));
    command
}

/// Returns where `program` stands on the search path, if it does.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Prints the command, runs it with this terminal, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("could not start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Prints the command, runs it, shows what it prints as it comes, and returns its status and all it printed.
pub(crate) fn run_and_keep(command: &mut Command) -> Result<(ExitStatus, String)> {
    println!("$ {}", shown(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {}", shown(command)))?;
    let errors = child.stderr.take().map(|pipe| thread::spawn(move || copy(pipe, std::io::stderr())));
    let mut text = child.stdout.take().map(|pipe| copy(pipe, std::io::stdout())).unwrap_or_default();
    if let Some(errors) = errors {
        text.push_str(&errors.join().unwrap_or_default());
    }
    Ok((child.wait()?, text))
}

/// Copies lines from a pipe to a terminal and returns them.
fn copy(pipe: impl Read, mut terminal: impl Write) -> String {
    let mut kept = String::new();
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        // A closed terminal must not end the run: the status still counts.
        let _ = writeln!(terminal, "{line}");
        kept.push_str(&line);
        kept.push('\n');
    }
    kept
}

/// Returns a command as a person would type it.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut line = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
