//! From what Redis gives to what the ledger says.

use bytes::Bytes;
use fallow_ledger::{Change, Key, Outcome, Revision, Trouble, Versioned, Writes};

fn corrupt(key: Option<Key>, detail: &str) -> Trouble {
    Trouble::Corrupt { key, detail: detail.to_owned() }
}

fn number(text: &[u8]) -> Option<Revision> {
    std::str::from_utf8(text).ok()?.parse().ok().map(Revision)
}

pub(crate) fn revision(text: &[u8]) -> Result<Revision, Trouble> {
    number(text).ok_or_else(|| corrupt(None, "a revision that is not a number"))
}

pub(crate) fn key(text: &[u8]) -> Result<Key, Trouble> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| corrupt(None, "a record whose name is not of the form kind/id"))
}

/// Reads a field of `live`: the revision in decimal, a space, the body.
pub(crate) fn live(key: Key, stored: Vec<u8>) -> Result<Versioned, Trouble> {
    let space = stored.iter().position(|byte| *byte == b' ');
    let Some((space, revision)) = space.and_then(|space| Some((space, number(&stored[..space])?))) else {
        return Err(corrupt(Some(key), "no revision before the body"));
    };
    let body = Bytes::from(stored).slice(space + 1..);
    Ok(Versioned { key, revision, body })
}

/// One entry of the log: its id, and its fields with their values.
pub(crate) type Entry = (String, Vec<(Vec<u8>, Vec<u8>)>);

/// Reads an entry of the log.
pub(crate) fn change((id, fields): Entry) -> Result<Change, Trouble> {
    let revision = id.strip_suffix("-0").and_then(|id| number(id.as_bytes()));
    let revision =
        revision.ok_or_else(|| corrupt(None, "an entry of the log whose id is not <revision>-0"))?;
    let mut fields = fields.into_iter();
    let cause = match fields.next() {
        Some((name, cause)) if name == b"cause" => Bytes::from(cause),
        Some(_) | None => return Err(corrupt(None, "an entry of the log without a cause")),
    };
    let writes = fields.map(write).collect::<Result<Writes, Trouble>>()?;
    Ok(Change { revision, writes, cause })
}

fn write((name, value): (Vec<u8>, Vec<u8>)) -> Result<(Key, Option<Bytes>), Trouble> {
    let key = key(&name)?;
    match value.first() {
        Some(b'=') => Ok((key, Some(Bytes::from(value).slice(1..)))),
        Some(b'-') => Ok((key, None)),
        Some(_) | None => Err(corrupt(Some(key), "a write in the log that is neither a body nor a deletion")),
    }
}

/// What the commit function said, but for the ends that are troubles.
pub(crate) enum Said {
    Outcome(Outcome),
    Full,
    /// The ledger is not open, or is not the one that the caller saw open: nothing was done.
    Changed,
}

/// Reads the answer of the commit function.
pub(crate) fn said(answer: Vec<Vec<u8>>) -> Result<Said, Trouble> {
    let mut parts = answer.into_iter();
    let word = parts.next().unwrap_or_default();
    let mut part = || parts.next().ok_or_else(|| corrupt(None, "a commit was answered too shortly"));
    Ok(match word.as_slice() {
        b"committed" => Said::Outcome(Outcome::Committed { revision: revision(&part()?)? }),
        b"replayed" => {
            let (revision, answer) = (revision(&part()?)?, part()?.into());
            Said::Outcome(Outcome::Replayed { revision, answer })
        }
        b"conflict" => {
            let keys = parts.map(|name| key(&name)).collect::<Result<_, _>>()?;
            Said::Outcome(Outcome::Conflict { keys })
        }
        b"reused" => Said::Outcome(Outcome::RequestIdReused),
        b"full" => Said::Full,
        b"changed" => Said::Changed,
        _ => return Err(corrupt(None, "a commit was answered in words that are not known")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_corrupt<T>(answer: Result<T, Trouble>) -> bool {
        matches!(answer, Err(Trouble::Corrupt { .. }))
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_corrupt() {
        let offer = || key(b"offer/1").unwrap();
        for stored in ["", "body", "x body", " body", "-1 body"] {
            assert!(is_corrupt(live(offer(), stored.into())), "{stored:?}");
        }
        let cause = || (b"cause".to_vec(), Vec::new());
        let entries: [Entry; 5] = [
            ("7".into(), vec![cause()]),
            ("7-1".into(), vec![cause()]),
            ("7-0".into(), vec![]),
            ("7-0".into(), vec![(b"offer/1".to_vec(), b"=".to_vec())]),
            ("7-0".into(), vec![cause(), (b"offer/1".to_vec(), b"?".to_vec())]),
        ];
        for entry in entries {
            assert!(is_corrupt(change(entry.clone())), "{entry:?}");
        }
        for answer in [vec![], vec!["committed"], vec!["committed", "x"], vec!["replayed", "1"], vec!["yes"]]
        {
            assert!(
                is_corrupt(said(answer.iter().map(|part| part.as_bytes().to_vec()).collect())),
                "{answer:?}"
            );
        }
    }
}
