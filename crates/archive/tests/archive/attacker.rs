//! Somebody who may write the files of an archive, knows its form, works out every CRC and every chain again, and does
//! not have the key. Written from the description of the form, not with the archive's own code.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// The bodies of the records of each segment, by number.
pub(crate) type Bodies = Vec<Vec<Vec<u8>>>;

/// The files of an archive by name, but for the lock.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn files(folder: &Path) -> Files {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let segments = files.filter(|path| path.extension().is_some_and(|ending| ending == "segment"));
    segments.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

pub(crate) fn write(folder: &Path, files: &Files) {
    for old in self::files(folder).into_keys() {
        std::fs::remove_file(folder.join(old)).unwrap();
    }
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// Takes an archive apart.
pub(crate) fn bodies(files: &Files) -> Bodies {
    files.values().map(|bytes| records(bytes).into_iter().map(|(_, body)| body.to_vec()).collect()).collect()
}

/// The records of a segment: where each begins, and its body.
pub(crate) fn records(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut at, mut records) = (8, Vec::new());
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        records.push((at, &bytes[at + 40..at + 40 + length]));
        at += 40 + length;
    }
    records
}

/// Whether a body is a checkpoint.
pub(crate) fn is_checkpoint(body: &[u8]) -> bool {
    body.first() == Some(&b'P')
}

/// Puts an archive together again, so that every number, CRC and chain fits.
pub(crate) fn forged(mut segments: Bodies) -> Files {
    let mut chain: [u8; 32] = Sha256::digest(b"fallow archive 1").into();
    let mut files = Files::new();
    for (place, bodies) in segments.iter_mut().enumerate() {
        let mut bytes = b"FALLOWA1".to_vec();
        for (n, body) in bodies.iter_mut().enumerate() {
            if n == 0 && body.first() == Some(&b'H') {
                renumber(body, place as u64 + 1, chain);
            }
            let length = u32::try_from(body.len()).unwrap().to_le_bytes();
            let mut sum = Sha256::new();
            sum.update(chain);
            sum.update(length);
            sum.update(&body[..]);
            chain = sum.finalize().into();
            let mut crc = crc32fast::Hasher::new();
            crc.update(&length);
            crc.update(&chain);
            crc.update(body);
            bytes.extend(length);
            bytes.extend(crc.finalize().to_le_bytes());
            bytes.extend(chain);
            bytes.extend(&body[..]);
        }
        files.insert(format!("{:08}.segment", place + 1), bytes);
    }
    files
}

/// Makes a header fit its place: after kind and version come two texts, the number, the first revision, the chain. A header
/// whose lengths were edited stays as it is.
fn renumber(body: &mut [u8], number: u64, chain: [u8; 32]) {
    let mut at = 3_usize;
    for _ in 0..2 {
        let length = body.get(at..at + 8).map(|length| u64::from_le_bytes(length.try_into().unwrap()));
        let length = length.filter(|length| *length < 1_000).unwrap_or(1_000);
        at += 8 + usize::try_from(length).unwrap();
    }
    if body.len() >= at + 48 {
        body[at..at + 8].copy_from_slice(&number.to_le_bytes());
        body[at + 16..at + 48].copy_from_slice(&chain);
    }
}

/// Makes the revisions of changes and checkpoints dense again, from 1, as a careful attacker would.
pub(crate) fn dense(segments: &mut Bodies) {
    let mut last = 0_u64;
    for body in segments.iter_mut().flatten() {
        match body.first() {
            Some(b'C') => {
                last += 1;
                body[1..9].copy_from_slice(&last.to_le_bytes());
            }
            Some(b'P') => body[1..9].copy_from_slice(&last.to_le_bytes()),
            Some(_) | None => {}
        }
    }
}
