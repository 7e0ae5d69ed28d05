//! Applying a region file: by the platform's administrators over the wire, or at the start of a process over a ledger
//! that holds none yet.

use std::collections::BTreeMap;

use fallow_api::convert::region::problems;
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::violation::Violations;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{CollaborativeId, Label, RegionId, SiteCode, TrustCode};
use fallow_domain::proposal::ProposalState;
use fallow_domain::region::file::{self, RegionFileError, RegionProblem};
use fallow_domain::region::{Collaborative, Region};
use fallow_domain::standing::RegionState;
use fallow_host::texts::{self, Source};
use fallow_ledger::RecordKind;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, region_key};
use fallow_ledger::transact::{Done, Step, View};
use fallow_live::Live;
use fallow_live::mutate::Mutation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::diff::{self, Change};

/// What a file that was applied changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Counts the files applied.
    pub(crate) version: u64,
    /// Every difference, in order of path. A repetition is told what the ledger remembers, which is all of it but in
    /// the largest of files.
    pub(crate) changes: Vec<Change>,
}

/// Applies a region file, and returns every difference that it makes. A file that says what is in force already is no
/// change, and nothing is written.
///
/// # Errors
/// [`Failure::Invalid`] with everything that is wrong with the file at once; as [`Live::mutate`].
pub(crate) async fn run(live: &Live, mutation: &Mutation, toml: &str) -> Result<Done<Applied>, Failure> {
    let key = region_key(live.region_id());
    let after = checked(live, toml, mutation.at)?;
    let mut all = None;
    let done =
        live.mutate(mutation, vec![key.clone()], |view| match hold(live, mutation, view, toml, &after)? {
            Held::Same { version } => Ok(Step::Answer(Applied { version, changes: Vec::new() })),
            Held::Next { state, changes } => {
                let answer = Applied { version: state.version, changes: diff::remembered(&changes) };
                all = Some(changes);
                Ok(Step::Write { writes: vec![(key.clone(), Some(Record::Region(state)))], answer })
            }
        });
    let mut done = done.await?;
    if let Some(changes) = all.filter(|_| !done.replayed && !done.answer.changes.is_empty()) {
        done.answer.changes = changes;
    }
    Ok(done)
}

/// What a file comes to over the one in force.
pub(crate) enum Held {
    /// It says what is in force already.
    Same {
        /// Which file that is, counted from 1.
        version: u64,
    },
    /// It comes into force.
    Next {
        /// The region's new state.
        state: RegionState,
        /// Every difference, in order of path.
        changes: Vec<Change>,
    },
}

/// Holds a checked file against the one in force, which the view must have.
///
/// # Errors
/// Trusts and sites that are left out and have live records.
pub(crate) fn hold(
    live: &Live,
    mutation: &Mutation,
    view: &View,
    toml: &str,
    after: &Region,
) -> Result<Held, Failure> {
    let before = match view.get(&region_key(live.region_id())) {
        Some(Record::Region(state)) => Some(state),
        Some(_) | None => None,
    };
    if let Some(same) = before.filter(|state| state.toml == toml) {
        return Ok(Held::Same { version: same.version });
    }
    // A file that this version cannot read any more is replaced as a whole.
    let was = before.and_then(|state| file::parse(&state.toml).ok());
    in_use(live.picture(), was.as_ref(), after)?;
    let changes = diff::between(was.as_ref(), after);
    Ok(Held::Next { state: next(before, toml, after, mutation), changes })
}

/// Applies a region file to a ledger that holds none yet. One that is there stays, whatever it says.
///
/// Several processes may do this at once: the first one's commit wins, and the others find it there.
///
/// # Errors
/// As for a call of `ApplyRegion`.
pub async fn bootstrap(live: &Live, toml: &str, at: Timestamp) -> Result<(), Failure> {
    if live.picture().get(&region_key(live.region_id())).is_some() {
        return Ok(());
    }
    let mutation = Mutation {
        actor: Actor {
            subject: Label::parse("region.file").unwrap_or_default(),
            kind: ActorKind::System,
            role: Role::PlatformAdmin,
            trust: None,
        },
        verb: "ApplyRegion",
        at,
        is_feed: false,
        request: None,
        validate_only: false,
        expected: None,
        traceparent: None,
        decided_at: None,
    };
    let key = region_key(live.region_id());
    let after = checked(live, toml, mutation.at)?;
    live.mutate(&mutation, vec![key.clone()], |view| {
        if view.get(&key).is_some() {
            return Ok(Step::Answer(()));
        }
        let state = next(None, toml, &after, &mutation);
        Ok(Step::Write { writes: vec![(key.clone(), Some(Record::Region(state)))], answer: () })
    })
    .await?;
    tracing::info!(region = %after.id, trusts = after.trusts.len(), "the region file is applied");
    Ok(())
}

/// Reads a file for this region.
pub(crate) fn checked(live: &Live, toml: &str, at: Timestamp) -> Result<Region, Failure> {
    check(live.region_id(), toml, at)
}

/// Reads a file for a region, and says what would keep it from being put in force. One that is in force already is not to be
/// asked this: it may be older than what is looked at here.
///
/// # Errors
/// [`Failure::Invalid`] with everything that is wrong with the file at once.
pub fn check(id: &RegionId, toml: &str, at: Timestamp) -> Result<Region, Failure> {
    let region = file::parse(toml).map_err(|error| problems(&error))?;
    let unfit: Vec<_> = file::approvals_of_nobody(&region).into_iter().chain(unknown_zone(&region)).collect();
    if !unfit.is_empty() {
        return Err(problems(&RegionFileError { problems: unfit }).into());
    }
    if region.id != *id {
        let text = format!("must be {id}, the region that this process serves");
        return Err(Violations::one("region: id", reasons::INVALID_REGION, text).into());
    }
    texts::check_all(words(&region, toml), at)?;
    Ok(region)
}

/// Says so where nobody knows the region's time zone: every time would be shown and read in another.
fn unknown_zone(region: &Region) -> Option<RegionProblem> {
    let message =
        || format!("must be the name of a time zone, such as Europe/London, is {:?}", region.timezone);
    let problem = || RegionProblem { path: "region: timezone".to_owned(), message: message() };
    jiff::tz::TimeZone::get(&region.timezone).is_err().then(problem)
}

/// Returns what a file says in words, each with its place: names, codes of areas and remarks. Telephones are those of
/// desks.
fn words<'a>(region: &'a Region, toml: &'a str) -> Vec<(String, &'a str, Source)> {
    let mut words = vec![("region: name".to_owned(), region.name.as_str(), Source::PlaceName)];
    words.extend(
        region
            .trusts
            .iter()
            .map(|(code, trust)| (format!("trust {code}: name"), trust.name.as_str(), Source::PlaceName)),
    );
    words.extend(
        region
            .sites
            .iter()
            .map(|(code, site)| (format!("site {code}: name"), site.name.as_str(), Source::PlaceName)),
    );
    for (number, (code, area)) in (1..).zip(&region.areas) {
        // By number: the code is what may have to stay untold.
        words.push((format!("area {number}: code"), code.as_str(), Source::Note));
        words.push((format!("area {number}: name"), area.name.as_str(), Source::PlaceName));
    }
    let joint = |joint: &'a Collaborative| {
        (format!("collaborative {}: name", joint.id), joint.name.as_str(), Source::PlaceName)
    };
    words.extend(region.collaboratives.iter().map(joint));
    let remarks = toml.lines().enumerate().filter_map(|(line, text)| {
        // A hash within quotes begins no remark.
        let mut places = text.match_indices('#').map(|(place, _)| place);
        let hash = places.find(|place| text[..*place].matches('"').count().is_multiple_of(2))?;
        Some((format!("line {}: remark", line + 1), &text[hash + 1..], Source::Remark))
    });
    words.extend(remarks);
    words
}

fn next(before: Option<&RegionState>, toml: &str, after: &Region, mutation: &Mutation) -> RegionState {
    let stays =
        |id: &CollaborativeId| after.collaboratives.iter().any(|collaborative| collaborative.id == *id);
    let modes = before.map(|state| state.modes.clone()).unwrap_or_default();
    RegionState {
        toml: toml.to_owned(),
        version: before.map_or(0, |state| state.version) + 1,
        // What gold has switched stays switched: a new file is no end of an incident.
        modes: modes.into_iter().filter(|(id, _)| stays(id)).collect(),
        applied_at: mutation.at,
        applied_by: mutation.actor.clone(),
    }
}

/// Refuses to leave out trusts and sites that live records name. A record that is made at the same moment is not seen:
/// it would then be of a place that is not in the region, which is shown but never matched.
fn in_use(picture: &Picture, before: Option<&Region>, after: &Region) -> Result<(), Violations> {
    let Some(before) = before else { return Ok(()) };
    let trusts: Vec<_> = before.trusts.keys().filter(|code| !after.trusts.contains_key(code)).collect();
    let sites: Vec<_> = before.sites.keys().filter(|code| !after.sites.contains_key(code)).collect();
    let mut wrong = Violations::new();
    if !trusts.is_empty() || !sites.is_empty() {
        let uses = Uses::of(picture);
        for trust in trusts {
            refuse("trust", trust, &uses.trusts, &mut wrong);
        }
        for site in sites {
            refuse("site", site, &uses.sites, &mut wrong);
        }
    }
    wrong.or(Some(()))
}

/// How many live records name each trust and site: offers, needs, proposals, transfers.
#[derive(Default)]
struct Uses {
    trusts: BTreeMap<TrustCode, [usize; 4]>,
    sites: BTreeMap<SiteCode, [usize; 4]>,
}

impl Uses {
    fn of(picture: &Picture) -> Self {
        let still = picture.still();
        let mut uses = Self::default();
        for (_, seen) in still.all(RecordKind::Offer) {
            if let Record::Offer(offer) = &*seen.record
                && !offer.state.is_ended()
            {
                uses.add(0, &[offer.trust], Some(offer.site));
            }
        }
        for (_, seen) in still.all(RecordKind::Need) {
            if let Record::Need(need) = &*seen.record
                && !need.state.is_ended()
            {
                uses.add(1, &[need.trust], Some(need.site));
            }
        }
        for (_, seen) in still.all(RecordKind::Proposal) {
            if let Record::Proposal(proposal) = &*seen.record
                && proposal.state == ProposalState::Held
            {
                uses.add(2, &proposal.trusts().collect::<Vec<_>>(), None);
            }
        }
        for (_, seen) in still.all(RecordKind::Transfer) {
            if let Record::Transfer(transfer) = &*seen.record
                && !transfer.is_over()
            {
                uses.add(3, &transfer.trusts().collect::<Vec<_>>(), None);
            }
        }
        uses
    }

    fn add(&mut self, kind: usize, trusts: &[TrustCode], site: Option<SiteCode>) {
        for trust in trusts {
            self.trusts.entry(*trust).or_default()[kind] += 1;
        }
        if let Some(site) = site {
            self.sites.entry(site).or_default()[kind] += 1;
        }
    }
}

fn refuse<C: Ord + std::fmt::Display>(
    what: &str,
    code: &C,
    uses: &BTreeMap<C, [usize; 4]>,
    wrong: &mut Violations,
) {
    let Some(counts) = uses.get(code) else { return };
    let kinds = ["offers", "needs", "proposals", "transfers"];
    let told = counts.iter().zip(kinds).filter(|(count, _)| **count > 0);
    let told: Vec<String> = told.map(|(count, kind)| format!("{kind} ({count})")).collect();
    let text = format!("cannot be left out while it has live {}", told.join(", "));
    wrong.add(format!("{what} {code}"), reasons::INVALID_REGION, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREAS: &str = include_str!("../../../regions/south-west-mental-health.toml");

    fn told(toml: &str) -> Option<String> {
        let region = file::parse(toml).unwrap();
        let now = "2026-11-24T08:00:00Z".parse().unwrap();
        texts::check_all(words(&region, toml), now).err().map(|refused| refused.to_string())
    }

    #[test]
    fn the_words_of_a_file_are_looked_at_and_places_may_be_called_after_people() {
        assert_eq!(told(AREAS), None);
        assert_eq!(told(&format!("{AREAS}\n# beds as of 31/03/2019 09:00, opened 1 Apr 1948\n")), None);
        let name = AREAS.lines().find(|line| line.starts_with("name = ")).unwrap();
        for hospital in ["Sir Robert Peel Community Hospital", "Dr Gray's Hospital"] {
            assert_eq!(told(&AREAS.replacen(name, &format!("name = \"{hospital}\""), 1)), None);
        }
        let area = told(&AREAS.replace("E07000041", "999 476 5914")).unwrap();
        assert!(area.contains("area ") && area.contains("code") && !area.contains("999"), "{area}");
        let remark = told(&format!("{AREAS}\n# for Mrs Example, born 1948\n")).unwrap();
        assert!(remark.contains("remark") && !remark.contains("Example"), "{remark}");
    }
}
