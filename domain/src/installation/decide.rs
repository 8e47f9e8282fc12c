//! The rules of the installation: pure functions, one for each command, without async, clock or framework.

use super::{Installation, InstallationEvent, InstallationRefusal, KeyChange, ReplayEnd, ReplayOutcome, ReplayStart, SkippedEvent};

/// Starts a replay. An earlier replay whose end was not recorded was cut off, and the log says so.
pub(super) fn start_replay(installation: &Installation, start: ReplayStart) -> Vec<InstallationEvent> {
    let dead = installation.running.get(&start.projection).filter(|running| **running != start.replay_id);
    let ended = dead.map(|replay_id| {
        let (replay_id, projection) = (*replay_id, start.projection.clone());
        InstallationEvent::ReplayEnded(Box::new(ReplayEnd::of(replay_id, projection, ReplayOutcome::CutOff)))
    });
    ended.into_iter().chain([InstallationEvent::ReplayStarted(Box::new(start))]).collect()
}

/// Ends a replay. If it switched although the models differ, another event says so.
pub(super) fn end_replay(installation: &Installation, end: ReplayEnd) -> Result<Vec<InstallationEvent>, InstallationRefusal> {
    if installation.running.get(&end.projection) != Some(&end.replay_id) {
        return Err(InstallationRefusal::ReplayNotRunning);
    }
    let mut events = Vec::new();
    if end.outcome == ReplayOutcome::Switched && !end.differences.is_empty() {
        let (replay_id, projection) = (end.replay_id, end.projection.clone());
        let (position, differences) = (end.position, end.differences.clone());
        events.push(InstallationEvent::ReplaySwitchedWithDifferences { replay_id, projection, position, differences });
    }
    events.push(InstallationEvent::ReplayEnded(Box::new(end)));
    Ok(events)
}

/// Skips an event, once.
pub(super) fn skip_event(installation: &Installation, skipped: SkippedEvent) -> Vec<InstallationEvent> {
    if installation.skipped.get(&skipped.projection).is_some_and(|positions| positions.contains(&skipped.position)) {
        return vec![];
    }
    vec![InstallationEvent::EventSkipped(skipped)]
}

/// Records a key, once.
pub(super) fn note_key_rotation(installation: &Installation, vkey: String, change: KeyChange) -> Vec<InstallationEvent> {
    if installation.proof_key.as_ref() == Some(&vkey) {
        return vec![];
    }
    vec![InstallationEvent::ProofKeyRotated { vkey, change }]
}
