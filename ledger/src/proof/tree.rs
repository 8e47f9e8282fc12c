//! The Merkle tree of RFC 9162, section 2.1: hashes, which parts of the tree a proof consists of, and how a proof is checked. No input, no output.
//!
//! Leaf `n` is the event at position `n + 1`.

use std::ops::Range;

use ring::digest::{Context, SHA256, digest};

/// A SHA-256.
pub type Hash = [u8; 32];

/// A perfect subtree: 2^`height` leaves, the `index`th of that height from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// How high it is; a leaf has height 0.
    pub height: u32,
    /// How many of that height stand to its left.
    pub index: u64,
}

/// The hash of the tree of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    taken(digest(&SHA256, b""))
}

/// The hash of a leaf, by its entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash_of(0, &[entry])
}

/// The hash over two subtrees.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash_of(1, &[left, right])
}

fn hash_of(prefix: u8, parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[prefix]);
    parts.iter().for_each(|part| context.update(part));
    taken(context.finish())
}

pub(super) fn taken(digest: ring::digest::Digest) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// The perfect subtrees that make up some leaves, from left to right, each as large as it can be.
pub fn subtrees(leaves: Range<u64>) -> impl DoubleEndedIterator<Item = Node> {
    let (mut start, mut found) = (leaves.start, Vec::new());
    while start < leaves.end {
        let height = (leaves.end - start).ilog2().min(start.trailing_zeros());
        found.push(Node { height, index: start >> height });
        start += 1 << height;
    }
    found.into_iter()
}

/// The hash over some leaves which are a whole subtree, or what there is of one; `None` where a node is not known.
pub fn range_hash(leaves: Range<u64>, node: &impl Fn(Node) -> Option<Hash>) -> Option<Hash> {
    if leaves.is_empty() {
        return Some(empty_root());
    }
    let mut hash = None;
    for part in subtrees(leaves).rev() {
        let left = node(part)?;
        hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
    }
    hash
}

/// The parts whose hashes prove that leaf `index` is in the tree of `size` leaves, from the leaf up (RFC 9162, 2.1.3.1).
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut within, mut parts) = (0..size, Vec::new());
    while within.end - within.start > 1 {
        let middle = within.start + split(within.end - within.start);
        if index < middle {
            parts.push(middle..within.end);
            within.end = middle;
        } else {
            parts.push(within.start..middle);
            within.start = middle;
        }
    }
    parts.reverse();
    parts
}

/// The parts whose hashes prove that the tree of `to` leaves begins with the tree of `from` leaves (RFC 9162, 2.1.4.1). None where one of the two
/// is all of the other, or nothing.
#[must_use]
pub fn consistency(from: u64, to: u64) -> Vec<Range<u64>> {
    if from == 0 || from >= to {
        return Vec::new();
    }
    let (mut within, mut parts) = (0..to, Vec::new());
    while within.end != from {
        let middle = within.start + split(within.end - within.start);
        if from <= middle {
            parts.push(middle..within.end);
            within.end = middle;
        } else {
            parts.push(within.start..middle);
            within.start = middle;
        }
    }
    if within.start > 0 {
        parts.push(within);
    }
    parts.reverse();
    parts
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Whether `path` proves that a leaf is in the tree of that size and root (RFC 9162, 2.1.3.2).
#[must_use]
pub fn proves_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut first, mut second, mut hash) = (index, size - 1, *leaf);
    for part in path {
        if second == 0 {
            return false;
        }
        if first & 1 == 1 || first == second {
            hash = node_hash(part, &hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            hash = node_hash(&hash, part);
        }
        first >>= 1;
        second >>= 1;
    }
    second == 0 && hash == *root
}

/// Whether `path` proves that the tree of size and root `to` begins with the tree of size and root `from` (RFC 9162, 2.1.4.2).
#[must_use]
pub fn proves_consistency(from: (u64, &Hash), to: (u64, &Hash), path: &[Hash]) -> bool {
    if from.0 == 0 || from.0 >= to.0 {
        return path.is_empty() && (from.0 == 0 && *from.1 == empty_root() || from == to);
    }
    let begins_with_itself = from.0.is_power_of_two().then_some(from.1);
    let mut path = begins_with_itself.into_iter().chain(path);
    let Some(seed) = path.next() else { return false };
    let (mut first, mut second) = (from.0 - 1, to.0 - 1);
    while first & 1 == 1 {
        first >>= 1;
        second >>= 1;
    }
    let (mut old, mut new) = (*seed, *seed);
    for part in path {
        if second == 0 {
            return false;
        }
        if first & 1 == 1 || first == second {
            old = node_hash(part, &old);
            new = node_hash(part, &new);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            new = node_hash(&new, part);
        }
        first >>= 1;
        second >>= 1;
    }
    second == 0 && old == *from.1 && new == *to.1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// MTH of RFC 9162, section 2.1.1, word by word.
    fn naive_root(entries: &[Vec<u8>]) -> Hash {
        match entries {
            [] => empty_root(),
            [entry] => leaf_hash(entry),
            entries => {
                let (left, right) = entries.split_at(naive_split(entries.len()));
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    /// PATH of section 2.1.3.1.
    fn naive_path(index: usize, entries: &[Vec<u8>]) -> Vec<Hash> {
        if entries.len() <= 1 {
            return Vec::new();
        }
        let (left, right) = entries.split_at(naive_split(entries.len()));
        let (mut path, other) = match index < left.len() {
            true => (naive_path(index, left), naive_root(right)),
            false => (naive_path(index - left.len(), right), naive_root(left)),
        };
        path.push(other);
        path
    }

    /// SUBPROOF of section 2.1.4.1.
    fn naive_subproof(from: usize, entries: &[Vec<u8>], is_known: bool) -> Vec<Hash> {
        if from == entries.len() {
            return if is_known { Vec::new() } else { vec![naive_root(entries)] };
        }
        let (left, right) = entries.split_at(naive_split(entries.len()));
        let (mut proof, other) = match from <= left.len() {
            true => (naive_subproof(from, left, is_known), naive_root(right)),
            false => (naive_subproof(from - left.len(), right, false), naive_root(left)),
        };
        proof.push(other);
        proof
    }

    fn naive_split(count: usize) -> usize {
        let mut power = 1;
        while power * 2 < count {
            power *= 2;
        }
        power
    }

    fn entries(count: u64) -> Vec<Vec<u8>> {
        (0..count).map(|n| n.to_be_bytes().to_vec()).collect()
    }

    /// The nodes, computed from the entries.
    fn nodes(entries: &[Vec<u8>]) -> impl Fn(Node) -> Option<Hash> {
        move |node| {
            let first = usize::try_from(node.index << node.height).ok()?;
            entries.get(first..first + (1 << node.height)).map(naive_root)
        }
    }

    fn hashes(parts: Vec<Range<u64>>, entries: &[Vec<u8>]) -> Vec<Hash> {
        parts.into_iter().map(|part| range_hash(part, &nodes(entries)).expect("every node")).collect()
    }

    fn size_and_smaller() -> impl Strategy<Value = (u64, u64)> {
        (1..400_u64).prop_flat_map(|size| (Just(size), 0..size))
    }

    proptest! {
        #[test]
        fn roots_and_proofs_are_those_of_the_recursive_definition((size, smaller) in size_and_smaller()) {
            let (all, at) = (entries(size), usize::try_from(smaller).expect("small"));
            let root = naive_root(&all);
            prop_assert_eq!(range_hash(0..size, &nodes(&all)), Some(root));

            let path = hashes(inclusion(smaller, size), &all);
            prop_assert_eq!(&path, &naive_path(at, &all));
            prop_assert!(proves_inclusion(&leaf_hash(&all[at]), smaller, size, &path, &root));

            let first = naive_root(&all[..at]);
            let path = hashes(consistency(smaller, size), &all);
            if smaller > 0 {
                prop_assert_eq!(&path, &naive_subproof(at, &all, true));
            }
            prop_assert!(proves_consistency((smaller, &first), (size, &root), &path));
        }

        #[test]
        fn a_proof_that_was_changed_proves_nothing((size, smaller) in size_and_smaller(), place: u8, bit in 0..8_u8, other: u64) {
            let (all, at) = (entries(size), usize::try_from(smaller).expect("small"));
            let (root, leaf, first) = (naive_root(&all), leaf_hash(&all[at]), naive_root(&all[..at]));
            let change = |hash: &Hash| {
                let mut hash = *hash;
                hash[usize::from(place % 32)] ^= 1 << bit;
                hash
            };
            let path = hashes(inclusion(smaller, size), &all);
            prop_assert!(!proves_inclusion(&change(&leaf), smaller, size, &path, &root));
            prop_assert!(!proves_inclusion(&leaf, smaller, size, &path, &change(&root)));
            for at in 0..path.len() {
                let mut path = path.clone();
                path[at] = change(&path[at]);
                prop_assert!(!proves_inclusion(&leaf, smaller, size, &path, &root));
            }
            prop_assert!(other == smaller || !proves_inclusion(&leaf, other, size, &path, &root));
            let mut longer = path.clone();
            longer.push(root);
            prop_assert!(!proves_inclusion(&leaf, smaller, size, &longer, &root));

            let path = hashes(consistency(smaller, size), &all);
            if smaller > 0 {
                prop_assert!(!proves_consistency((smaller, &change(&first)), (size, &root), &path));
                prop_assert!(!proves_consistency((smaller, &first), (size, &change(&root)), &path));
                for at in 0..path.len() {
                    let mut path = path.clone();
                    path[at] = change(&path[at]);
                    prop_assert!(!proves_consistency((smaller, &first), (size, &root), &path));
                }
            }
        }

        #[test]
        fn no_path_proves_what_is_not_in_a_tree(index: u64, size: u64, path in proptest::collection::vec(any::<Hash>(), 0..8), root: Hash, leaf: Hash) {
            prop_assert!(!proves_inclusion(&leaf, index, size, &path, &root));
            prop_assert!(!proves_consistency((index, &leaf), (size, &root), &path));
        }
    }

    #[test]
    fn the_roots_are_those_that_others_publish() {
        // The test vectors of RFC 6962's reference implementation (certificate-transparency, merkle_tree_test).
        let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let entries =
            inputs.map(|text| (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect());
        let root = range_hash(0..8, &nodes(&entries)).expect("every node");
        let text = root.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(text, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }
}
