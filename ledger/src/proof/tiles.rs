//! The tree as tiles of 256 hashes (<https://c2sp.org/tlog-tiles>): how `tlog_tiles` reads hashes from them, their
//! names, and how the right edge of the tree grows. No input, no output.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

pub use tlog_tiles::Tile;
use tlog_tiles::{HashReader, stored_hash_index};

use super::tree::{EMPTY_HASH, Error, Hash, node_hash};

/// The number of hashes of a full tile.
const TILE_WIDTH: u64 = 256;

/// The height of a tile in the tree: it covers two to this power of hashes.
const TILE_HEIGHT: u8 = 8;

/// The most levels of tiles.
const LEVELS_MAX: u8 = 64;

/// The size of a hash in bytes.
const HASH_BYTES: usize = 32;

/// The size of a full tile in bytes.
const TILE_BYTES: usize = 256 * HASH_BYTES;

/// A tile: 256 hashes of one level, or fewer at the right edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Level 0 has the hashes of leaves. A higher level has hashes of full tiles of the level below.
    pub level: u8,
    /// How many tiles of that level are to its left.
    pub index: u64,
}

impl From<Tile> for TileId {
    fn from(tile: Tile) -> Self {
        Self { level: tile.level(), index: tile.level_index() }
    }
}

/// Reads hashes of the tree for a computation.
pub struct Reader<'a>(&'a dyn HashReader);

impl HashReader for Reader<'_> {
    fn read_hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Error> {
        self.0.read_hashes(places)
    }
}

/// Some tiles.
#[derive(Debug, Default)]
pub struct Tiles(HashMap<TileId, Vec<u8>>);

impl Tiles {
    /// Computes something from these tiles.
    ///
    /// # Errors
    /// A tile is missing, or not wide enough.
    pub fn compute<T>(&self, compute: impl Fn(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        compute(&Reader(self))
    }
}

impl HashReader for Tiles {
    fn read_hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Error> {
        let hash = |place: &u64| {
            let tile = Tile::from_index(TILE_HEIGHT, *place);
            tile.hash_at_index(self.0.get(&tile.into()).ok_or(Error::InvalidTile)?, *place)
        };
        places.iter().map(hash).collect()
    }
}

impl FromIterator<(TileId, Vec<u8>)> for Tiles {
    fn from_iter<T: IntoIterator<Item = (TileId, Vec<u8>)>>(tiles: T) -> Self {
        Self(tiles.into_iter().collect())
    }
}

/// The tiles that a computation reads.
pub fn tiles_of<T>(compute: impl Fn(&Reader<'_>) -> Result<T, Error>) -> BTreeSet<TileId> {
    let wanted = RecordedReads::default();
    // Only the reads matter: the hashes are not real, and the result is dropped.
    drop(compute(&Reader(&wanted)));
    wanted.0.into_inner()
}

/// Records which tiles are read, and returns false hashes.
#[derive(Default)]
struct RecordedReads(RefCell<BTreeSet<TileId>>);

impl HashReader for RecordedReads {
    fn read_hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Error> {
        self.0.borrow_mut().extend(places.iter().map(|place| TileId::from(Tile::from_index(TILE_HEIGHT, *place))));
        Ok(vec![Hash::default(); places.len()])
    }
}

/// The right edge of a growing tree: the tiles that are not full.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edge {
    size: u64,
    /// The hashes of the incomplete tile of each level. It may be empty.
    levels: Vec<Vec<u8>>,
    /// The hash of the last leaf.
    last: Option<Hash>,
}

impl Edge {
    /// The tiles that are needed to continue from this size.
    #[must_use]
    pub fn tiles(size: u64) -> Vec<TileId> {
        let mut tiles = widths(size).map(|(tile, _)| tile).collect::<BTreeSet<_>>();
        if size > 0 {
            tiles.insert(TileId { level: 0, index: (size - 1) / TILE_WIDTH });
        }
        tiles.into_iter().collect()
    }

    /// The edge of a tree of this size. `None` if a tile is missing or not wide enough.
    #[must_use]
    pub fn of(size: u64, tiles: &Tiles) -> Option<Self> {
        let mut edge = Self { size, ..Self::default() };
        for (tile, width) in widths(size) {
            edge.levels.resize(usize::from(tile.level) + 1, Vec::new());
            *edge.levels.last_mut()? = tiles.0.get(&tile)?.get(..width * HASH_BYTES)?.to_vec();
        }
        if size > 0 {
            edge.last = Some(tiles.read_hashes(&[stored_hash_index(0, size - 1)]).ok()?.pop()?);
        }
        Some(edge)
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hash of the last leaf.
    #[must_use]
    pub fn last(&self) -> Option<&Hash> {
        self.last.as_ref()
    }

    /// Adds a leaf. Calls `full` with each tile that becomes full.
    pub fn append(&mut self, leaf: Hash, mut full: impl FnMut(TileId, Vec<u8>)) {
        self.size += 1;
        self.last = Some(leaf);
        let mut hash = leaf;
        for level in 0_u8.. {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(TILE_BYTES));
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.extend_from_slice(&hash.0);
            if hashes.len() < TILE_BYTES {
                return;
            }
            let root = Tile::subtree_hash(hashes);
            let index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1;
            full(TileId { level, index }, std::mem::replace(hashes, Vec::with_capacity(TILE_BYTES)));
            hash = root;
        }
    }

    /// The tiles that are neither full nor empty.
    pub fn partial(&self) -> impl Iterator<Item = (TileId, &[u8])> {
        widths(self.size).filter_map(|(tile, _)| Some((tile, self.levels.get(usize::from(tile.level))?.as_slice())))
    }

    /// The root hash of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut root = None;
        for hashes in &self.levels {
            let mut end = hashes.len();
            // From right to left: the hashes of perfect subtrees, the smallest first.
            while end > 0 {
                let start = end - (HASH_BYTES << (end / HASH_BYTES).trailing_zeros());
                let left = Tile::subtree_hash(&hashes[start..end]);
                root = Some(root.map_or(left, |right| node_hash(left, right)));
                end = start;
            }
        }
        root.unwrap_or(EMPTY_HASH)
    }
}

/// The tiles of a tree of this size that are neither full nor empty, from level 0 up, each with its number of hashes.
fn widths(size: u64) -> impl Iterator<Item = (TileId, usize)> {
    let of_level = move |level: u8| {
        let hashes = size >> (TILE_HEIGHT * level);
        let width = usize::try_from(hashes % TILE_WIDTH).unwrap_or_default();
        (hashes > 0).then_some((TileId { level, index: hashes / TILE_WIDTH }, width))
    };
    (0..8).map_while(of_level).filter(|(_, width)| *width > 0)
}

/// Parses the part of an address after `tile/<L>/` or `tile/entries/`: `<N>[.p/<W>]`. `<N>` is the index of the tile,
/// in groups of three digits between slashes, with an `x` before all but the last. `<W>` is the number of hashes of a
/// partial tile: `x001/x234/067.p/112`.
#[must_use]
pub fn parse_path(level: u8, path: &str) -> Option<Tile> {
    // The library panics for a tile without hashes, and for a level that no tree has.
    let is_empty = path.rsplit_once(".p/").is_some_and(|(_, width)| width.parse() == Ok(0_u32));
    if is_empty || level >= LEVELS_MAX {
        return None;
    }
    // The library's paths contain the height, C2SP's do not.
    Tile::from_path(&format!("tile/{TILE_HEIGHT}/{level}/{path}")).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
    use proptest::string::string_regex;
    use tlog_tiles::stored_hashes_for_record_hash;

    use super::super::tree::{leaf_hash, prove_record, prove_tree, tree_hash};
    use super::*;

    /// The root of [`grown`] at 70,000 leaves, and the hash of all its tiles in order. They were computed before
    /// `tlog_tiles` was used, and must stay the same.
    const ROOT_OF_70000: &str = "0759167a0f98e35e802d46ff7c7d29d2c3f03a63a256deb6abbff357a91b63b1";
    const TILES_OF_70000: &str = "3eb446c858c302422735ff14d261769718914083f94fb696c16984edc6c367c5";

    /// The entry of leaf `n` of [`grown`].
    pub fn entry(n: u64) -> [u8; 8] {
        n.to_be_bytes()
    }

    /// A tree of this size: its tiles, and its edge.
    pub fn grown(size: u64) -> (Tiles, Edge) {
        grown_of((0..size).map(|n| leaf_hash(&entry(n))))
    }

    /// The tree of these leaves.
    pub fn grown_of(leaves: impl IntoIterator<Item = Hash>) -> (Tiles, Edge) {
        let (mut tiles, mut edge) = (HashMap::new(), Edge::default());
        for leaf in leaves {
            edge.append(leaf, |tile, hashes| drop(tiles.insert(tile, hashes)));
        }
        tiles.extend(edge.partial().map(|(tile, hashes)| (tile, hashes.to_vec())));
        (Tiles(tiles), edge)
    }

    fn only(tiles: &Tiles, wanted: impl IntoIterator<Item = TileId>) -> Tiles {
        wanted.into_iter().filter_map(|tile| Some((tile, tiles.0.get(&tile)?.clone()))).collect()
    }

    /// All hashes of a tree, stored as the library needs them.
    struct Stored(Vec<Hash>);

    impl HashReader for Stored {
        fn read_hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Error> {
            places
                .iter()
                .map(|place| self.0.get(usize::try_from(*place).ok()?).copied())
                .collect::<Option<_>>()
                .ok_or(Error::IndexesNotInTree)
        }
    }

    impl Stored {
        fn grown(size: u64) -> Self {
            let mut stored = Self(Vec::new());
            for n in 0..size {
                let hashes = stored_hashes_for_record_hash(n, leaf_hash(&entry(n)), &stored).expect("every hash");
                stored.0.extend(hashes);
            }
            stored
        }
    }

    /// Checks that the tiles and the root of a tree equal those that the library computes from all hashes, and that the
    /// tiles named for the edge are enough to load it.
    fn assert_like_the_library(size: u64) {
        let ((tiles, edge), stored) = (grown(size), Stored::grown(size));
        assert_eq!(edge.root(), tree_hash(size, &stored).expect("every hash"), "{size}");
        assert_eq!(Edge::of(size, &only(&tiles, Edge::tiles(size))), Some(edge), "{size}");
        let named = |tile: Tile| (TileId::from(tile), tile.read_data(&stored).expect("every hash"));
        let expected = Tile::new_tiles(TILE_HEIGHT, 0, size).into_iter().map(named).collect::<BTreeMap<_, _>>();
        assert_eq!(tiles.0.into_iter().collect::<BTreeMap<_, _>>(), expected, "{size}");
    }

    #[test]
    fn tiles_at_the_bounds_equal_those_of_the_library() {
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_536, 65_537] {
            assert_like_the_library(size);
        }
    }

    #[test]
    fn a_tree_of_70000_has_the_specified_tiles_and_they_never_change() {
        let (tiles, edge) = grown(70_000);
        let tiles = tiles.0.into_iter().collect::<BTreeMap<_, _>>();
        let widths = |level: u8| {
            let found = tiles.iter().filter(|(tile, _)| tile.level == level);
            found.map(|(tile, hashes)| (tile.index, hashes.len() / 32)).collect::<Vec<_>>()
        };
        assert_eq!((widths(0).len(), widths(0)[272], widths(0)[273]), (274, (272, 256), (273, 112)));
        assert_eq!((widths(1), widths(2), widths(3)), (vec![(0, 256), (1, 17)], vec![(0, 1)], vec![]));
        assert_eq!(edge.root().to_string(), Hash(hex32(ROOT_OF_70000)).to_string());
        assert_eq!(leaf_hash(&tiles.into_values().flatten().collect::<Vec<_>>()), Hash(hex32(TILES_OF_70000)));
    }

    fn hex32(text: &str) -> [u8; 32] {
        hex::decode(text).expect("hex").try_into().expect("32 bytes")
    }

    #[test]
    fn the_tiles_named_for_a_proof_are_enough() {
        let (tiles, _) = grown(70_000);
        for (a, b) in [(0, 1), (0, 70_000), (69_999, 70_000), (65_535, 65_536), (1, 65_537), (300, 66_000), (256, 512)] {
            let compute = |tiles: &Reader<'_>| Ok((prove_record(b, a, tiles)?, prove_tree(b, a.max(1), tiles)?, tree_hash(b, tiles)?));
            let needed = only(&tiles, tiles_of(compute));
            assert_eq!(needed.compute(compute).expect("every tile"), tiles.compute(compute).expect("every tile"), "{a} of {b}");
            for missing in needed.0.keys() {
                let others = only(&needed, needed.0.keys().copied().filter(|tile| tile != missing));
                assert!(others.compute(compute).is_err(), "{a} of {b} without {missing:?}");
            }
        }
    }

    #[test]
    fn an_index_is_read_as_the_specification_says_and_in_no_other_way() {
        assert_eq!(parse_path(1, "x001/x234/067"), Some(Tile::new(8, 1, 1_234_067, 256, false)));
        assert_eq!(parse_path(0, "x001/x234/067.p/112"), Some(Tile::new(8, 0, 1_234_067, 112, false)));
        assert_eq!(parse_path(63, "x018/x446/x744/x073/x709/x551/615.p/255"), Some(Tile::new(8, 63, u64::MAX, 255, false)));
        assert_eq!(parse_path(64, "000"), None);
        let wrong = [
            "",
            "0",
            "0000",
            "-01",
            "+01",
            "000.p/0",
            "000.p/00",
            "000.p/+0",
            "000.p/.p/0",
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
            "x018/x446/x744/x073/x709/x551/616",
            "０００",
        ];
        for text in wrong {
            assert_eq!(parse_path(0, text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn tiles_of_any_size_equal_those_of_the_library_and_can_be_loaded(size in 0..2_000_u64) {
            assert_like_the_library(size);
        }

        #[test]
        fn a_tree_continued_from_its_tiles_equals_a_tree_grown_at_once(size in 0..1_000_u64, more in 0..600_u64) {
            let (tiles, _) = grown(size);
            let mut edge = Edge::of(size, &tiles).expect("every tile");
            (size..size + more).for_each(|n| edge.append(leaf_hash(&entry(n)), |_, _| {}));
            prop_assert_eq!(edge, grown(size + more).1);
        }
    }

    proptest! {
        #[test]
        fn every_path_is_read_back(level in 0..64_u8, index: u64, width in 1..=256_u32) {
            let tile = Tile::new(TILE_HEIGHT, level, index, width, false);
            let path = tile.path();
            prop_assert_eq!(path.strip_prefix(&format!("tile/8/{level}/")).and_then(|path| parse_path(level, path)), Some(tile));
        }

        #[test]
        fn no_text_makes_the_parser_fail(level: u8, text in any::<String>(), like in string_regex("[x0-9+./p-]{0,40}").expect("a pattern")) {
            for text in [text, like.clone(), format!("000.p/{like}"), format!("{like}.p/0")] {
                if let Some(tile) = parse_path(level, &text) {
                    prop_assert_eq!(tile.path(), format!("tile/8/{level}/{text}"));
                }
            }
        }
    }
}
