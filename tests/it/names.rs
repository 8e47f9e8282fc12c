//! Names of earlier releases: they stay valid, and from the next start on nobody takes a name that looks like theirs.

use domain::ChannelCommand;
use domain::channel::Kind;
use domain::ids::UserId;
use domain::text::ChannelName;
use domain::user::Registration;
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{Writing, another_process, asked, code, registration, sign_up};

/// An earlier release did not claim how a name looks.
async fn forget_looks(pool: &PgPool) {
    sqlx::query("DELETE FROM claims WHERE kind LIKE '%_twin'").execute(pool).await.expect("claims");
}

async fn looks(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM claims WHERE kind LIKE '%_twin'").fetch_one(pool).await.expect("claims")
}

fn rename(name: &str) -> ChannelCommand {
    ChannelCommand::Rename { name: ChannelName::parse(name).expect("a name"), display_name: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn usernames_of_an_earlier_release_stay_valid_and_get_no_further_twin() {
    let here = Writing::start().await;
    sign_up(&here.commands, "owner").await;
    let latin = sign_up(&here.commands, "paxo").await;
    forget_looks(&here.pool).await;
    let cyrillic = sign_up(&here.commands, "рахо").await;
    forget_looks(&here.pool).await;

    let (_, there) = another_process(&here.database).await;
    for (login, user) in [("paxo", latin), ("PAXO", latin), ("рахо", cyrillic), ("paxo@example.org", latin), ("рахо@example.org", cyrillic)]
    {
        assert_eq!(there.user_by_login(login).await.expect("a lookup"), Some(user), "{login}");
    }
    for twin in ["pахо", "ｐａxo", "PAХO"] {
        let user_id = UserId(Uuid::now_v7());
        let registration = Registration { email: registration("else").email, ..registration(twin) };
        assert_eq!(code(there.register_user(&asked(user_id), user_id, registration).await), "user.username_taken", "{twin}");
    }
    let before = looks(&here.pool).await;
    another_process(&here.database).await;
    assert_eq!(looks(&here.pool).await, before, "a further start adds nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_of_an_earlier_release_keep_the_claims_of_one_another() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let one = team.channel(&here.commands, "paxo", Kind::Public, &[]).await;
    forget_looks(&here.pool).await;
    let other = team.channel(&here.commands, "рахо", Kind::Public, &[]).await;
    forget_looks(&here.pool).await;
    let lost = sqlx::query("INSERT INTO claims (kind, scope, value, holder) VALUES ('channel_name_twin', $1, 'perry', $2)");
    lost.bind(team.workspace_id.0).bind(Uuid::now_v7()).execute(&here.pool).await.expect("a claim");

    let (_, there) = another_process(&here.database).await;
    let third = team.channel(&there, "perry", Kind::Public, &[]).await;
    assert_eq!(code(there.channel(&asked(team.owner), third, rename("pахo")).await), "channel.name_taken");
    // One of the two holds the claim of the look. The other one releases only what it holds itself.
    for channel in [one, other] {
        there.channel(&asked(team.owner), channel, rename("cider")).await.expect("another name");
        there.channel(&asked(team.owner), channel, rename("сіdеr")).await.expect("a twin of its own name");
        there.channel(&asked(team.owner), channel, rename(&format!("cellar-{channel}"))).await.expect("another name");
    }
    there.channel(&asked(team.owner), third, rename("pахo")).await.expect("a name that nobody has any more");
    assert_eq!(code(here.commands.channel(&asked(team.owner), one, rename("paxo")).await), "channel.name_taken");
}
