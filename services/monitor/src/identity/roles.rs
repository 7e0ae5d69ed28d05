//! Tables of roles: what each organisation's registration authority says its national roles are in Fallow.
//!
//! No national code means "Fallow bed manager", so every organisation decides for itself, in a file of its own:
//!
//! ```toml
//! organisation = "ZA1"          # as the file is named: ZA1.toml
//! kind = "trust"                # trust: roles of this trust. region: roles above trusts
//! [[role]]
//! code = "S8000:G8000:R8008"    # the whole national code, or its last part
//! activities = ["B0401"]        # all of them are needed; may be left out
//! gives = "bed_manager"
//! ```
//!
//! The first row that fits decides. What no row gives is no role.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::Role;
use fallow_domain::ids::TrustCode;
use fallow_host::clock::Clock;
use fallow_host::identity::provider::ChosenRole;
use serde::Deserialize;
use thiserror::Error;

/// How often the files are read again.
const READ_AGAIN: Duration = Duration::from_secs(60);
/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Most files.
const FILES_MAX: usize = 500;
/// Most rows of a file.
const ROWS_MAX: usize = 500;

/// What is wrong with the tables: one line for each file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("provider.role_folder: {}", .0.join("; "))]
pub struct RoleTablesError(Vec<String>);

/// Whose roles a file gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Those of one trust.
    Trust,
    /// Those above trusts.
    Region,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    organisation: String,
    kind: Kind,
    role: Vec<Row>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: String,
    #[serde(default)]
    activities: Vec<String>,
    gives: Role,
}

type Tables = BTreeMap<String, Table>;

/// The tables of all organisations, read again every minute.
pub struct RoleTables {
    folder: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    tables: Tables,
    read: Duration,
}

impl RoleTables {
    /// Reads the tables of a folder.
    ///
    /// # Errors
    /// Names every file that cannot be used, and why.
    pub fn open(folder: &Path, clock: &Clock) -> Result<Self, RoleTablesError> {
        let Read { tables, problems, unread: _ } = read(folder);
        if !problems.is_empty() {
            return Err(RoleTablesError(problems));
        }
        if tables.is_empty() {
            return Err(RoleTablesError(vec![format!(
                "{} holds no file such as ZA1.toml",
                folder.display()
            )]));
        }
        let known = Mutex::new(Known { tables, read: clock.steady() });
        Ok(Self { folder: folder.to_owned(), known })
    }

    /// Returns what a national role is here, and the trust that it acts for.
    ///
    /// # Errors
    /// `NO_ROLE` when its organisation's table does not give it one, or when a trust of the region, as `is_trust` says,
    /// calls itself above trusts.
    pub(super) async fn here(
        &self,
        chosen: &ChosenRole,
        is_trust: impl Fn(TrustCode) -> bool,
        clock: &Clock,
    ) -> Result<(Role, Option<TrustCode>), Failure> {
        self.read_again(clock).await;
        let known = self.lock();
        let organisation = &chosen.organisation;
        let none = |text: String| Err(Failure::Forbidden { reason: reasons::NO_ROLE, text });
        let Some(table) = known.tables.get(organisation) else {
            return none(format!(
                "{organisation} has no table of roles in Fallow: ask your registration authority"
            ));
        };
        let Some(row) = table.role.iter().find(|row| row.fits(chosen)) else {
            return none(format!(
                "the table of {organisation} gives your role none in Fallow: ask your registration authority"
            ));
        };
        match table.kind {
            // Each registration authority keeps its own file: a trust's own gives nothing above the trust.
            Kind::Region if organisation.parse().is_ok_and(is_trust) => {
                tracing::error!(%organisation, "the table of roles of a trust is of kind region: it gives none");
                none(format!("{organisation} is a trust, whose table gives roles of the trust alone"))
            }
            Kind::Region => Ok((row.gives, None)),
            Kind::Trust => match organisation.parse() {
                Ok(trust) => Ok((row.gives, Some(trust))),
                // The file was checked; what is no code is no trust's.
                Err(_) => none(format!("{organisation} is no trust's code")),
            },
        }
    }

    /// Reads the files again once their time has come. One that cannot be used leaves its organisation as it was.
    async fn read_again(&self, clock: &Clock) {
        let now = clock.steady();
        {
            let mut known = self.lock();
            if now.saturating_sub(known.read) < READ_AGAIN {
                return;
            }
            // Whoever comes meanwhile goes on with what is known.
            known.read = now;
        }
        let folder = self.folder.clone();
        let Ok(Read { mut tables, problems, unread }) =
            tokio::task::spawn_blocking(move || read(&folder)).await
        else {
            return;
        };
        let mut known = self.lock();
        if !problems.is_empty() {
            tracing::error!(
                problems = problems.join("; "),
                "tables of roles cannot be used: the last good ones stay"
            );
            // A file that is gone gives nothing any more, whatever is wrong with another.
            for (organisation, table) in std::mem::take(&mut known.tables) {
                if unread.covers(&organisation) {
                    tables.entry(organisation).or_insert(table);
                }
            }
        }
        known.tables = tables;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // The tables are replaced as a whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn fits(&self, chosen: &ChosenRole) -> bool {
        let last = chosen.code.rsplit(':').next().unwrap_or_default();
        (self.code == chosen.code || self.code == last)
            && self.activities.iter().all(|activity| chosen.activities.contains(activity))
    }
}

impl Table {
    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let table: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if table.organisation != name {
            return Err(format!("organisation must be {name}, as the file is named"));
        }
        let wanted = match table.kind {
            Kind::Trust => "a role of a trust: bed_manager, site_lead, coordinator or lead_provider",
            Kind::Region => {
                "a role above trusts: coordinator, icb, lead_provider, gold, auditor or platform_admin"
            }
        };
        if table.kind == Kind::Trust && name.parse::<TrustCode>().is_err() {
            return Err(format!("{name} is no ODS code of a trust"));
        }
        if table.role.is_empty() || table.role.len() > ROWS_MAX {
            return Err(format!("must have 1 to {ROWS_MAX} tables [[role]]"));
        }
        match table.role.iter().position(|row| row.code.is_empty() || !table.kind.gives(row.gives)) {
            Some(row) => Err(format!("role {}: code must be given, and gives must be {wanted}", row + 1)),
            None => Ok(table),
        }
    }
}

impl Kind {
    /// Says whether a file of this kind may give a role. No file gives a system's: systems have certificates.
    const fn gives(self, role: Role) -> bool {
        match role {
            Role::BedManager | Role::SiteLead => matches!(self, Self::Trust),
            Role::Coordinator | Role::LeadProvider => true,
            Role::Icb | Role::Gold | Role::Auditor | Role::PlatformAdmin => matches!(self, Self::Region),
            Role::TrustSystem | Role::Engine | Role::Console => false,
        }
    }
}

/// What was found in a folder.
struct Read {
    tables: Tables,
    /// One line for each file that cannot be used.
    problems: Vec<String>,
    /// Whose tables nothing is known of.
    unread: Unread,
}

/// Organisations of whose tables nothing is known.
enum Unread {
    /// These.
    Some(BTreeSet<String>),
    /// All, for the folder cannot be read as a whole.
    All,
}

impl Unread {
    fn covers(&self, organisation: &str) -> bool {
        match self {
            Self::Some(names) => names.contains(organisation),
            Self::All => true,
        }
    }
}

/// Reads every table of a folder, and says what is wrong with the others.
fn read(folder: &Path) -> Read {
    let (mut tables, mut problems, mut unread) = (Tables::new(), Vec::new(), BTreeSet::new());
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) => {
            let problems = vec![format!("{}: {error}", folder.display())];
            return Read { tables, problems, unread: Unread::All };
        }
    };
    let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let is_too_many = paths.len() > FILES_MAX;
    if is_too_many {
        problems.push(format!("{} holds more than {FILES_MAX} files", folder.display()));
        paths.truncate(FILES_MAX);
    }
    for path in paths {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match read_one(&path).and_then(|text| Table::parse(&name, &text)) {
            Ok(table) => drop(tables.insert(name, table)),
            Err(what) => {
                problems.push(format!("{}: {what}", path.display()));
                unread.insert(name);
            }
        }
    }
    let unread = if is_too_many { Unread::All } else { Unread::Some(unread) };
    Read { tables, problems, unread }
}

fn read_one(path: &Path) -> Result<String, String> {
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("has {bytes} bytes, of which {FILE_BYTES_MAX} are the most"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    const ZA1: &str = r#"
        organisation = "ZA1"
        kind = "trust"
        [[role]]
        code = "R8008"
        activities = ["B0401", "B0572"]
        gives = "site_lead"
        [[role]]
        code = "S8000:G8000:R8008"
        gives = "bed_manager"
    "#;

    fn chosen(organisation: &str, code: &str, activities: &[&str]) -> ChosenRole {
        let activities = activities.iter().map(|code| (*code).to_owned()).collect();
        ChosenRole { organisation: organisation.to_owned(), code: code.to_owned(), activities }
    }

    #[tokio::test]
    async fn the_first_row_that_fits_decides_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ZA1.toml"), ZA1).unwrap();
        let gold =
            "organisation = \"QNV\"\nkind = \"region\"\n[[role]]\ncode = \"R8010\"\ngives = \"gold\"\n";
        std::fs::write(folder.path().join("QNV.toml"), gold).unwrap();
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let tables = RoleTables::open(folder.path(), &clock).unwrap();
        for (role, gives) in [
            (
                chosen("ZA1", "S8000:G8000:R8008", &["B0401", "B0572", "B0001"]),
                Some((Role::SiteLead, Some("ZA1"))),
            ),
            (chosen("ZA1", "S8000:G8000:R8008", &["B0401"]), Some((Role::BedManager, Some("ZA1")))),
            (chosen("ZA1", "S8000:G8001:R8008", &["B0401"]), None),
            (chosen("ZA1", "S8000:G8000:R80081", &[]), None),
            (chosen("ZA2", "S8000:G8000:R8008", &[]), None),
            (chosen("QNV", "S8000:G8000:R8010", &[]), Some((Role::Gold, None))),
        ] {
            let found = tables.here(&role, |_| false, &clock).await.map_err(|refused| refused.reason());
            let trust = |trust: Option<&str>| trust.map(|trust| trust.parse::<TrustCode>().unwrap());
            let expected = gives.map(|(role, of)| (role, trust(of))).ok_or(reasons::NO_ROLE);
            assert_eq!(found, expected, "{role:?}");
        }
    }

    #[tokio::test]
    async fn a_trust_that_calls_itself_a_region_has_no_roles() {
        let folder = tempfile::tempdir().unwrap();
        for organisation in ["ZA1", "QNV"] {
            let gold = format!(
                "organisation = \"{organisation}\"\nkind = \"region\"\n[[role]]\ncode = \"R8010\"\ngives = \"gold\"\n"
            );
            std::fs::write(folder.path().join(format!("{organisation}.toml")), gold).unwrap();
        }
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let tables = RoleTables::open(folder.path(), &clock).unwrap();
        let is_trust = |code: TrustCode| code.as_str() == "ZA1";
        for (organisation, expected) in [("ZA1", Err(reasons::NO_ROLE)), ("QNV", Ok((Role::Gold, None)))] {
            let role = chosen(organisation, "S8000:G8000:R8010", &[]);
            let found = tables.here(&role, is_trust, &clock).await.map_err(|refused| refused.reason());
            assert_eq!(found, expected, "{organisation}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_again_and_a_spoilt_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("ZA1.toml"), Clock::manual(Timestamp::UNIX_EPOCH));
        std::fs::write(&path, ZA1).unwrap();
        let tables = RoleTables::open(folder.path(), &clock).unwrap();
        let role = chosen("ZA1", "S8000:G8000:R8008", &[]);
        for (text, gives) in [
            (ZA1.replace("bed_manager", "coordinator"), Ok(Role::Coordinator)),
            ("spoilt".to_owned(), Ok(Role::Coordinator)),
            (ZA1.replace("S8000:G8000:R8008", "R9"), Err(reasons::NO_ROLE)),
        ] {
            std::fs::write(&path, text).unwrap();
            let before = tables
                .here(&role, |_| false, &clock)
                .await
                .map(|found| found.0)
                .map_err(|refused| refused.reason());
            assert_ne!(before.map(|role| role.to_string()).unwrap_or_default(), "");
            clock.advance(SignedDuration::from_secs(60));
            let after = tables
                .here(&role, |_| false, &clock)
                .await
                .map(|found| found.0)
                .map_err(|refused| refused.reason());
            assert_eq!(after, gives);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_gone_gives_nothing_while_another_is_spoilt() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("ZA1.toml"), ZA1).unwrap();
        std::fs::write(path("ZA2.toml"), ZA1.replace("ZA1", "ZA2")).unwrap();
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let tables = RoleTables::open(folder.path(), &clock).unwrap();
        let given = async |organisation: &str| {
            let role = chosen(organisation, "S8000:G8000:R8008", &[]);
            tables.here(&role, |_| false, &clock).await.is_ok()
        };
        assert!(given("ZA1").await && given("ZA2").await);
        std::fs::remove_file(path("ZA1.toml")).unwrap();
        std::fs::write(path("ZA2.toml"), "spoilt").unwrap();
        clock.advance(SignedDuration::from_secs(60));
        // The first to come after a minute waits until the files are read.
        assert!(!given("ZA1").await);
        assert!(given("ZA2").await);
        // A folder that cannot be read says nothing of anybody.
        std::fs::remove_dir_all(folder.path()).unwrap();
        clock.advance(SignedDuration::from_secs(60));
        assert!(given("ZA2").await && !given("ZA1").await);
    }

    #[test]
    fn what_a_file_may_not_say_is_told_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let refused = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let error = RoleTables::open(folder.path(), &clock).err().unwrap().to_string();
            std::fs::remove_file(path).unwrap();
            error
        };
        for (name, text, why) in [
            ("ZA2.toml", ZA1.to_owned(), "organisation must be ZA2"),
            ("ZA1.toml", ZA1.replace("bed_manager", "gold"), "role 2: code must be given"),
            ("ZA1.toml", ZA1.replace("bed_manager", "icb"), "role 2: code must be given"),
            ("ZA1.toml", ZA1.replace("bed_manager", "trust_system"), "a role of a trust"),
            ("ZA1.toml", ZA1.replace("\"trust\"", "\"region\""), "a role above trusts"),
            ("ZA1.toml", ZA1.replace("bed_manager", "king"), "king"),
            ("ZA1.toml", ZA1.replace("activities", "activity"), "unknown field `activity`"),
            ("ZA1.toml", "organisation = \"ZA1\"\nkind = \"trust\"\nrole = []".to_owned(), "1 to 500"),
            ("ZA1.toml", "x".repeat(70_000), "bytes"),
            ("readme.md", String::new(), "holds no file"),
        ] {
            let error = refused(name, &text);
            assert!(error.contains(why) && error.starts_with("provider.role_folder: "), "{error}");
        }
    }
}
