//! Records in Redis which connections are open, and that their users are present. Only the end of a connection waits for
//! it, so that a server that stops leaves no entry behind. Without Redis, connections work, and nobody is shown as connected
//! or present.

use chrono::Utc;
use domain::ids::WorkspaceId;
use live::Connected;
use state::connections::Open;
use state::presence::{CONNECTED_FOR, DeviceId, LINGERS_FOR, Status};
use stores::redis::RedisDown;
use tokio::time::Instant;

use super::Signals;

/// The time from the end of a presence in Redis until it is looked up.
const LOOKED_UP_AFTER: std::time::Duration = std::time::Duration::from_millis(500);

impl Signals {
    /// Records an open connection in the background.
    pub(super) fn record_later(&self, connection: Connected) {
        let signals = self.clone();
        tokio::spawn(async move {
            let _ = signals.record(&connection).await;
        });
    }

    /// The same, and then notes that the user's presence may have changed.
    pub(super) fn record_then_note(&self, connection: Connected) {
        let signals = self.clone();
        tokio::spawn(async move {
            let _ = signals.record(&connection).await;
            signals.presence_changed(connection.user_id);
        });
    }

    /// Records the states that clients sent for their users since the last step.
    pub(super) fn record_what_was_said(&self) {
        for (connection, ()) in self.0.said.take() {
            self.record_then_note(connection);
        }
    }

    /// The connection has closed. If it was the user's last one here, the user stays present for half a minute.
    pub(super) async fn close(&self, connection: &Connected) {
        self.0.watches.forget(connection.connection_id);
        let offline_at = Instant::now() + LINGERS_FOR + LOOKED_UP_AFTER;
        let Some(closed) = self.0.local.close(connection.connection_id, offline_at) else { return };
        let lingers = closed.is_last.then_some(closed.status);
        let _ = self.leave(connection, &closed.workspaces, lingers).await;
        if !closed.is_last {
            self.presence_changed(connection.user_id);
        }
    }

    async fn record(&self, connection: &Connected) -> Result<(), RedisDown> {
        let parts = &self.0.parts;
        let workspaces = parts.hub.workspaces_of(connection.user_id);
        let Some(status) = self.0.local.recording(connection.connection_id, &workspaces) else { return Ok(()) };
        let open = Open {
            connection_id: connection.connection_id,
            user_id: connection.user_id,
            session_id: connection.session_id,
            workspaces: workspaces.clone(),
            node: parts.node.clone(),
            connected_at: started_at(connection).unwrap_or_else(Utc::now),
        };
        let renewed = parts.connections.renew(&open).await;
        let announced = self.announce(connection, &workspaces, status, CONNECTED_FOR).await;
        if self.0.local.is_open(connection.connection_id) {
            return renewed.and(announced);
        }
        // It has closed meanwhile, and may have been removed from Redis before this call. It is removed again, also if
        // Redis did not answer: a part of it may be there, and `connection:{id}` holds for two hours.
        let lingers = (!self.0.local.has(connection.user_id)).then_some(status);
        self.leave(connection, &workspaces, lingers).await
    }

    /// Removes a connection that has closed. `lingers` is the presence that its user keeps for half a minute.
    async fn leave(&self, connection: &Connected, workspaces: &[WorkspaceId], lingers: Option<Status>) -> Result<(), RedisDown> {
        let parts = &self.0.parts;
        parts.connections.remove(connection.user_id, connection.session_id, connection.connection_id).await?;
        match lingers {
            Some(status) => self.announce(connection, workspaces, status, LINGERS_FOR).await,
            None => {
                for workspace_id in workspaces {
                    parts.presences.forget(connection.user_id, *workspace_id, DeviceId(connection.connection_id)).await?;
                }
                Ok(())
            }
        }
    }

    async fn announce(
        &self,
        connection: &Connected,
        workspaces: &[WorkspaceId],
        status: Status,
        holds: std::time::Duration,
    ) -> Result<(), RedisDown> {
        for workspace_id in workspaces {
            let (who, device) = ((connection.user_id, *workspace_id), DeviceId(connection.connection_id));
            self.0.parts.presences.record_heartbeat(who, (device, holds), status, connection.transport.as_str()).await?;
        }
        Ok(())
    }
}

/// When the connection was opened: its identifier has the time.
fn started_at(connection: &Connected) -> Option<chrono::DateTime<Utc>> {
    let (seconds, nanoseconds) = connection.connection_id.get_timestamp()?.to_unix();
    chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}

#[cfg(test)]
mod tests {
    use live::RENEW_EVERY;

    use super::*;

    #[test]
    fn a_connection_is_present_although_one_renewal_is_lost_and_the_next_is_late() {
        assert!(CONNECTED_FOR >= RENEW_EVERY * 3, "{CONNECTED_FOR:?}");
    }
}
