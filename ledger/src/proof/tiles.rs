//! The tree as tiles of 256 hashes (<https://c2sp.org/tlog-tiles>): how they are named, and how the right edge of the tree grows. No input, no
//! output.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;

use super::tree::{Hash, Node, empty_root, node_hash, subtrees};

/// Hashes of a full tile.
pub const TILE_WIDTH: u64 = 256;

/// How much of the tree one level of tiles spans, as a power of two.
const TILE_HEIGHT: u32 = 8;

/// The bytes of a hash.
const HASH_BYTES: usize = 32;

/// The bytes of a full tile.
pub const TILE_BYTES: usize = 256 * HASH_BYTES;

/// A tile: 256 hashes at a level, or what there is of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// At level 0 are the hashes of leaves; above it, hashes of full tiles of the level below.
    pub level: u8,
    /// How many tiles of that level stand to its left.
    pub index: u64,
}

impl TileId {
    /// The tile that has a node in it, or what the node is made of: with the place of the first hash, and how many those are.
    fn of(node: Node) -> (Self, usize, usize) {
        let (level, above) = (node.height / TILE_HEIGHT, node.height % TILE_HEIGHT);
        let first = node.index << above;
        let tile = Self { level: u8::try_from(level).unwrap_or(u8::MAX), index: first / TILE_WIDTH };
        (tile, usize::try_from(first % TILE_WIDTH).unwrap_or_default(), 1 << above)
    }
}

/// The tiles that are needed to know the hashes of some parts of the tree.
#[must_use]
pub fn tiles_of(parts: &[Range<u64>]) -> BTreeSet<TileId> {
    parts.iter().cloned().flat_map(subtrees).map(|node| TileId::of(node).0).collect()
}

/// Some tiles.
#[derive(Debug, Default)]
pub struct Tiles(HashMap<TileId, Vec<u8>>);

impl Tiles {
    /// The hash of a node; `None` where its tile is not here, or not that wide.
    #[must_use]
    pub fn node(&self, node: Node) -> Option<Hash> {
        let (tile, first, count) = TileId::of(node);
        self.0.get(&tile)?.get(first * HASH_BYTES..(first + count) * HASH_BYTES).and_then(perfect_root)
    }
}

impl FromIterator<(TileId, Vec<u8>)> for Tiles {
    fn from_iter<T: IntoIterator<Item = (TileId, Vec<u8>)>>(tiles: T) -> Self {
        Self(tiles.into_iter().collect())
    }
}

/// The hash over a power of two of hashes.
fn perfect_root(hashes: &[u8]) -> Option<Hash> {
    let mut row = hashes.as_chunks::<HASH_BYTES>().0.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row.first().copied()
}

/// The right edge of a growing tree: the tiles that are not full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// The hashes of the tile that is not full, level by level. It may have none.
    levels: Vec<Vec<u8>>,
    /// The hash of the last leaf.
    last: Option<Hash>,
}

impl Edge {
    /// The tiles that are needed to go on from that size.
    #[must_use]
    pub fn tiles(size: u64) -> Vec<TileId> {
        let mut tiles = widths(size).map(|(tile, _)| tile).collect::<BTreeSet<_>>();
        if size > 0 {
            tiles.insert(TileId { level: 0, index: (size - 1) / TILE_WIDTH });
        }
        tiles.into_iter().collect()
    }

    /// The edge of the tree of that size; `None` where a tile is not there, or not that wide.
    #[must_use]
    pub fn of(size: u64, tiles: &Tiles) -> Option<Self> {
        let mut edge = Self { size, ..Self::default() };
        for (tile, width) in widths(size) {
            edge.levels.resize(usize::from(tile.level) + 1, Vec::new());
            *edge.levels.last_mut()? = tiles.0.get(&tile)?.get(..width * HASH_BYTES)?.to_vec();
        }
        if size > 0 {
            edge.last = Some(tiles.node(Node { height: 0, index: size - 1 })?);
        }
        Some(edge)
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hash of the last leaf.
    #[must_use]
    pub fn last(&self) -> Option<&Hash> {
        self.last.as_ref()
    }

    /// Adds a leaf, and says which tiles it has made full.
    pub fn append(&mut self, leaf: Hash, mut full: impl FnMut(TileId, Vec<u8>)) {
        self.size += 1;
        self.last = Some(leaf);
        let mut hash = leaf;
        for level in 0_u8.. {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(TILE_BYTES));
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.extend_from_slice(&hash);
            if hashes.len() < TILE_BYTES {
                return;
            }
            let Some(root) = perfect_root(hashes) else { return };
            let index = (self.size >> (TILE_HEIGHT * (u32::from(level) + 1))) - 1;
            full(TileId { level, index }, std::mem::replace(hashes, Vec::with_capacity(TILE_BYTES)));
            hash = root;
        }
    }

    /// The tiles that are not full, and not empty.
    pub fn partial(&self) -> impl Iterator<Item = (TileId, &[u8])> {
        widths(self.size).filter_map(|(tile, _)| Some((tile, self.levels.get(usize::from(tile.level))?.as_slice())))
    }

    /// The hash over the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut root = None;
        for hashes in &self.levels {
            let hashes = hashes.as_chunks::<HASH_BYTES>().0;
            for part in subtrees(0..hashes.len() as u64).rev() {
                let first = usize::try_from(part.index << part.height).unwrap_or_default();
                let Some(left) = perfect_root(hashes[first..first + (1 << part.height)].as_flattened()) else { continue };
                root = Some(root.map_or(left, |right| node_hash(&left, &right)));
            }
        }
        root.unwrap_or_else(empty_root)
    }
}

/// The tiles of a tree of that size that are neither full nor empty, from level 0 up, and how many hashes they have.
fn widths(size: u64) -> impl Iterator<Item = (TileId, usize)> {
    let of_level = move |level: u8| {
        let hashes = size >> (TILE_HEIGHT * u32::from(level));
        let width = usize::try_from(hashes % TILE_WIDTH).unwrap_or_default();
        (hashes > 0).then_some((TileId { level, index: hashes / TILE_WIDTH }, width))
    };
    (0..8).map_while(of_level).filter(|(_, width)| *width > 0)
}

/// What an address names behind `tile/<L>/` or `tile/entries/`: an index, and of how many hashes, where the tile is not full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TilePath {
    /// The tile's index.
    pub index: u64,
    /// How many hashes are asked for.
    pub width: u16,
}

impl TilePath {
    /// Reads `<N>[.p/<W>]`, where `<N>` has three digits between slashes, and an `x` before all but the last: `x001/x234/067.p/112`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (index, width) = match text.split_once(".p/") {
            None => (text, 256),
            Some((index, width)) => {
                (index, number(width).filter(|width| (1..256).contains(width)).and_then(|width| width.try_into().ok())?)
            }
        };
        let (leading, last) = index.rsplit_once('/').unwrap_or(("", index));
        let mut parsed = 0_u64;
        let leading = leading.split('/').filter(|part| !part.is_empty()).map(|part| part.strip_prefix('x'));
        for part in leading.chain([Some(last)]) {
            let part = part.filter(|part| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit()))?;
            parsed = parsed.checked_mul(1_000)?.checked_add(part.parse().ok()?)?;
        }
        let path = Self { index: parsed, width };
        // There is one way to write each.
        (path.to_string() == text).then_some(path)
    }
}

/// A number as the specification writes it: no sign, no leading zero.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![format!("{:03}", self.index % 1_000)];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            parts.push(format!("x{:03}", rest % 1_000));
            rest /= 1_000;
        }
        parts.reverse();
        f.write_str(&parts.join("/"))?;
        if u64::from(self.width) < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::super::tree::{consistency, inclusion, leaf_hash, range_hash};
    use super::*;

    /// A tree of that size, tile by tile, and its edge.
    fn grown(size: u64) -> (Tiles, Edge) {
        let (mut tiles, mut edge) = (HashMap::new(), Edge::default());
        for n in 0..size {
            edge.append(leaf_hash(&n.to_be_bytes()), |tile, hashes| drop(tiles.insert(tile, hashes)));
        }
        tiles.extend(edge.partial().map(|(tile, hashes)| (tile, hashes.to_vec())));
        (Tiles(tiles), edge)
    }

    fn leaf(node: Node) -> Option<Hash> {
        match node.height {
            0 => Some(leaf_hash(&node.index.to_be_bytes())),
            height => {
                let child = |index| leaf(Node { height: height - 1, index });
                Some(node_hash(&child(node.index * 2)?, &child(node.index * 2 + 1)?))
            }
        }
    }

    #[test]
    fn tiles_have_the_hashes_of_the_tree() {
        for size in [0, 1, 2, 3, 255, 256, 257, 511, 512, 1_000, 65_535, 65_536, 65_537, 70_000] {
            let (tiles, edge) = grown(size);
            let root = range_hash(0..size, &leaf).expect("every node");
            assert_eq!(edge.root(), root, "{size}");
            assert_eq!(range_hash(0..size, &|node| tiles.node(node)), Some(root), "{size}");
            assert_eq!(Edge::of(size, &tiles), Some(edge.clone()), "{size}");
            let needed = Edge::tiles(size).into_iter().filter_map(|tile| Some((tile, tiles.0.get(&tile)?.clone()))).collect();
            assert_eq!(Edge::of(size, &needed), Some(edge), "{size}: the tiles that are named are enough");
        }
    }

    #[test]
    fn a_tree_of_70000_has_the_tiles_that_the_specification_says() {
        let (tiles, _) = grown(70_000);
        let widths = |level: u8| {
            let mut found = tiles
                .0
                .iter()
                .filter(|(tile, _)| tile.level == level)
                .map(|(tile, hashes)| (tile.index, hashes.len() / 32))
                .collect::<Vec<_>>();
            found.sort_unstable();
            found
        };
        assert_eq!((widths(0).len(), widths(0)[272], widths(0)[273]), (274, (272, 256), (273, 112)));
        assert_eq!((widths(1), widths(2), widths(3)), (vec![(0, 256), (1, 17)], vec![(0, 1)], vec![]));
    }

    #[test]
    fn what_a_proof_needs_is_in_the_tiles_that_are_named_for_it() {
        let (tiles, _) = grown(70_000);
        for (a, b) in [(0, 1), (0, 70_000), (69_999, 70_000), (65_535, 65_536), (1, 65_537), (300, 66_000), (256, 512)] {
            for parts in [inclusion(a, b), consistency(a, b)] {
                let needed = tiles_of(&parts).into_iter().map(|tile| (tile, tiles.0[&tile].clone())).collect::<Tiles>();
                for part in parts {
                    let expected = range_hash(part.clone(), &leaf);
                    assert_eq!(range_hash(part, &|node| needed.node(node)), expected, "{a} of {b}");
                }
            }
        }
    }

    #[test]
    fn an_index_is_written_as_the_specification_says() {
        assert_eq!(TilePath { index: 1_234_067, width: 256 }.to_string(), "x001/x234/067");
        assert_eq!(TilePath::parse("x001/x234/067.p/112"), Some(TilePath { index: 1_234_067, width: 112 }));
        let wrong = [
            "",
            "0",
            "0000",
            "-01",
            "+01",
            "000.p/0",
            "000.p/256",
            "000.p/01",
            "000.p/",
            "000.p",
            "x000/000",
            "001/000",
            "x001/",
            "/000",
            "x1/000",
            "000/",
            "x001/x000",
            "０００",
        ];
        for text in wrong {
            assert_eq!(TilePath::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_path_is_read_back(index: u64, width in 1..=256_u16) {
            let path = TilePath { index, width };
            prop_assert_eq!(TilePath::parse(&path.to_string()), Some(path));
        }

        #[test]
        fn no_text_makes_the_parser_fail(text in any::<String>()) {
            if let Some(path) = TilePath::parse(&text) {
                prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}
