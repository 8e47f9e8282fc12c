//! The refusals of retention runs. A refusal because of the channel or the workspace has the same code as there.

use crate::ids::HoldId;
use crate::refusal::refusals;

refusals! {
    /// The refusals of retention runs.
    RetentionRefusal {
        ChannelNotFound = "channel.not_found" NotFound "there is no such channel",
        KeptForEver = "retention.kept_for_ever" Conflict
            "no retention policy removes messages of this channel: set one on the channel or on the workspace",
        CutOffTooLate = "retention.cut_off_too_late" Conflict "the retention policy keeps these messages for longer: read the policy again",
        Held(hold: HoldId) = "workspace.held" Conflict
            "the legal hold {0} covers this: nothing of it is archived, purged or erased until the hold is released",
    }
}
