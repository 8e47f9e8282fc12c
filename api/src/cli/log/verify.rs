//! `backscroll log verify-export`

use ledger::months::{self, Verified};
use ledger::proof::note::{SignedCheckpoint, VerifyingKey};
use ledger::proof::tiles::Edge;
use ledger::proof::tree::{Hash, leaf_hash};
use stores::objects::ObjectStoreSettings;

use super::months::{Fetched, fetched};
use crate::cli::place::Place;
use crate::cli::{Failure, print};

/// Checks months. `settings` gives the object store's settings, and is called only if a month is there: this command
/// needs no other settings.
pub(in crate::cli) async fn run(
    settings: impl Fn() -> Result<ObjectStoreSettings, Failure>,
    manifests: &[Place],
    keys: &[VerifyingKey],
) -> Result<(), Failure> {
    // The tree of all events so far, if the months begin with the first.
    let mut tree = Some(Edge::default());
    for place in manifests {
        let month = fetched(place, &settings).await?;
        let manifest = months::read_manifest(month.path()).map_err(|error| month.failed(error))?;
        tree = tree.filter(|tree| i64::try_from(tree.size()).is_ok_and(|size| size + 1 == manifest.first_position));
        let head = manifest.checkpoint.as_deref().map(str::parse::<SignedCheckpoint>).transpose().map_err(|error| month.wrong(error))?;
        let mut root = None;
        let found = months::verify(month.path(), |digest| {
            let Some(tree) = &mut tree else { return };
            tree.append(leaf_hash(digest), |_, _| {});
            if head.as_ref().is_some_and(|head| head.checkpoint.size == tree.size()) {
                root = Some(tree.root());
            }
        });
        let Verified { manifest, erased } = found.map_err(|error| month.failed(error))?;
        let head = match (&head, &tree) {
            (Some(head), Some(_)) => check_head(&month, head, root, keys)?,
            (Some(_), None) => "its head is not checked: begin with the first month".to_owned(),
            (None, _) => "it has no head".to_owned(),
        };
        print(&format!(
            "{}: {} events, positions {} to {}, every digest matches; {erased} are erased, and keep their original digest; {head}",
            manifest.month, manifest.events, manifest.first_position, manifest.last_position
        ))?;
    }
    Ok(())
}

/// Checks that the events have the head's root, and that a key of `keys` signed the head. `root` is absent if no event
/// of this month is the last one of the head.
fn check_head(month: &Fetched, head: &SignedCheckpoint, root: Option<Hash>, keys: &[VerifyingKey]) -> Result<String, Failure> {
    let size = head.checkpoint.size;
    let Some(root) = root else { return Err(month.wrong(format!("the head of size {size} ends in another month"))) };
    if head.checkpoint.root != root {
        return Err(month.wrong(format!("the head of size {size} has another root than these events")));
    }
    if keys.is_empty() {
        return Ok(format!("the head of size {size} matches; give --key to check its signature"));
    }
    head.verify(keys).map_err(|error| month.wrong(format!("the head of size {size}: {error}")))?;
    Ok(format!("the head of size {size} matches, and its signature is valid"))
}
