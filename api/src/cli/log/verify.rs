//! `backscroll log verify-export`

use ledger::months::{self, Verified};
use ledger::proof::note::{SignedCheckpoint, VerifyingKey};
use ledger::proof::tiles::Edge;
use ledger::proof::tree::{Hash, leaf_hash};
use stores::objects::ObjectStoreSettings;

use super::months::{Fetched, fetched};
use crate::cli::place::Place;
use crate::cli::{Failure, print};

/// Checks months, `settings` being asked where the object store is, should one be there: this verb needs nothing else.
pub(in crate::cli) async fn run(
    settings: impl Fn() -> Result<ObjectStoreSettings, Failure>,
    manifests: &[Place],
    keys: &[VerifyingKey],
) -> Result<(), Failure> {
    // The tree of everything up to here, where the months began with the first.
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
            (Some(head), Some(_)) => judge(&month, head, root, keys)?,
            (Some(_), None) => "its head is not compared: begin with the first month".to_owned(),
            (None, _) => "it has no head".to_owned(),
        };
        print(&format!(
            "{}: {} events, positions {} to {}, every digest fits; {erased} are emptied, and keep the digest of what they were; {head}",
            manifest.month, manifest.events, manifest.first_position, manifest.last_position
        ))?;
    }
    Ok(())
}

/// Whether the log has the root that the head says, and who signed it. Without a root, no event of the month is the head's last.
fn judge(month: &Fetched, head: &SignedCheckpoint, root: Option<Hash>, keys: &[VerifyingKey]) -> Result<String, Failure> {
    let size = head.checkpoint.size;
    let Some(root) = root else { return Err(month.wrong(format!("the head of size {size} ends in another month"))) };
    if head.checkpoint.root != root {
        return Err(month.wrong(format!("the head of size {size} has another root than these events")));
    }
    if keys.is_empty() {
        return Ok(format!("the head of size {size} fits; its signature is not checked without --key"));
    }
    head.verify(keys).map_err(|error| month.wrong(format!("the head of size {size}: {error}")))?;
    Ok(format!("the head of size {size} fits and is signed"))
}
