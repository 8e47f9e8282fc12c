//! The claims of the names of users and channels. A name is claimed as it is written, without case, and as it looks, so
//! that nobody takes a name that readers could mistake for another (docs/decisions/0029-names-that-can-be-told-apart.md).

use std::collections::BTreeSet;

use domain::ids::WorkspaceId;
use domain::text::{ChannelName, Email, Username, twins_of};

use super::claim::{Claim, ClaimKind};

/// The claims of a mail address: one, or two if its host is written in letters and in Punycode.
#[must_use]
pub fn of_email(email: &Email) -> Vec<Claim> {
    Email::forms_of(email.as_str()).into_iter().map(|form| Claim::on_server(ClaimKind::Email, form)).collect()
}

/// The claims of a username.
#[must_use]
pub fn of_username(username: &Username) -> Vec<Claim> {
    let twins = username.twins().into_iter().map(|key| Claim::on_server(ClaimKind::UsernameTwin, key));
    std::iter::once(Claim::on_server(ClaimKind::Username, username.folded())).chain(twins).collect()
}

/// The claims of a channel's name in its workspace.
#[must_use]
pub fn of_channel(workspace_id: WorkspaceId, name: &ChannelName) -> Vec<Claim> {
    let written = Claim::in_workspace(ClaimKind::ChannelName, workspace_id, name.folded());
    std::iter::once(written).chain(twins_of_channel(workspace_id, name.as_str())).collect()
}

/// The claims of the look of a channel's name. It need not be a name that a new channel may have.
pub(crate) fn twins_of_channel(workspace_id: WorkspaceId, name: &str) -> impl Iterator<Item = Claim> {
    twins_of(name).into_iter().map(move |key| Claim::in_workspace(ClaimKind::ChannelNameTwin, workspace_id, key))
}

/// The claims under which a user may be found who signs in with this text.
pub(crate) fn of_login(email_or_username: &str) -> Vec<Claim> {
    let login = email_or_username.trim();
    // First the form of earlier releases: it is the very name that its user chose.
    let earlier = login.to_lowercase();
    let (kind, forms) = if login.contains('@') {
        (ClaimKind::Email, Email::forms_of(login))
    } else {
        (ClaimKind::Username, BTreeSet::from([Username::folded_of(login)]))
    };
    let later = forms.into_iter().filter(|form| *form != earlier).collect::<Vec<_>>();
    std::iter::once(earlier).chain(later).map(|form| Claim::on_server(kind, form)).collect()
}

/// Every claim that a user may hold for these names, those of earlier releases too.
pub(crate) fn ever_of_user(email: &Email, username: &Username) -> Vec<Claim> {
    let earlier = [(ClaimKind::Email, email.as_str()), (ClaimKind::Username, username.as_str())];
    let earlier = earlier.map(|(kind, name)| Claim::on_server(kind, name.to_lowercase()));
    distinct(of_email(email).into_iter().chain(of_username(username)).chain(earlier))
}

/// Every claim that a channel may hold for this name, that of earlier releases too.
pub(crate) fn ever_of_channel(workspace_id: WorkspaceId, name: &ChannelName) -> Vec<Claim> {
    let earlier = Claim::in_workspace(ClaimKind::ChannelName, workspace_id, name.as_str().to_lowercase());
    distinct(of_channel(workspace_id, name).into_iter().chain([earlier]))
}

/// The claims, each once.
pub(super) fn distinct(claims: impl Iterator<Item = Claim>) -> Vec<Claim> {
    claims.collect::<BTreeSet<_>>().into_iter().collect()
}
