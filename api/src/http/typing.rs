//! Typing: announce it, and list the people who are typing in a channel.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, put};
use commands::Commands;
use domain::ids::UserId;
use serde::Serialize;
use state::typing::Typing;
use utoipa::ToSchema;

use super::path::ChannelPath;
use crate::extract::{Actor, Page};
use crate::problem::Problem;
use crate::signals::Signals;

/// Announce that the caller is typing in a channel
///
/// The announcement expires after ten seconds, or when the caller posts. Clients send it every few seconds. The caller
/// must be allowed to post in the channel. The open connections of others who may read the channel get a frame. The log
/// does not keep it.
#[utoipa::path(tag = "presence", params(ChannelPath), responses((status = 204, description = "The typing is announced.")))]
#[put("/channels/{channel_id}/typing")]
pub async fn announce_typing(path: Path<ChannelPath>, actor: Actor, signals: Data<Signals>) -> Result<HttpResponse, Problem> {
    signals.type_in(actor.user_id, path.channel_id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A person who is typing.
#[derive(Serialize, ToSchema)]
pub struct PersonTyping {
    /// The user.
    #[schema(value_type = Uuid)]
    user_id: UserId,
}

/// List the people who are typing in a channel, latest first, at most 100
///
/// Everybody who may see the channel may ask. An announcement counts for ten seconds, or until the person posts.
#[utoipa::path(tag = "presence", params(ChannelPath), responses((status = 200, description = "The people who are typing.", body = Page<PersonTyping>)))]
#[get("/channels/{channel_id}/typing")]
pub async fn list_typing(
    path: Path<ChannelPath>,
    actor: Actor,
    commands: Data<Commands>,
    typing: Data<Typing>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.channel(path.channel_id).await?;
    let people = typing.of(path.channel_id).await.map_err(Problem::presence_unavailable)?;
    Ok(HttpResponse::Ok().json(Page::whole(people.into_iter().map(|user_id| PersonTyping { user_id }).collect())))
}
