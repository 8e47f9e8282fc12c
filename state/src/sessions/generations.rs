//! Which generation of a person's sessions is the current one: `secret.session_generations`. Each use of a session
//! asks, after the request has arrived, so that an end that was acknowledged before is effective.
//!
//! One question serves all requests that were waiting when it was asked: a thousand requests cost a few queries.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, query_as};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::StateError;

/// How many requests may wait for a question to be asked; more wait until the queue has room.
const WAITING_MAX: usize = 4096;

/// Where a person's sessions stand. Who has no row is at the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Raised when all sessions end: those of an earlier one have ended.
    pub generation: i64,
    /// Raised when any session ends: copies that were made at another one are void.
    pub revision: i64,
}

type Reply = oneshot::Sender<Result<Generation, StateError>>;

/// Asks Postgres. Clones share one queue.
#[derive(Clone)]
pub struct Generations {
    questions: mpsc::Sender<(UserId, Reply)>,
}

impl Generations {
    /// Starts the task that asks that database. It ends with the last clone.
    #[must_use]
    pub fn start(pool: PgPool) -> Self {
        let (questions, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(answer(pool, receiver));
        Self { questions }
    }

    /// Where that person's sessions stand now.
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
            // A request that was given up needs no answer.
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
