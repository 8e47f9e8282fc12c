//! The current generation of a user's sessions, in `secret.session_generations`. Each use of a session reads it after
//! the request has arrived. So an end that was acknowledged earlier takes effect.
//!
//! One query answers all requests that were waiting when it was sent, so a thousand requests cost a few queries.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, query_as};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::StateError;

/// How many requests may wait for the next query. Further requests wait until the queue has room.
const WAITING_MAX: usize = 4096;

/// The generation and revision of a user's sessions. A user without a row has the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// It increases when all sessions end. Sessions of an earlier generation have ended.
    pub generation: i64,
    /// It increases when any session ends. Copies of another revision are invalid.
    pub revision: i64,
}

type Reply = oneshot::Sender<Result<Generation, StateError>>;

/// Reads generations from Postgres. Clones share one queue.
#[derive(Clone)]
pub struct Generations {
    questions: mpsc::Sender<(UserId, Reply)>,
}

impl Generations {
    /// Starts the task that queries this database. It ends with the last clone.
    #[must_use]
    pub fn start(pool: PgPool) -> Self {
        let (questions, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(answer(pool, receiver));
        Self { questions }
    }

    /// Returns the present generation and revision of the user's sessions.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn of(&self, user_id: UserId) -> Result<Generation, StateError> {
        let (reply, answer) = oneshot::channel();
        self.questions.send((user_id, reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StateError {
    StateError::Store(sqlx::Error::PoolClosed)
}

async fn answer(pool: PgPool, mut receiver: mpsc::Receiver<(UserId, Reply)>) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, WAITING_MAX).await > 0 {
        let users = waiting.iter().map(|(user_id, _)| user_id.0).collect::<Vec<_>>();
        let answer = ask(&pool, &users).await.map_err(Arc::new);
        for (user_id, reply) in waiting.drain(..) {
            let each = match &answer {
                Ok(found) => Ok(found.get(&user_id.0).copied().unwrap_or_default()),
                Err(error) => Err(StateError::Shared(Arc::clone(error))),
            };
            // A request that was cancelled needs no answer.
            let _ = reply.send(each);
        }
    }
}

struct Row {
    user_id: Uuid,
    generation: i64,
    revision: i64,
}

async fn ask(pool: &PgPool, users: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Generation>> {
    let rows = query_as!(Row, "SELECT user_id, generation, revision FROM secret.session_generations WHERE user_id = ANY($1)", users);
    let rows = rows.fetch_all(pool).await?.into_iter();
    Ok(rows.map(|Row { user_id, generation, revision }| (user_id, Generation { generation, revision })).collect())
}
