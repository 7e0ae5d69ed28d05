//! `fallow ledger users`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::LedgerError;

/// Who may do what, without passwords.
const USERS: &str = include_str!("../../../../../deploy/redis/users.acl");

/// Makes passwords.
#[derive(Debug, Args)]
pub struct UsersArgs {
    /// The folder for redis-users.acl and for the password of each user; what is there is never overwritten
    folder: PathBuf,
}

/// Writes the file of users with the hashes of new passwords, and each password into a file of its own.
pub(super) fn run(args: &UsersArgs) -> Result<String, LedgerError> {
    let mut acl = String::new();
    let mut files = Vec::new();
    for line in USERS.lines() {
        match line.strip_prefix("user ").and_then(|rest| rest.split_once(' ')) {
            Some((name, rest)) if name != "default" => {
                // 244 bits of the machine's randomness.
                let password = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                // Writing to a String cannot fail.
                let _ = writeln!(acl, "user {name} #{} {rest}", hash(&password));
                files.push((args.folder.join(format!("redis-{name}")), password + "\n"));
            }
            // Redis takes no remarks and no empty lines in this file.
            Some(_) => acl = acl + line + "\n",
            None => {}
        }
    }
    files.push((args.folder.join("redis-users.acl"), acl));
    if let Some((there, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(LedgerError::Exists(there.clone()));
    }
    let mut said = String::new();
    for (path, text) in &files {
        create(path, text)?;
        let _ = writeln!(said, "{}", path.display());
    }
    Ok(said)
}

fn hash(password: &str) -> String {
    Sha256::digest(password).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn create(path: &Path, text: &str) -> Result<(), LedgerError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o400);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| LedgerError::Unwritable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_but_the_default_gets_a_password_whose_hash_alone_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let args = UsersArgs { folder: folder.path().to_owned() };
        run(&args).unwrap();
        let acl = std::fs::read_to_string(folder.path().join("redis-users.acl")).unwrap();
        assert!(acl.lines().all(|line| line.starts_with("user ")), "{acl}");
        for name in ["svc", "reader", "keeper", "deploy", "metrics", "replica", "sentinel"] {
            let password = std::fs::read_to_string(folder.path().join(format!("redis-{name}"))).unwrap();
            let known = format!("user {name} #{} on -@all ", hash(password.trim()));
            assert_eq!(acl.lines().filter(|line| line.starts_with(&known)).count(), 1, "{name}");
            assert!(!acl.contains(password.trim()));
        }
        assert!(acl.contains("user default off\n"));
        assert!(matches!(run(&args), Err(LedgerError::Exists(_))));
    }
}
