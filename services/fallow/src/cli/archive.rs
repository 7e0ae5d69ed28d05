//! `fallow archive keygen`: the key of an archive.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fallow_archive::SigningKey;

use super::Exit;
use super::audit::{OperateError, operate};

/// Makes what an archive needs.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Make the key that signs an archive, and the public key by which it is verified
    #[command(before_help = "Examples:\n  fallow archive keygen deploy/secrets")]
    Keygen(KeygenArgs),
}

/// Makes a key.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The folder for archive-key.pem (secret) and archive-key.pub.pem (public); what is there is never overwritten
    folder: PathBuf,
}

/// Runs the command.
#[must_use]
pub(crate) fn run(command: &ArchiveCommand) -> ExitCode {
    match command {
        ArchiveCommand::Keygen(args) => operate("ARCHIVE", std::future::ready(keygen(&args.folder))),
    }
}

fn keygen(folder: &Path) -> Result<Exit, OperateError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OperateError::Key { path, source }
    };
    let (secret, public) = (folder.join("archive-key.pem"), folder.join("archive-key.pub.pem"));
    let key = SigningKey::generate().map_err(failed(&secret))?;
    create(&secret, &key.to_pem().map_err(failed(&secret))?, 0o400)?;
    create(&public, &key.public().to_pem().map_err(failed(&public))?, 0o444)?;
    writeln!(
        std::io::stdout(),
        "{}  keep it secret, for the archive alone\n{}  for whoever verifies; keep a copy elsewhere\nkey {}",
        secret.display(),
        public.display(),
        key.public().fingerprint()
    )?;
    Ok(Exit::Ok)
}

fn create(path: &Path, text: &str, mode: u32) -> Result<(), OperateError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| OperateError::File { path: path.to_owned(), source })
}
