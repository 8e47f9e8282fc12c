//! Names of users and channels over HTTP: letters of all scripts, names that look alike, names that cannot be seen, and
//! the spellings of addresses and passwords.

use serde_json::{Value, json};
use tests::person::PASSWORD;
use tests::team::id;
use tests::{Team, TestApp};

fn registration(email: &str, username: &str) -> Value {
    json!({"email": email, "username": username, "display_name": "Somebody", "password": PASSWORD})
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_channels_have_names_in_letters_of_all_scripts() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for (n, name) in ["हिन्दी", "ข่าว", "தமிழ்", "น้ำ", "မြန်မာ", "한국어", "سَلَام"].into_iter().enumerate()
    {
        let email = format!("person{n}@example.org");
        let user = id(&app.post("/v1/users", &registration(&email, name)).await.expect(201), "user_id");
        let person = app.person(user, name, &email, app.sign_in(name).await);
        assert_eq!(person.get("/v1/users/me").await.expect(200)["username"], name);
        let created = team.owner.post(&team.path("/channels"), json!({"type": "public", "name": name})).await;
        let position = created.position();
        let channel = id(&created.expect(201), "channel_id");
        assert_eq!(team.owner.get_at(position, &format!("/v1/channels/{channel}")).await.expect(200)["name"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_username_that_looks_like_a_taken_one_is_taken() {
    let app = TestApp::start().await;
    app.post("/v1/users", &registration("paxo@example.org", "paxo")).await.expect(201);
    app.post("/v1/users", &registration("paul@example.org", "Paul")).await.expect(201);
    for twin in ["рахо", "pахo", "РАХО", "PAXO", "ｐａｘｏ", "𝐩𝐚𝐱𝐨", "𝔭𝔞𝔵𝔬", "PauI", "pau1", "раul"]
    {
        let refused = app.post("/v1/users", &registration("other@example.org", twin)).await.expect_problem(409, "user.username_taken");
        assert_eq!(refused["field"], "username", "{twin}");
    }
    for invisible in ["ㅤ", "paxo\u{200b}", "paxo\u{202e}", "\u{2800}", "pa\u{ad}xo"] {
        let refused = app.post("/v1/users", &registration("other@example.org", invisible)).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "username", "{invisible:?}");
    }
    for reserved in ["me", "Here", "channel", "EVERYONE", "hеrе", "aII"] {
        let refused = app.post("/v1/users", &registration("other@example.org", reserved)).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "username", "{reserved}");
    }
    app.post("/v1/users", &registration("other@example.org", "paxa")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_may_take_a_twin_of_its_own_name_and_no_other_channel_may() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "paxo", &[]).await;
    let other = team.channel(&team.owner, "public", "news", &[]).await;
    for twin in ["рахо", "ｐａｘｏ", "раxо"] {
        let body = json!({"type": "private", "name": twin});
        let refused = team.owner.post(&team.path("/channels"), body).await.expect_problem(409, "channel.name_taken");
        assert_eq!(refused["field"], "name", "{twin}");
        let path = format!("/v1/channels/{other}/name");
        team.owner.put(&path, json!({"name": twin})).await.expect_problem(409, "channel.name_taken");
    }
    let path = format!("/v1/channels/{channel}/name");
    for name in ["рахо", "paxo", "раxо", "cider"] {
        team.owner.put(&path, json!({"name": name})).await.expect(200);
    }
    team.owner.put(&format!("/v1/channels/{other}/name"), json!({"name": "рахо"})).await.expect(200);
    team.owner.put(&path, json!({"name": "paxo"})).await.expect_problem(409, "channel.name_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_seen_is_refused_with_its_field() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let topic = team.general("/topic");
    for text in ["\u{200b}", "\u{202e}", "\u{2028}", "\u{3164}", "\u{200d}\u{2800} \u{ad}"] {
        let refused = team.owner.patch("/v1/users/me", json!({"display_name": text})).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "display_name", "{text:?}");
        team.owner.patch(&team.path(""), json!({"name": text})).await.expect_problem(422, "input.invalid");
        // A topic of white space alone clears the topic.
        if !text.trim().is_empty() {
            team.owner.put(&topic, json!({"topic": text})).await.expect_problem(422, "input.invalid");
        }
        team.owner.post(&team.path("/channels"), json!({"type": "public", "name": text})).await.expect_problem(422, "input.invalid");
        let refused = team.post(&team.owner, team.general, text).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "content", "{text:?}");
    }
    for text in ["Ann\u{202e}nnA", "An\u{200b}n", "A\u{2028}B"] {
        team.owner.patch("/v1/users/me", json!({"display_name": text})).await.expect_problem(422, "input.invalid");
        team.message(&team.owner, team.general, text).await;
    }
    team.owner.patch("/v1/users/me", json!({"display_name": "Ann 👩\u{200d}💻 ❤\u{fe0f}"})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_the_same_composed_and_decomposed() {
    let app = TestApp::start().await;
    let (composed, decomposed) = ("Gr\u{fc}\u{df}e aus K\u{f6}ln", "Gru\u{308}\u{df}e aus Ko\u{308}ln");
    for (name, set, typed) in [("ann", decomposed, composed), ("bob", composed, decomposed)] {
        let mut body = registration(&format!("{name}@example.org"), name);
        body["password"] = json!(set);
        app.post("/v1/users", &body).await.expect(201);
        for password in [typed, set] {
            app.sign_in_with(name, password).await;
        }
        let wrong = json!({"login": name, "password": "Grusse aus Koln"});
        app.post("/v1/sessions", &wrong).await.expect_problem(401, "session.wrong_credentials");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_bare_and_the_spelling_of_its_host_does_not_matter() {
    let app = TestApp::start().await;
    for email in ["<ann@example.org>", "a b@example.org", "ann\u{200b}@example.org", "ann@exam\u{200b}ple.org", "Ann <ann@example.org>"] {
        let refused = app.post("/v1/users", &registration(email, "ann")).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "email", "{email:?}");
    }
    app.post("/v1/users", &registration("ann@bücher.example", "ann")).await.expect(201);
    app.post("/v1/users", &registration("bob@xn--bcher-kva.example", "bob")).await.expect(201);
    for twin in ["ann@xn--bcher-kva.example", "ANN@BÜCHER.example", "ann@bu\u{308}cher.example", "bob@bücher.example"] {
        let refused = app.post("/v1/users", &registration(twin, "other")).await.expect_problem(409, "user.email_taken");
        assert_eq!(refused["field"], "email", "{twin}");
        app.sign_in(twin).await;
    }
}
