//! Records as they lie on disk: length, CRC, chain, body.

use sha2::{Digest as _, Sha256};

use crate::finding::Flaw;

/// The SHA-256 over everything before, and the record that it stands in.
pub type Chain = [u8; 32];

/// What every segment begins with.
pub(crate) const MAGIC: &[u8; 8] = b"FALLOWA1";

/// Bytes of a record before its body.
pub(crate) const HEAD_BYTES: usize = 4 + 4 + 32;

/// The longest body of a record, in bytes: a commit at every limit, with the names of its records.
pub const RECORD_BYTES: usize = 16 * 1024 * 1024;

/// Returns the chain before the first record of an archive.
pub(crate) fn beginning() -> Chain {
    Sha256::digest(b"fallow archive 1").into()
}

/// Returns the chain of a record.
pub(crate) fn chained(before: &Chain, body: &[u8]) -> Chain {
    let mut sum = Sha256::new();
    sum.update(before);
    sum.update(length(body).to_le_bytes());
    sum.update(body);
    sum.finalize().into()
}

/// Adds a record to a buffer, and returns its chain.
pub(crate) fn put(out: &mut Vec<u8>, before: &Chain, body: &[u8]) -> Chain {
    let chain = chained(before, body);
    let length = length(body).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc(length, &chain, body).to_le_bytes());
    out.extend_from_slice(&chain);
    out.extend_from_slice(body);
    chain
}

/// The chain of a record, its body, and the bytes after it.
pub(crate) type Taken<'b> = (Chain, &'b [u8], &'b [u8]);

/// Takes a record from the front of some bytes: its chain, its body and the bytes after it. `None` at the end.
pub(crate) fn take<'b>(bytes: &'b [u8], before: &Chain) -> Result<Option<Taken<'b>>, Flaw> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else {
        return Err(Flaw::Torn { has: bytes.len() as u64, needs: HEAD_BYTES as u64 });
    };
    let (length, head) = head.split_at(4);
    let (crc_found, chain) = head.split_at(4);
    let (Ok(length), Ok(crc_found), Ok(chain)) =
        (<[u8; 4]>::try_from(length), <[u8; 4]>::try_from(crc_found), Chain::try_from(chain))
    else {
        return Err(Flaw::Malformed("the head of a record"));
    };
    let body_bytes = u32::from_le_bytes(length) as usize;
    if body_bytes > RECORD_BYTES {
        return Err(Flaw::Length { bytes: body_bytes as u64 });
    }
    let Some((body, rest)) = rest.split_at_checked(body_bytes) else {
        let needs = (HEAD_BYTES + body_bytes) as u64;
        return Err(Flaw::Torn { has: bytes.len() as u64, needs });
    };
    if crc(length, &chain, body) != u32::from_le_bytes(crc_found) {
        return Err(Flaw::Crc);
    }
    if chained(before, body) != chain {
        return Err(Flaw::Chain);
    }
    Ok(Some((chain, body, rest)))
}

fn crc(length: [u8; 4], chain: &Chain, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(chain);
    crc.update(body);
    crc.finalize()
}

/// The length of a body, which is at most [`RECORD_BYTES`].
fn length(body: &[u8]) -> u32 {
    u32::try_from(body.len()).unwrap_or(u32::MAX)
}
