//! The Merkle tree of RFC 9162, section 2.1: the parts of the library `tlog_tiles` that the proof uses.
//!
//! Leaf `n` is the event at position `n + 1`.

pub use tlog_tiles::{EMPTY_HASH, Error, Hash, check_tree, node_hash, prove_record, prove_tree, record_hash as leaf_hash, tree_hash};

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};
    use sha2::Sha256;

    use super::super::tiles::tests::{entry, grown, grown_of};
    use super::*;

    /// The tree of this size by `ct_merkle`, which shares no code with `tlog_tiles` or with this crate.
    fn reference(size: u64) -> MemoryBackedTree<Sha256, [u8; 8]> {
        let mut tree = MemoryBackedTree::new();
        (0..size).for_each(|n| tree.push(entry(n)));
        tree
    }

    fn size_and_smaller() -> impl Strategy<Value = (u64, u64)> {
        (1..1_000_u64).prop_flat_map(|size| (Just(size), 0..size))
    }

    fn root(tree: &MemoryBackedTree<Sha256, [u8; 8]>) -> Hash {
        Hash(tree.root().as_bytes().as_slice().try_into().expect("32 bytes"))
    }

    fn bytes(path: &[Hash]) -> Vec<u8> {
        path.iter().flat_map(|hash| hash.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn roots_and_proofs_from_our_tiles_equal_those_of_another_implementation((size, smaller) in size_and_smaller()) {
            let ((tiles, edge), reference, at) = (grown(size), reference(size), usize::try_from(smaller).expect("small"));
            prop_assert_eq!(edge.root(), root(&reference));
            prop_assert_eq!(tree_hash(size, &tiles).expect("every tile"), edge.root());
            let path = prove_record(size, smaller, &tiles).expect("every tile");
            prop_assert!(bytes(&path) == reference.prove_inclusion(at).as_bytes());
            if smaller > 0 {
                let path = prove_tree(size, smaller, &tiles).expect("every tile");
                prop_assert!(bytes(&path) == reference.prove_consistency(reference.items().len() - at).as_bytes());
                let old = root(&self::reference(smaller));
                prop_assert_eq!(tree_hash(smaller, &tiles).expect("every tile"), old);
                prop_assert!(check_tree(&path, size, edge.root(), smaller, old).is_ok());
            }
        }

        #[test]
        fn a_changed_proof_is_not_valid((size, smaller) in size_and_smaller(), place in 0..32_usize, bit in 0..8_u8) {
            let ((tiles, edge), smaller) = (grown(size), smaller.max(1));
            let (root, old) = (edge.root(), tree_hash(smaller, &tiles).expect("every tile"));
            let change = |mut hash: Hash| {
                hash.0[place] ^= 1 << bit;
                hash
            };
            let path = prove_tree(size, smaller, &tiles).expect("every tile");
            prop_assert!(check_tree(&path, size, root, smaller, change(old)).is_err());
            prop_assert!(check_tree(&path, size, change(root), smaller, old).is_err());
            prop_assert!(check_tree(&[&*path, &[root]].concat(), size, root, smaller, old).is_err());
            for at in 0..path.len() {
                let mut path = path.clone();
                path[at] = change(path[at]);
                prop_assert!(check_tree(&path, size, root, smaller, old).is_err());
            }
        }

        #[test]
        fn no_path_proves_what_is_not_in_a_tree(index: u64, size: u64, path in proptest::collection::vec(any::<[u8; 32]>(), 0..80)) {
            let path = path.into_iter().map(Hash).collect::<Vec<_>>();
            prop_assert!(check_tree(&path, size, Hash([1; 32]), index, Hash([2; 32])).is_err());
        }
    }

    #[test]
    fn the_roots_equal_published_test_vectors() {
        // The test vectors of RFC 6962's reference implementation (certificate-transparency, merkle_tree_test).
        let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let (_, edge) = grown_of(inputs.map(|text| leaf_hash(&hex::decode(text).expect("hex"))));
        assert_eq!(hex::encode(edge.root().0), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }
}
