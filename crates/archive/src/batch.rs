//! What a batch says of its changes for proofs: the tree over them, which its checkpoint signs.

use fallow_ledger::{Change, Revision};

use crate::entry::{Checkpoint, Tree};
use crate::finding::Flaw;
use crate::frame::Chain;
use crate::parts::{Seed, leaf_of};
use crate::tree;

/// A batch whose changes can be proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The first of its changes.
    pub(crate) first: Revision,
    /// What the salts are made of.
    pub(crate) seed: Seed,
    /// The leaf of each change.
    pub(crate) leaves: Vec<Chain>,
    /// The chain before the record of the tree.
    pub(crate) before: Chain,
    /// The checkpoint that follows on the tree.
    pub(crate) checkpoint: Checkpoint,
}

impl Batch {
    /// Says whether its checkpoint is signed. What is not proves nothing.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.checkpoint.signature.is_some()
    }
}

/// Makes the tree over the changes of a batch; `None` where it has none.
pub(crate) fn tree_of<'c>(
    changes: impl IntoIterator<Item = &'c Change>,
    seed: &Seed,
) -> Option<(Tree, Vec<Chain>)> {
    let mut first = None;
    let mut leaves = Vec::new();
    for change in changes {
        first.get_or_insert(change.revision);
        leaves.push(leaf_of(change, seed));
    }
    let tree = Tree { first: first?, count: leaves.len() as u64, root: tree::root(&leaves) };
    Some((tree, leaves))
}

/// What is read of the proofs of a batch, before its checkpoint is.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    seed: Option<Seed>,
    tree: Option<(Tree, Chain)>,
}

impl Reading {
    /// Takes the seed: once, and before the tree.
    pub(crate) fn seed(&mut self, seed: Seed) -> Result<(), Flaw> {
        match self {
            Self { seed: None, tree: None } => self.seed = Some(seed),
            Self { .. } => return Err(Flaw::Misplaced("a seed")),
        }
        Ok(())
    }

    /// Takes the tree, and the chain before it: once, and after the seed.
    pub(crate) fn tree(&mut self, tree: Tree, before: Chain) -> Result<(), Flaw> {
        match self {
            Self { seed: Some(_), tree: None } => self.tree = Some((tree, before)),
            Self { .. } => return Err(Flaw::Misplaced("a tree")),
        }
        Ok(())
    }

    /// Says whether the tree was read: nothing but the checkpoint may follow on it.
    pub(crate) fn is_over(&self) -> bool {
        self.tree.is_some()
    }

    /// Ends the batch with its checkpoint; `None` where it was written without a tree.
    pub(crate) fn end<'c>(
        &mut self,
        changes: impl IntoIterator<Item = &'c Change>,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Batch>, Flaw> {
        let Self { seed, tree } = std::mem::take(self);
        let (seed, (says, before)) = match (seed, tree) {
            (None, None) => return Ok(None),
            (Some(seed), Some(tree)) => (seed, tree),
            (Some(_), None) | (None, Some(_)) => return Err(Flaw::Misplaced("a seed")),
        };
        match tree_of(changes, &seed) {
            Some((is, leaves)) if is == says => {
                Ok(Some(Batch { first: is.first, seed, leaves, before, checkpoint: checkpoint.clone() }))
            }
            Some(_) | None => Err(Flaw::Tree),
        }
    }
}
