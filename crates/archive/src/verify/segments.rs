//! The way through the segments: what may follow on what.

use std::path::Path;

use fallow_ledger::Change;
use fallow_ledger::state::{NotNext, State};
use fallow_ledger::{Cursor, Revision, Versioned};

use super::{Against, Break, Last, Report, Told, short_of};
use crate::batch::{Batch, Reading};
use crate::entry::{Checkpoint, Entry, Header, Snapshot, Start};
use crate::finding::{Finding, Flaw, Place};
use crate::frame::Chain;
use crate::segment::{Found, Reader};

/// A walk through an archive.
pub(super) struct Walk<'a> {
    against: &'a Against,
    tell: &'a mut dyn FnMut(Told<'_>),
    report: Report,
    /// The parts of a snapshot that is not whole yet.
    parts: Vec<Versioned>,
    next_part: u64,
    /// Whether each witness was met where it says.
    met: Vec<bool>,
}

/// What a segment has told and no checkpoint has covered yet.
#[derive(Default)]
struct Pending {
    entries: Vec<Entry>,
    proofs: Reading,
}

impl Pending {
    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Change(change) => Some(change),
            Entry::Header(_)
            | Entry::Snapshot(_)
            | Entry::Line(_)
            | Entry::Seed(_)
            | Entry::Tree(_)
            | Entry::Checkpoint(_) => None,
        })
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        against: &'a Against,
        findings: Vec<Finding>,
        tell: &'a mut dyn FnMut(Told<'_>),
    ) -> Self {
        let report = Report { findings, ..Report::default() };
        let met = vec![false; against.witnesses.len()];
        Self { against, tell, report, parts: Vec::new(), next_part: 0, met }
    }

    pub(super) fn told(&mut self, told: Told<'_>) {
        (self.tell)(told);
    }

    pub(super) fn found(&mut self, finding: Finding) {
        // What comes after it cannot be joined to what was before.
        self.report.state = None;
        self.report.findings.push(finding);
    }

    /// Reads one segment, and returns the chain at its end.
    pub(super) fn segment(
        &mut self,
        number: u64,
        path: &Path,
        before: Chain,
        (follows, through): (bool, Option<u64>),
    ) -> Result<Chain, Finding> {
        let mut reader = Reader::open(path, before)?.through(through);
        self.report.segments += 1;
        self.report.bytes += reader.len();
        let (mut header, mut last, mut pending) = (None::<Header>, Revision::ABSENT, Pending::default());
        let (mut chain, mut is_closed, mut line) = (before, false, None);
        let mut end = Place { segment: crate::folder::name(number), record: 0, byte: reader.len() };
        while let Some(found) = reader.next()? {
            let Found { place, before, chain: with, entry, end: _ } = found;
            let failed = |flaw| Finding { place: place.clone(), flaw };
            end.record = place.record;
            if is_closed {
                return Err(failed(Flaw::Misplaced("a record after the close of a segment")));
            }
            if pending.proofs.is_over() && !matches!(entry, Entry::Checkpoint(_)) {
                return Err(failed(Flaw::Misplaced("a record between a tree and its checkpoint")));
            }
            match (entry, &header) {
                (Entry::Header(found), None) => {
                    last = self.header(&found, number, before).map_err(failed)?;
                    header = Some(found);
                }
                (Entry::Header(_), Some(_)) => return Err(failed(Flaw::Misplaced("a second header"))),
                (_, None) => return Err(failed(Flaw::Misplaced("a record before the header"))),
                (Entry::Change(change), Some(_)) => {
                    let expected = last.next();
                    if change.revision != expected {
                        return Err(failed(NotNext { expected, found: change.revision }.into()));
                    }
                    last = expected;
                    pending.entries.push(Entry::Change(change));
                }
                (Entry::Snapshot(snapshot), Some(header)) => {
                    if header.start != Start::Anew || snapshot.revision != last {
                        return Err(failed(Flaw::Misplaced("a snapshot")));
                    }
                    pending.entries.push(Entry::Snapshot(snapshot));
                }
                (Entry::Line(read_on), Some(_)) => {
                    line = Some(read_on.clone());
                    pending.entries.push(Entry::Line(read_on));
                }
                (Entry::Seed(seed), Some(_)) => {
                    pending.proofs.seed(seed).map_err(failed)?;
                    pending.entries.push(Entry::Seed(seed));
                }
                (Entry::Tree(tree), Some(_)) => {
                    pending.proofs.tree(tree, before).map_err(failed)?;
                    pending.entries.push(Entry::Tree(tree));
                }
                (Entry::Checkpoint(checkpoint), Some(header)) => {
                    self.checkpoint(&checkpoint, header, &before, last).map_err(failed)?;
                    is_closed = checkpoint.closes;
                    let mut covered = std::mem::take(&mut pending);
                    let batch = std::mem::take(&mut covered.proofs).end(covered.changes(), &checkpoint);
                    let batch = batch.map_err(failed)?;
                    self.confirm(covered, header, batch.as_ref()).map_err(failed)?;
                    let (header, checkpoint) = (header.clone(), checkpoint);
                    self.stand(Last { header, checkpoint, before, chain: with, line: line.clone() });
                }
            }
            chain = with;
        }
        let failed = |flaw| Finding { place: end.clone(), flaw };
        // A header by itself is nothing that anybody said either.
        let unconfirmed =
            pending.entries.len() as u64 + u64::from(header.is_none() || self.is_unsaid(number));
        if unconfirmed > 0 {
            return Err(failed(Flaw::Unconfirmed { records: unconfirmed }));
        }
        if follows && !is_closed {
            return Err(failed(Flaw::NotClosed));
        }
        Ok(chain)
    }

    fn is_unsaid(&self, number: u64) -> bool {
        self.report.last.as_ref().is_none_or(|last| last.header.number != number)
    }

    /// Holds a header against the place that it stands in, and returns the revision before its first change.
    fn header(&mut self, header: &Header, number: u64, before: Chain) -> Result<Revision, Flaw> {
        let says = |says: String, is: String| Err(Flaw::Header { says, is });
        if header.number != number {
            return says(format!("segment {}", header.number), format!("segment {number}"));
        }
        if header.before != before {
            return Err(Flaw::Chain);
        }
        if let Some(region) = self.report.region.as_ref().filter(|region| **region != header.region) {
            return says(format!("region {}", header.region), format!("region {region}"));
        }
        let after = Revision(header.first.0.saturating_sub(1));
        match header.start {
            Start::Beginning if after != Revision::ABSENT => {
                return says("the beginning of a log".to_owned(), format!("revision {}", header.first));
            }
            Start::Onward if number == 1 => {
                return says("that it goes on".to_owned(), "the first segment".to_owned());
            }
            Start::Beginning => self.report.state = Some(State::default()),
            Start::Anew => self.report.state = None,
            Start::Onward => {}
        }
        if let Some(last) = &self.report.last {
            let cursor = last.cursor();
            let is_next = number == last.header.number.saturating_add(1);
            if header.start != Start::Onward {
                let (after, at) = (header.cursor(after), header.begun_at);
                self.report.breaks.push(Break { number, before: cursor, after, at });
            } else if is_next && cursor != header.cursor(after) {
                return says(format!("that it goes on at {}", header.cursor(after)), cursor.to_string());
            }
        }
        self.report.region = Some(header.region.clone());
        self.parts.clear();
        Ok(after)
    }

    fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        header: &Header,
        before: &Chain,
        last: Revision,
    ) -> Result<(), Flaw> {
        if checkpoint.revision != last {
            return Err(Flaw::Checkpoint { says: checkpoint.revision, is: last });
        }
        self.report.checkpoints += 1;
        if self.against.keys.is_empty() {
            return Ok(());
        }
        if checkpoint.signature.is_none() {
            return Err(Flaw::Unsigned);
        }
        match self.against.keys.iter().any(|key| key.has_signed(checkpoint, header, before)) {
            true => Ok(()),
            false => Err(Flaw::Signature),
        }
    }

    /// Takes over what a checkpoint covers.
    fn confirm(&mut self, pending: Pending, header: &Header, batch: Option<&Batch>) -> Result<(), Flaw> {
        for entry in pending.entries {
            match entry {
                Entry::Change(change) => self.change(&change, header, batch)?,
                Entry::Snapshot(snapshot) => self.snapshot(snapshot)?,
                Entry::Header(_)
                | Entry::Line(_)
                | Entry::Seed(_)
                | Entry::Tree(_)
                | Entry::Checkpoint(_) => {}
            }
        }
        Ok(())
    }

    fn change(&mut self, change: &Change, header: &Header, batch: Option<&Batch>) -> Result<(), Flaw> {
        self.report.changes += 1;
        self.report.first.get_or_insert(change.revision);
        if let Some(state) = &mut self.report.state {
            state.apply(change)?;
        }
        (self.tell)(Told::Change { change, header, batch });
        Ok(())
    }

    fn snapshot(&mut self, snapshot: Snapshot) -> Result<(), Flaw> {
        if snapshot.part == 0 {
            self.parts.clear();
        } else if snapshot.part != self.next_part {
            return Err(Flaw::Misplaced("a part of a snapshot"));
        }
        self.next_part = snapshot.part + 1;
        self.parts.extend(snapshot.records);
        if !snapshot.is_last {
            return Ok(());
        }
        let drawn = State::of(std::mem::take(&mut self.parts), snapshot.revision);
        if self.report.state.as_ref().is_some_and(|state| *state != drawn) {
            return Err(Flaw::Snapshot);
        }
        (self.tell)(Told::Snapshot(&drawn));
        self.report.state = Some(drawn);
        Ok(())
    }

    fn stand(&mut self, last: Last) {
        for (witness, met) in self.against.witnesses.iter().zip(&mut self.met) {
            *met |= witness.cursor == last.cursor() && witness.chain == last.chain;
        }
        self.report.last = Some(last);
    }

    /// Ends the walk: no witness may have seen more, or something else.
    pub(super) fn finish(mut self, place: Place) -> Report {
        let passed = |cursor: &Cursor, report: &Report| {
            let last = report.last.as_ref().map(Last::cursor);
            last.is_some_and(|last| {
                last.history() == cursor.history() && last.revision() >= cursor.revision()
            })
        };
        for (witness, met) in self.against.witnesses.iter().zip(&self.met).filter(|(_, met)| !**met) {
            debug_assert!(!met);
            let flaw = match passed(&witness.cursor, &self.report) {
                true => Flaw::Differs { witness: witness.name.clone(), saw: witness.cursor.revision() },
                false => match short_of(self.report.last.as_ref(), witness) {
                    Some(short) => short,
                    None => Flaw::Differs { witness: witness.name.clone(), saw: witness.cursor.revision() },
                },
            };
            self.report.findings.push(Finding { place: place.clone(), flaw });
        }
        self.report
    }
}
