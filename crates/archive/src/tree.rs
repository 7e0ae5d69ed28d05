//! The tree of digests over the changes of a batch: a Merkle tree as RFC 9162 describes it, so that one change can be shown
//! to be of the batch without the others.

use sha2::{Digest as _, Sha256};

use crate::frame::Chain;

/// What is put before two digests that become one, so that no leaf can be taken for a node.
const NODE: u8 = 1;

/// The longest way from a leaf to the root: of a batch with more changes than a revision can count.
pub(crate) const PATH_MAX: usize = 64;

/// Returns the root over some leaves; of none, the digest of nothing.
pub(crate) fn root(leaves: &[Chain]) -> Chain {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(half(leaves.len()));
            joined(&root(left), &root(right))
        }
    }
}

/// Returns the digests beside the way from a leaf to the root, from the leaf on.
pub(crate) fn path(leaves: &[Chain], at: usize) -> Vec<Chain> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let half = half(leaves.len());
    let (left, right) = leaves.split_at(half);
    let (mut path, beside) =
        if at < half { (path(left, at), root(right)) } else { (path(right, at - half), root(left)) };
    path.push(beside);
    path
}

/// Returns the root to which a leaf leads by a path; `None` where a tree of so many leaves has no such path.
pub(crate) fn root_by(leaf: &Chain, at: u64, count: u64, path: &[Chain]) -> Option<Chain> {
    let mut last = count.checked_sub(1)?;
    if at > last {
        return None;
    }
    let (mut at, mut root) = (at, *leaf);
    for beside in path {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            root = joined(beside, &root);
            // Where nothing stands on the right, the node is that of the level below.
            while at.is_multiple_of(2) && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            root = joined(&root, beside);
        }
        (at, last) = (at / 2, last / 2);
    }
    (last == 0).then_some(root)
}

/// The largest power of two that is smaller than a number from 2.
fn half(count: usize) -> usize {
    count.div_ceil(2).next_power_of_two()
}

fn joined(left: &Chain, right: &Chain) -> Chain {
    let mut sum = Sha256::new();
    sum.update([NODE]);
    sum.update(left);
    sum.update(right);
    sum.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Chain> {
        (0..count).map(|n| Sha256::digest([0, n]).into()).collect()
    }

    #[test]
    fn a_half_is_the_largest_power_of_two_below() {
        let halves: Vec<usize> = (2..=9).map(half).collect();
        assert_eq!(halves, [1, 2, 2, 4, 4, 4, 4, 8]);
    }

    #[test]
    fn each_leaf_leads_to_the_root_and_from_no_other_place() {
        for count in 1..=33 {
            let leaves = leaves(count);
            let root = root(&leaves);
            for (at, leaf) in leaves.iter().enumerate() {
                let path = path(&leaves, at);
                let led = |at: usize, path: &[Chain]| root_by(leaf, at as u64, u64::from(count), path);
                assert_eq!(led(at, &path), Some(root), "{at} of {count}");
                for other in (0..leaves.len()).filter(|other| *other != at) {
                    assert_ne!(led(other, &path), Some(root), "{at} of {count} as {other}");
                }
                assert_eq!(led(leaves.len(), &path), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_ne!(led(at, shorter), Some(root));
                }
                let longer = [&path[..], &[*leaf]].concat();
                assert_eq!(led(at, &longer), None, "{at} of {count}, a path too long");
            }
        }
    }
}
