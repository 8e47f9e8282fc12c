//! Every "no" to a retention run. Those that rest on the channel or the workspace carry the codes that those give for the same.

use crate::ids::HoldId;
use crate::refusal::refusals;

refusals! {
    /// Every "no" to a retention run.
    RetentionRefusal {
        ChannelNotFound = "channel.not_found" NotFound "there is no such channel",
        KeptForEver = "retention.kept_for_ever" Conflict
            "no retention policy says that messages of this channel leave: set one on the channel or on the workspace",
        CutOffTooLate = "retention.cut_off_too_late" Conflict "the retention policy keeps these messages for longer: read it again",
        Held(hold: HoldId) = "workspace.held" Conflict
            "the legal hold {0} covers this: nothing of it is archived, purged or erased until that is released",
    }
}
