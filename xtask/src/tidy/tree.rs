//! What the laws look at: the packages of the workspace and the text files of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::shell::cargo;

/// Folders that hold nothing written by hand.
const FOREIGN_FOLDERS: [&str; 7] =
    [".git", ".venv", "__pycache__", "node_modules", "target", "vendor", "generated"];

/// Endings of the text files whose content a law looks at.
const TEXT_ENDINGS: [&str; 13] =
    ["rs", "lua", "proto", "js", "mjs", "css", "html", "py", "sh", "md", "toml", "yml", "yaml"];

/// The repository as the laws see it.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The packages of the workspace.
    pub(crate) packages: Vec<Package>,
    /// The text files, without generated and vendored ones.
    pub(crate) files: Vec<File>,
    /// Every file and folder, as paths from the root, without a trailing slash.
    pub(crate) paths: BTreeSet<String>,
}

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name in its manifest.
    pub(crate) name: String,
    /// Its folder, as a path from the root.
    pub(crate) folder: String,
    /// What it depends on directly.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A direct dependency of a package.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package depended on.
    pub(crate) name: String,
    /// Whether only its tests and examples need it.
    pub(crate) dev: bool,
}

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// A place where a law is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    /// The file, with its line where there is one, or the package.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) what: String,
}

impl Tree {
    /// Reads the repository at `root`.
    ///
    /// # Errors
    ///
    /// When cargo cannot read the manifests or a file cannot be read.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self { packages: packages()?, ..Self::default() };
        walk(root, "", &mut tree)?;
        Ok(tree)
    }

    /// Returns the file at `path`, if it is there.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Returns the package called `name`, if it is one of ours.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl File {
    /// Returns what follows the last dot of the file's name, or nothing.
    pub(crate) fn ending(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, ending)| ending)
    }

    /// Says whether the file is written by a program.
    pub(crate) fn is_generated(&self) -> bool {
        self.path.contains(".min.") || self.text.lines().take(5).any(|line| line.contains("@generated"))
    }

    /// Says whether the file holds tests and nothing else.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
    }
}

impl Breach {
    /// Makes a breach at a line of a file; lines count from 1.
    pub(crate) fn at(file: &File, line: usize, what: impl Into<String>) -> Self {
        Self { place: format!("{}:{line}", file.path), what: what.into() }
    }

    /// Makes a breach of a whole file, folder or package.
    pub(crate) fn of(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// Reads the packages of the workspace from cargo.
fn packages() -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Manifest>,
        workspace_root: String,
    }
    #[derive(Deserialize)]
    struct Manifest {
        name: String,
        manifest_path: String,
        dependencies: Vec<Edge>,
    }
    #[derive(Deserialize)]
    struct Edge {
        name: String,
        kind: Option<String>,
    }

    let output = cargo().args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("could not read cargo metadata")?;
    let root = Path::new(&metadata.workspace_root);
    let packages = metadata.packages.into_iter().map(|manifest| {
        let folder =
            Path::new(&manifest.manifest_path).parent().and_then(|folder| folder.strip_prefix(root).ok());
        let dependencies = manifest.dependencies.into_iter();
        Package {
            name: manifest.name,
            folder: folder.map(|folder| folder.display().to_string()).unwrap_or_default(),
            dependencies: dependencies
                .map(|edge| Dependency { name: edge.name, dev: edge.kind.as_deref() == Some("dev") })
                .collect(),
        }
    });
    Ok(packages.collect())
}

/// Adds all that lies in `folder`, a path from the root, to the tree.
fn walk(root: &Path, folder: &str, tree: &mut Tree) -> Result<()> {
    let entries = fs::read_dir(root.join(folder)).with_context(|| format!("could not list {folder}"))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type()?;
        tree.paths.insert(path.clone());
        if kind.is_dir() && !FOREIGN_FOLDERS.contains(&name.as_str()) {
            walk(root, &path, tree)?;
        } else if kind.is_file() && TEXT_ENDINGS.iter().any(|ending| name.ends_with(&format!(".{ending}"))) {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("could not read {path}"))?;
            tree.files.push(File { path, text });
        }
    }
    tree.files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(())
}

#[cfg(test)]
pub(crate) mod planted {
    //! Small trees for the tests of the laws.

    use super::{Dependency, File, Package, Tree};

    /// Makes a tree of packages given as (name, folder, direct dependencies; a leading `dev:` marks a dev one).
    pub(crate) fn packages(packages: &[(&str, &str, &[&str])]) -> Tree {
        let packages = packages.iter().map(|(name, folder, dependencies)| Package {
            name: (*name).into(),
            folder: (*folder).into(),
            dependencies: dependencies
                .iter()
                .map(|text| match text.strip_prefix("dev:") {
                    Some(name) => Dependency { name: name.into(), dev: true },
                    None => Dependency { name: (*text).into(), dev: false },
                })
                .collect(),
        });
        Tree { packages: packages.collect(), ..Tree::default() }
    }

    /// Makes a tree of text files given as (path, text).
    pub(crate) fn files(files: &[(&str, &str)]) -> Tree {
        Tree {
            paths: files.iter().map(|(path, _)| (*path).into()).collect(),
            files: files
                .iter()
                .map(|(path, text)| File { path: (*path).into(), text: (*text).into() })
                .collect(),
            ..Tree::default()
        }
    }
}
