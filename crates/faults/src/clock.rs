//! Clocks of other processes that can be stepped: a shim of C, loaded into them before anything else.
//!
//! What it adds to the wall clock lies in a file that the process maps, so that a step takes effect at once and the
//! steady clocks, by which everybody waits, run on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const SOURCE: &str = include_str!("clock.c");

/// The compiled shim.
#[derive(Debug, Clone)]
pub(crate) struct Shim {
    library: PathBuf,
}

impl Shim {
    /// Compiles the shim into a folder. Whoever builds Rust has a C compiler: it links for it.
    ///
    /// # Errors
    /// There is no C compiler, or it fails.
    pub(crate) fn compile(folder: &Path) -> Result<Self> {
        let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
        std::fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let done = compiler.output().context("the clock's shim needs a C compiler, cc")?;
        if !done.status.success() {
            bail!("cc cannot compile the clock's shim: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(Self { library })
    }

    /// Returns the environment of a process whose clock a file steps.
    pub(crate) fn environment(&self, clock: &Stepped) -> [(String, String); 2] {
        [
            ("LD_PRELOAD".to_owned(), self.library.display().to_string()),
            ("FALLOW_FAULTS_CLOCK".to_owned(), clock.file.display().to_string()),
        ]
    }
}

/// The clock of a process.
#[derive(Debug, Clone)]
pub(crate) struct Stepped {
    file: PathBuf,
}

impl Stepped {
    /// Makes a clock that is right.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn new(file: PathBuf) -> Result<Self> {
        let clock = Self { file };
        clock.step(0)?;
        Ok(clock)
    }

    /// Sets how many seconds the clock is ahead; negative = behind.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn step(&self, seconds: i64) -> Result<()> {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(&self.file)?;
        // Written in place: a process may have mapped it.
        file.write_all_at(&seconds.to_ne_bytes(), 0)?;
        Ok(())
    }
}
