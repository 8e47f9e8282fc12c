//! Addresses of servers, as they may be printed: without the user and the password.

use url::Url;

/// The characters that have a meaning in an address, and how to write them in a password.
const ENCODE: &str = "in a user name or a password, write each of the characters `: / ? # [ ] @ % ,` as `%` and its two hexadecimal digits, \
     such as `%23` for `#`";

/// The hosts and ports of addresses that are separated by commas, of which no password may have one.
#[must_use]
pub fn hosts(urls: &str, default_port: u16) -> String {
    urls.split(',').map(|url| host(url.trim(), default_port)).collect::<Vec<_>>().join(", ")
}

/// The host and the port of an address. A Unix socket is its path.
#[must_use]
pub fn host(url: &str, default_port: u16) -> String {
    let Ok(url) = Url::parse(url) else { return "an invalid address".to_owned() };
    match url.host_str().filter(|host| !host.is_empty()) {
        Some(host) => format!("{host}:{}", url.port_or_known_default().unwrap_or(default_port)),
        None => url.path().to_owned(),
    }
}

/// Refuses an address that cannot be parsed, or that was cut in two by a character of its password.
///
/// # Errors
/// Says what is wrong and what to do, without a part of the address.
pub fn check(url: &str) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| format!("{error}: {ENCODE}"))?;
    // In `postgres://ann:1/2@host/chat`, the address ends at the first `/`, and the host would be `ann`.
    let rest = [Some(url.path()), url.query(), url.fragment()];
    if rest.into_iter().flatten().any(|part| part.contains('@')) {
        return Err(format!("it has `@` behind the host: {ENCODE}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_user_and_password() {
        assert_eq!(hosts("redis://:hunter2@a.example.org, rediss://ann:hunter2@b:7000/1", 6379), "a.example.org:6379, b:7000");
        assert_eq!(host("https://ann:hunter2@search", 9200), "search:443");
        assert_eq!(host("redis://ann:12,34@a", 6379), "a:6379");
        assert_eq!(host("unix:///run/redis.sock", 6379), "/run/redis.sock");
        assert_eq!(host("redis://:hunter2#@a", 6379), "an invalid address");
    }

    #[test]
    fn a_password_that_cuts_the_address_is_refused_and_not_shown() {
        for url in ["postgres://u:hun/ter2@h/d", "postgres://u:12/34@h/d", "redis://:hun#ter2@h", "nats://u:12#ter2@h:1", "nats://u:1?2@h"]
        {
            let wrong = check(url).expect_err(url);
            assert!(wrong.contains("%23") && !wrong.contains("ter2") && !wrong.contains("34"), "{wrong}");
        }
        for url in ["postgres://u:p%23%2F@h:1/d?sslmode=require", "postgres://u:p@ss@h/d", "unix:///run/redis.sock", "tls://h"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }
}
