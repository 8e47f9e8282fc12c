//! Invalid settings are refused by name.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{Index, select};
use stores::error::chain;
use stores::objects::ObjectUrl;
use url::Url;

use super::{ConfigError, LogFormat, Network, Settings, as_markdown, settings};

fn environment(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from(
        [
            ("BACKSCROLL_POSTGRES_URL", "postgres://localhost/backscroll"),
            ("BACKSCROLL_REDIS_URL", "redis://localhost"),
            ("BACKSCROLL_NATS_URL", "nats://localhost"),
            ("BACKSCROLL_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    for (name, value) in changes {
        environment.insert((*name).to_owned(), (*value).to_owned());
    }
    environment
}

fn mistakes_of(result: Result<Settings, ConfigError>) -> Vec<String> {
    match result {
        Err(ConfigError::Wrong(mistakes)) => mistakes,
        other => panic!("expected mistakes, got {other:?}"),
    }
}

#[test]
fn the_required_settings_are_enough() {
    let settings = Settings::from_sources(&environment(&[]), None).expect("settings");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.log_format, LogFormat::Text);
    assert_eq!(settings.session_lifetime.as_secs(), 86_400);
}

#[test]
fn every_missing_setting_is_named_at_once() {
    let mistakes = mistakes_of(Settings::from_sources(&BTreeMap::new(), None));
    let missing = settings().filter(|setting| setting.default.is_none()).count();
    assert_eq!(mistakes.len(), missing, "{mistakes:?}");
    assert!(mistakes[0].contains("BACKSCROLL_POSTGRES_URL") && mistakes[0].contains("missing"), "{mistakes:?}");
}

#[test]
fn an_invalid_setting_is_named_with_its_possible_values() {
    let mistakes = mistakes_of(Settings::from_sources(&environment(&[("BACKSCROLL_PARTITIONS", "0")]), None));
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].contains("BACKSCROLL_PARTITIONS") && mistakes[0].contains("1 to 256"), "{mistakes:?}");
}

#[test]
fn an_unknown_setting_of_the_file_is_named() {
    let file = (Path::new("backscroll.toml"), "listen = \"[::1]:9000\"\nlisten_adress = 1");
    let mistakes = mistakes_of(Settings::from_sources(&environment(&[]), Some(file)));
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].contains("listen_adress") && mistakes[0].contains("the nearest is listen:"), "{mistakes:?}");
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_setting_and_without_its_value() {
    for (wrong, nearest) in [
        ("BACKSCROLL_POSTGRESS_URL", "BACKSCROLL_POSTGRES_URL:"),
        ("BACKSCROLL_MASTERKEY_FILE", "BACKSCROLL_MASTER_KEY_FILE:"),
        ("BACKSCROLL_SESSION_HOUR", "BACKSCROLL_SESSION_HOURS:"),
        ("BACKSCROLL_listen", "BACKSCROLL_LISTEN:"),
        ("BACKSCROLL_LISTEN_FILE", "BACKSCROLL_LISTEN:"),
    ] {
        let mistakes = mistakes_of(Settings::from_sources(&environment(&[(wrong, "hunter2")]), None));
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].starts_with(wrong) && mistakes[0].contains(nearest) && !mistakes[0].contains("hunter2"), "{mistakes:?}");
    }
}

#[test]
fn variables_of_other_programs_and_empty_ones_are_no_mistakes() {
    let others = [
        ("BACKSCROLL_CONFIG", "backscroll.toml"),
        ("BACKSCROLL_RUN", ".run"),
        ("BACKSCROLL_POSTGRES_ADMIN_URL", "postgres://postgres@localhost"),
        ("BACKSCROLL_LISTN", ""),
        // Kubernetes, for a service `backscroll` or `backscroll-operators`.
        ("BACKSCROLL_SERVICE_HOST", "10.0.0.1"),
        ("BACKSCROLL_SERVICE_PORT_HTTP", "8080"),
        ("BACKSCROLL_PORT", "tcp://10.0.0.1:8080"),
        ("BACKSCROLL_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("BACKSCROLL_OPERATORS_SERVICE_HOST", "10.0.0.2"),
        ("BACKSCROLL_OPERATORS_PORT_8081_TCP", "tcp://10.0.0.2:8081"),
    ];
    assert!(Settings::from_sources(&environment(&others), None).is_ok());
    assert_eq!(mistakes_of(Settings::from_sources(&environment(&[("BACKSCROLL_PORT", "8080")]), None)).len(), 1);
}

#[test]
fn an_address_with_an_unescaped_password_is_refused_by_the_name_of_its_setting() {
    for (name, url) in [
        ("BACKSCROLL_POSTGRES_URL", "postgres://u:hun/ter2@h/d"),
        ("BACKSCROLL_REDIS_URL", "redis://:hun#ter2@h"),
        ("BACKSCROLL_NATS_URL", "nats://u:1?ter2@h"),
    ] {
        let mistakes = mistakes_of(Settings::from_sources(&environment(&[(name, url)]), None));
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].contains(name) && mistakes[0].contains("%23") && !mistakes[0].contains("ter2"), "{mistakes:?}");
    }
}

#[test]
fn a_secret_of_a_file_has_no_newline_and_the_environment_overrides_the_settings_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (one, other) = (path("one", "redis://one\r\n"), path("other", "redis://other\n"));
    let file = format!("redis_url_file = {one:?}");
    let without = || {
        let mut environment = environment(&[]);
        environment.remove("BACKSCROLL_REDIS_URL");
        environment
    };
    let read = |environment| Settings::from_sources(&environment, Some((Path::new("backscroll.toml"), &file)));
    let url = |environment| read(environment).expect("settings").redis.urls.expose().to_owned();
    assert_eq!(url(without()), "redis://one");
    assert_eq!(url(environment(&[("BACKSCROLL_REDIS_URL", "redis://another")])), "redis://another");
    let mut overridden = without();
    overridden.insert("BACKSCROLL_REDIS_URL_FILE".into(), other);
    assert_eq!(url(overridden), "redis://other");
}

#[test]
fn a_file_of_a_secret_that_cannot_be_used_is_named() {
    let empty = tempfile::NamedTempFile::new().expect("a file");
    let empty = empty.path().display().to_string();
    for (path, reason) in [("/nowhere/key", "No such file"), (empty.as_str(), "it is empty"), ("/", "directory")] {
        let changes = [("BACKSCROLL_ELASTICSEARCH_PASSWORD_FILE", path)];
        let mistakes = mistakes_of(Settings::from_sources(&environment(&changes), None));
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        let parts = ["elasticsearch_password", "BACKSCROLL_ELASTICSEARCH_PASSWORD_FILE", path, reason];
        assert!(parts.iter().all(|part| mistakes[0].contains(part)), "{mistakes:?}");
    }
    let both = mistakes_of(Settings::from_sources(&environment(&[("BACKSCROLL_MASTER_KEY_FILE", &empty)]), None));
    assert_eq!(both, ["BACKSCROLL_MASTER_KEY and BACKSCROLL_MASTER_KEY_FILE are both set: remove one of them"]);
}

#[test]
fn no_setting_has_the_name_of_another_ones_file() {
    let names = settings().map(|setting| setting.name).collect::<Vec<_>>();
    for secret in settings().filter(|setting| setting.is_secret) {
        assert!(!names.contains(&format!("{}_file", secret.name).as_str()), "{} would be ambiguous", secret.name);
    }
}

#[test]
fn a_client_certificate_needs_its_key() {
    for name in ["BACKSCROLL_NATS_CLIENT_KEY_FILE", "BACKSCROLL_REDIS_CLIENT_CERTIFICATE_FILE"] {
        let mistakes = mistakes_of(Settings::from_sources(&environment(&[(name, "/etc/file")]), None));
        assert!(mistakes.len() == 1 && mistakes[0].contains(name) && mistakes[0].contains("needs"), "{mistakes:?}");
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let file = (Path::new("backscroll.toml"), "session_hours = 2\npartitions = 4");
    let settings = Settings::from_sources(&environment(&[("BACKSCROLL_SESSION_HOURS", "3")]), Some(file)).expect("settings");
    assert_eq!((settings.session_lifetime.as_secs(), settings.partitions), (3 * 3600, 4));
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_its_name() {
    let text = "partitions = 4\nredis_url = \"redis://:hunter2@localhost\nlisten = ";
    let refused = Settings::from_sources(&environment(&[]), Some((Path::new("backscroll.toml"), text))).expect_err("no TOML");
    assert!(matches!(refused, ConfigError::Toml { line: 2, .. }) && refused.to_string().contains("backscroll.toml"), "{refused}");
    assert!(!chain(&refused).contains("hunter2"), "{}", chain(&refused));
}

#[test]
fn a_secret_is_never_printed() {
    let settings = Settings::from_sources(&environment(&[("BACKSCROLL_REDIS_URL", "redis://:hunter2@localhost")]), None).expect("settings");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn a_network_contains_only_its_own_addresses() {
    let network = "10.1.0.0/16".parse::<Network>().expect("a network");
    assert!(network.contains("10.1.200.3".parse().expect("an address")));
    assert!(network.contains("::ffff:10.1.0.1".parse().expect("an address")));
    assert!(!network.contains("10.2.0.1".parse().expect("an address")));
    let everything = "::/0".parse::<Network>().expect("a network");
    assert!(everything.contains("2001:db8::1".parse().expect("an address")));
    assert!("10.0.0.0/33".parse::<Network>().is_err());
}

#[test]
fn every_setting_is_in_the_documented_list() {
    let table = as_markdown();
    assert!(settings().all(|setting| table.contains(setting.name)));
}

/// Mistakes that people make where a number, an address or a name is expected.
const MISTAKES: [&str; 12] = ["-1", "0", "18446744073709551616", "1e9", "yes", " 7 ", "\u{7}", "::", "postgres://", "/32", "=,=", "\"\"\""];

proptest! {
    #[test]
    fn any_value_of_a_setting_is_used_or_named_as_a_mistake(index in any::<Index>(), text: String, wrong in select(MISTAKES.to_vec())) {
        let settings = settings().collect::<Vec<_>>();
        let setting = index.get(&settings);
        for text in [text.as_str(), wrong] {
            // A text that is not an address is looked up as a host name, and a test must not use name servers.
            if setting.name == "listen" {
                continue;
            }
            let variable = super::variable(setting.name);
            if let Err(ConfigError::Wrong(mistakes)) = Settings::from_sources(&environment(&[(&variable, text)]), None) {
                prop_assert!(mistakes.len() == 1 && mistakes[0].contains(&variable), "{:?}", mistakes);
            }
        }
    }

    #[test]
    fn any_file_is_used_or_refused_with_its_name(text in "([a-z_]{1,12} ?= ?(\"[^\"]{0,9}\"|[0-9-]{1,20}|\\[[0-9,]{0,9})?\n){0,5}", noise in any::<String>()) {
        for text in [text, noise] {
            match Settings::from_sources(&environment(&[]), Some((Path::new("backscroll.toml"), &text))) {
                Ok(_) => {}
                Err(ConfigError::Wrong(mistakes)) => prop_assert!(!mistakes.is_empty()),
                Err(error) => prop_assert!(error.to_string().contains("backscroll.toml"), "{}", error),
            }
        }
    }
}

/// The web addresses that the crate `url` can parse, as it writes them.
fn web_addresses() -> impl Strategy<Value = String> {
    let text = "https?://([a-z]{1,4}(:[ -~]{0,3})?@)?[a-zé0-9.-]{1,12}(:[0-9]{1,5})?(/\\PC{0,8})*(\\?\\PC{0,8})?";
    text.prop_filter_map("no address", |text| Url::parse(&text).ok().map(String::from))
}

proptest! {
    #[test]
    fn the_settings_accept_each_web_address_that_url_can_parse(address in web_addresses()) {
        for name in ["public_url", "object_store_url", "proof_webhook_url", "elasticsearch_url"] {
            let read = Settings::from_sources(&environment(&[(&super::variable(name), &address)]), None);
            prop_assert!(read.is_ok(), "{} = {}", name, address);
        }
    }

    #[test]
    fn a_bucket_and_its_path_are_parsed_as_url_parses_them(bucket in "[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]", path in "([A-Za-z0-9_-]{1,6}(\\.[a-z]{1,3})?/){0,4}[a-z]{1,6}") {
        let text = format!("s3://{bucket}/{path}");
        let (ours, url) = (text.parse::<ObjectUrl>().expect("an address"), Url::parse(&text).expect("an address"));
        prop_assert_eq!(Some(ours.bucket.as_str()), url.host_str());
        prop_assert_eq!(format!("/{}", ours.path), url.path());
        prop_assert_eq!(ours.to_string(), url.as_str());
    }
}
