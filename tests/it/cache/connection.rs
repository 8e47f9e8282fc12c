//! The single connection to Redis.

use redis::cmd;
use stores::redis::{Redis, Script};
use tests::servers::{address, redis};

/// Makes Redis forget its scripts, as a restart does. Uses another connection.
async fn forget_scripts() {
    let other = Redis::single(&address("BACKSCROLL_REDIS_URL"), "").expect("the address of Redis");
    let _: String = other.ask(cmd("SCRIPT").arg("FLUSH")).await.expect("Redis removes its scripts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_redis_has_lost_is_sent_again_and_counted_as_a_loss() {
    let redis = redis();
    let script = Script::own("return ARGV[1]");
    let call = |n: i64| {
        let mut call = script.on(&redis.key("x"));
        call.arg(n);
        call
    };
    assert_eq!(redis.run::<i64>(&script, &call(1)).await.expect("an answer"), 1);
    assert_eq!(redis.losses(), 0, "sending a script for the first time is no loss");
    assert_eq!(redis.run::<i64>(&script, &call(2)).await.expect("an answer"), 2);
    assert_eq!(redis.losses(), 0);
    forget_scripts().await;
    assert_eq!(redis.run::<i64>(&script, &call(3)).await.expect("an answer"), 3);
    assert_eq!(redis.losses(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_redis_fails_at_once_and_is_not_tried_again_for_a_moment() {
    let redis = Redis::single("redis://127.0.0.1:9", "").expect("an address");
    assert!(redis.ping().await.is_err() && !redis.is_up());
    let began = std::time::Instant::now();
    for _ in 0..1_000 {
        assert!(redis.ping().await.is_err());
    }
    assert!(began.elapsed().as_millis() < 500, "a request does not wait for a Redis that does not answer");
}
