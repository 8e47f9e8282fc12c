//! Compares the log, event by event, with the stored proof and the signed heads. No input, no output.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter::Peekable;
use std::time::Duration;
use std::vec::IntoIter;

use super::Report;
use super::finding::Finding;
use super::page::{Columns, EventSummary, Page};
use super::purges::Purges;
use crate::proof::store::stored;
use crate::proof::tiles::{Edge, TileId};
use crate::proof::tree::Hash;

/// The most findings that are reported.
const FINDINGS_MAX: usize = 20;

/// A head that the log is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) source: Source,
}

/// Where a head was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stored,
    Outside,
}

/// The state of the comparison: what was read, and what is still to be compared.
pub(super) struct Comparison {
    recorded_at: i64,
    sequences: HashMap<u128, i64>,
    edge: Edge,
    /// The stored tiles above level 0 that were not compared yet.
    upper: HashMap<TileId, Vec<u8>>,
    purges: Purges,
    heads: Peekable<IntoIter<Head>>,
    /// The size of the newest stored head.
    signed: u64,
    counts: [u64; 2],
    /// The size of the last head that matches the log: of all heads, and of those that were kept outside.
    fits_up_to: u64,
    outside_fits_up_to: u64,
    /// Whether an event is missing. After it, no hash above the leaves can match.
    has_gap: bool,
    /// Whether a leaf does not match. Then no hash above it matches.
    has_other_leaf: bool,
    purged: u64,
    findings: Vec<Finding>,
    total: u64,
}

impl Comparison {
    pub(super) fn new(upper: HashMap<TileId, Vec<u8>>, purges: Purges) -> Self {
        Self {
            recorded_at: i64::MIN,
            sequences: HashMap::new(),
            edge: Edge::default(),
            upper,
            purges,
            heads: Vec::new().into_iter().peekable(),
            signed: 0,
            counts: [0; 2],
            fits_up_to: 0,
            outside_fits_up_to: 0,
            has_gap: false,
            has_other_leaf: false,
            purged: 0,
            findings: Vec::new(),
            total: 0,
        }
    }

    /// Adds heads to compare with.
    pub(super) fn expect(&mut self, mut heads: Vec<Head>) {
        heads.sort_by_key(|head| head.size);
        self.signed = heads.iter().filter(|head| head.source == Source::Stored).map(|head| head.size).max().unwrap_or(0);
        self.counts = [Source::Stored, Source::Outside].map(|source| heads.iter().filter(|head| head.source == source).count() as u64);
        self.heads = heads.into_iter().peekable();
    }

    pub(super) fn report(&mut self, finding: Finding) {
        self.total += 1;
        // Findings without a position come before the log is read, or after it.
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// Compares the events behind `after`, up to and including `to`.
    pub(super) fn compare_page(&mut self, after: i64, to: i64, page: &Page) {
        let mut events = page.events.iter().peekable();
        for position in after + 1..=to {
            // The primary key of the positions may have been dropped too. A second event at a position is compared with
            // the next place.
            match events.next_if(|event| event.position <= position) {
                Some(event) if event.position == position => self.event(event, page),
                Some(event) => self.report(Finding::Gap { position: event.position }),
                None => {
                    self.has_gap = true;
                    self.report(Finding::Gap { position });
                }
            }
        }
        for event in events {
            self.report(Finding::Gap { position: event.position });
        }
    }

    fn event(&mut self, event: &EventSummary, page: &Page) {
        let position = event.position;
        if event.columns != Columns::Match {
            self.changed(position, event.columns);
        }
        if event.recorded_at <= self.recorded_at {
            self.report(Finding::RecordedAt { position });
        }
        self.recorded_at = event.recorded_at;
        let expected = match self.sequences.entry(event.stream) {
            Entry::Occupied(mut entry) => std::mem::replace(entry.get_mut(), event.sequence) + 1,
            Entry::Vacant(entry) => {
                entry.insert(event.sequence);
                1
            }
        };
        if event.sequence != expected {
            self.report(Finding::Sequence { position, expected, found: event.sequence });
        }
        self.leaf(event, page);
    }

    /// The columns do not have their digest. Unless the log says that the event was purged, or that it lost the
    /// identifier of a client, it was changed.
    fn changed(&mut self, position: i64, columns: Columns) {
        let removal = self.purges.client_id_of(position);
        match self.purges.of(position).or(removal) {
            None => self.report(Finding::Digest { position }),
            Some(purge) if purge.is_recorded && columns == purge.leaves => self.purged += 1,
            Some(purge) if purge.is_recorded => self.report(Finding::NotEmptied { position }),
            Some(purge) => {
                let purged_by = purge.purged_by;
                self.report(Finding::Purge { position, purged_by });
            }
        }
    }

    fn leaf(&mut self, event: &EventSummary, page: &Page) {
        let index = event.position.unsigned_abs() - 1;
        if index < self.signed {
            let (tile, place) = (index / 256, usize::try_from(index % 256).unwrap_or_default() * 32);
            let stored = page.tiles.get(&tile).and_then(|hashes| hashes.get(place..place + 32));
            if stored != Some(event.leaf.0.as_slice()) {
                self.has_other_leaf = true;
                let position = event.position;
                self.report(if stored.is_some() { Finding::Leaf { position } } else { Finding::LeafMissing { position } });
            }
        }
        if self.has_gap {
            return;
        }
        let mut full = Vec::new();
        self.edge.append(event.leaf, |tile, hashes| full.push((tile, hashes)));
        for (tile, hashes) in full.into_iter().filter(|(tile, _)| tile.level > 0) {
            self.tile(tile, &hashes);
        }
        while let Some(head) = self.heads.next_if(|head| head.size <= self.edge.size()) {
            self.head(head);
        }
    }

    /// Compares a tile above the leaves. The stored one may be wider, because heads were signed meanwhile.
    fn tile(&mut self, tile: TileId, hashes: &[u8]) {
        let spans = 1_u64.checked_shl(8 * u32::from(tile.level)).unwrap_or(u64::MAX);
        let signed = usize::try_from((self.signed / spans).saturating_sub(tile.index * 256).min(256)).unwrap_or(256) * 32;
        let expected = hashes.get(..signed.min(hashes.len())).unwrap_or_default();
        let stored = self.upper.remove(&tile).unwrap_or_default();
        if !self.has_other_leaf && !stored.starts_with(expected) {
            self.report(Finding::Tile { level: tile.level, index: tile.index });
        }
    }

    fn head(&mut self, head: Head) {
        if self.edge.size() == head.size && self.edge.root() == head.root {
            self.fits_up_to = head.size;
            if head.source == Source::Outside {
                self.outside_fits_up_to = head.size;
            }
        } else {
            self.head_differs(head);
        }
    }

    /// If an event does not match, stored heads cannot match either: this is already reported. Heads kept outside are
    /// always reported.
    fn head_differs(&mut self, head: Head) {
        let is_outside = head.source == Source::Outside;
        if is_outside || !(self.has_gap || self.has_other_leaf) {
            // An attacker that rewrote the log may have signed new heads. Only other heads from outside show up to
            // which position the log is unchanged.
            let fits_up_to = if is_outside { self.outside_fits_up_to } else { self.fits_up_to };
            self.report(Finding::Head { size: head.size, is_outside, fits_up_to });
        }
    }

    /// Ends the comparison at the end of the log, and returns the report.
    pub(super) fn end(mut self, last: i64, elapsed: Duration) -> Report {
        if !self.has_gap {
            let partial =
                self.edge.partial().filter(|(tile, _)| tile.level > 0).map(|(tile, hashes)| (tile, hashes.to_vec())).collect::<Vec<_>>();
            for (tile, hashes) in partial {
                self.tile(tile, &hashes);
            }
            // Tiles beyond the tree were never signed.
            let mut beyond = self.upper.keys().copied().collect::<Vec<_>>();
            beyond.sort_unstable();
            beyond.into_iter().for_each(|tile| self.report(Finding::Tile { level: tile.level, index: tile.index }));
        }
        for head in std::mem::replace(&mut self.heads, Vec::new().into_iter().peekable()) {
            if stored(head.size) > last {
                self.report(Finding::LogShorter { size: head.size, is_outside: head.source == Source::Outside, last });
            } else {
                self.head_differs(head);
            }
        }
        // First the first event that certainly does not match; then ranges in which one event does not.
        self.findings.sort_by_key(|finding| (!finding.is_exact(), finding.position().unwrap_or(i64::MAX)));
        let [heads, outside] = self.counts;
        Report {
            events: last.unsigned_abs(),
            signed: self.signed,
            heads,
            outside,
            purged: self.purged,
            findings: self.findings,
            findings_total: self.total,
            elapsed,
        }
    }
}
