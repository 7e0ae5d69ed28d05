//! A receipt: the last checkpoint of an archive on one line, to be kept where whoever could change the archive cannot
//! reach: in a mail, on paper, with an auditor. Later it is a witness of how far the archive went.

use std::sync::Arc;

use fallow_ledger::Revision;
use fallow_ledger::state::hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Last, Witness};
use crate::entry::{Checkpoint, Entry, Header, Start};
use crate::frame::{Chain, chained};
use crate::keys::{PublicKey, unhex};

/// The version of the form.
const VERSION: u32 = 1;

/// A receipt of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of the form.
    fallow_receipt: u32,
    /// The region.
    pub region: Arc<str>,
    /// The history of the store.
    pub history: Arc<str>,
    /// The number of the segment.
    pub segment: u64,
    /// The last change.
    pub revision: Revision,
    /// When it was flushed.
    pub at: Timestamp,
    /// Whether the checkpoint closes its segment.
    pub closes: bool,
    /// The chain before the checkpoint, in hexadecimal.
    pub before: String,
    /// The signature, in hexadecimal; empty without a key.
    pub signature: String,
}

/// Text that is no receipt, or one that none of the keys has signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAReceipt {
    /// It cannot be read.
    #[error("is no receipt of an archive")]
    Malformed,
    /// Its signature is of none of the keys.
    #[error("the receipt's signature is of none of the keys given")]
    Signature,
}

impl Receipt {
    /// Makes the receipt of an archive's last checkpoint.
    #[must_use]
    pub fn of(last: &Last) -> Self {
        let Last { header, checkpoint, before, .. } = last;
        Self {
            fallow_receipt: VERSION,
            region: header.region.clone(),
            history: header.history.clone(),
            segment: header.number,
            revision: checkpoint.revision,
            at: checkpoint.at,
            closes: checkpoint.closes,
            before: hex(before),
            signature: checkpoint.signature.as_ref().map(|signature| hex(signature)).unwrap_or_default(),
        }
    }

    /// Reads a receipt and makes it a witness. With keys, one of them must have signed it.
    ///
    /// # Errors
    /// [`NotAReceipt`].
    pub fn witness(text: &str, name: &str, keys: &[PublicKey]) -> Result<Witness, NotAReceipt> {
        let receipt: Self = serde_json::from_str(text.trim()).map_err(|_| NotAReceipt::Malformed)?;
        if receipt.fallow_receipt != VERSION {
            return Err(NotAReceipt::Malformed);
        }
        let before: Chain = unhex(&receipt.before).ok_or(NotAReceipt::Malformed)?;
        let signature = match receipt.signature.as_str() {
            "" => None,
            signature => Some(unhex(signature).ok_or(NotAReceipt::Malformed)?),
        };
        let Self { revision, at, closes, .. } = receipt;
        let checkpoint = Checkpoint { revision, at, closes, signature };
        let header = Header {
            region: receipt.region,
            history: receipt.history,
            number: receipt.segment,
            // What a checkpoint does not sign of its header.
            first: Revision::ABSENT,
            before,
            begun_at: at,
            start: Start::Onward,
            key: "".into(),
        };
        if !keys.is_empty() && !keys.iter().any(|key| key.has_signed(&checkpoint, &header, &before)) {
            return Err(NotAReceipt::Signature);
        }
        let cursor = header.cursor(revision);
        let chain = chained(&before, &Entry::Checkpoint(checkpoint).encode());
        Ok(Witness { name: name.into(), cursor, chain })
    }
}
