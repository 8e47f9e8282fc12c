//! The content of Redis for tests: every key as text, read without our own code.

use redis::aio::MultiplexedConnection;

/// Every key whose name matches a pattern, with its whole value. In a cluster, only the keys of this node.
///
/// # Panics
/// Panics if Redis does not answer.
pub async fn texts(connection: &mut MultiplexedConnection, pattern: &str) -> Vec<(String, String)> {
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(connection).await.expect("keys");
    let mut texts = Vec::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(connection).await.expect("a type");
        let read = match kind.as_str() {
            "string" => redis::cmd("GET").arg(&key).to_owned(),
            "hash" => redis::cmd("HGETALL").arg(&key).to_owned(),
            "zset" => redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1).to_owned(),
            "set" => redis::cmd("SMEMBERS").arg(&key).to_owned(),
            "list" => redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).to_owned(),
            // The key has expired since it was listed.
            _ => continue,
        };
        let value: redis::Value = read.query_async(connection).await.expect("a value");
        texts.push((key, text_of(&value)));
    }
    texts
}

fn text_of(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::Array(items) | redis::Value::Set(items) => items.iter().map(text_of).collect::<Vec<_>>().join(" "),
        redis::Value::Map(items) => items.iter().map(|(key, value)| text_of(key) + " " + &text_of(value)).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    }
}
