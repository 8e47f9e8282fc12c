//! Posts through the command façade in this process: authorize, load, guard, decide, append. No projector runs.

use commands::{CommandRequest, Commands, EventStore};
use tests::TestDatabase;

use crate::furnish::{Furnished, context, new_message};
use crate::load::rate;

pub struct CommandPath {
    commands: Commands,
    furnished: Furnished,
    _database: TestDatabase,
}

impl CommandPath {
    /// Prepares a channel with this number of members.
    pub async fn start(members: usize) -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool(8).await;
        let store = EventStore::start(pool.clone(), tests::keyring(&pool).await).await.expect("the store");
        let furnished = Furnished::with(&store, members).await;
        Self { commands: Commands::new(store), furnished, _database: database }
    }

    /// Posts per second by this number of callers. Each caller is a different member, as far as there are enough.
    pub async fn rate(&self, callers: usize) -> f64 {
        let (commands, furnished) = (self.commands.clone(), self.furnished.clone());
        rate(callers, move |n| {
            let (commands, channel_id) = (commands.clone(), furnished.channel_id);
            let user = furnished.users[n as usize % callers.min(furnished.users.len())];
            async move {
                let asked = CommandRequest { context: context(user), idempotency: None, unchanged_since: None };
                commands.post_message(&asked, channel_id, new_message(n)).await.expect("a post");
            }
        })
        .await
    }
}
