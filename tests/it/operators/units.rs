//! The units of `deploy/systemd`: systemd accepts them, and they give the server no right that it does not need.

use std::fs;
use std::path::Path;

use tests::debian::{deployed, replaced, tool};

const UNITS: [&str; 2] = ["backscroll.service", "backscroll@.service"];
/// The worst exposure that `systemd-analyze security` may find, in tenths: 0 is best, 100 is worst.
const EXPOSURE_MAX: &str = "15";

/// The values of a key, such as `Environment`.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// What a verb of `systemd-analyze` says of a unit that starts the binary of these tests.
fn analyzed(folder: &Path, unit: &str, verb: &[&str]) -> (bool, String) {
    let path = folder.join(unit);
    // Another program that exists: systemd looks for it as the user who runs this.
    let binary = "/bin/true";
    fs::write(&path, replaced(&deployed(&format!("systemd/{unit}")), &[("/usr/local/bin/backscroll", binary)])).expect("a file");
    let path = path.display().to_string();
    let ended = tool(folder, "systemd-analyze", &[verb, &[path.as_str()]].concat(), &[]);
    let said = [ended.stdout, ended.stderr].concat();
    // The script says so if systemd's programs are not there yet.
    let said = String::from_utf8_lossy(&said).lines().filter(|line| !line.starts_with("fetching ")).collect::<Vec<_>>().join("\n");
    (ended.status.success(), said)
}

#[test]
fn systemd_accepts_the_units_and_finds_little_exposed() {
    let folder = tests::debian::open_folder();
    for unit in UNITS {
        assert_eq!(analyzed(folder.path(), unit, &["verify"]), (true, String::new()), "{unit}");
        let (is_fine, said) = analyzed(folder.path(), unit, &["security", "--offline=true", "--threshold", EXPOSURE_MAX, "--no-pager"]);
        assert!(is_fine, "{unit}: {said}");
    }
}

#[test]
fn every_secret_of_a_unit_is_a_setting_and_comes_from_a_file_of_root() {
    for unit in UNITS {
        let text = deployed(&format!("systemd/{unit}"));
        let loaded = values(&text, "LoadCredential");
        let files = values(&text, "Environment").into_iter().filter_map(|line| line.split_once("_FILE=%d/"));
        let files = files.collect::<Vec<_>>();
        assert_eq!(files.len(), loaded.len(), "{unit}");
        for (variable, credential) in files {
            assert!(is_setting(variable), "{unit}: {variable} is no setting");
            let from = format!("{credential}:/etc/backscroll/secrets/{credential}");
            assert!(loaded.contains(&from.as_str()), "{unit} does not load {credential}");
        }
    }
}

/// Whether a variable of the environment is a setting.
pub fn is_setting(variable: &str) -> bool {
    api::config::settings().any(|setting| format!("BACKSCROLL_{}", setting.name.to_uppercase()) == variable)
}

#[test]
fn a_unit_has_the_limits_that_the_server_needs() {
    for unit in UNITS {
        let text = deployed(&format!("systemd/{unit}"));
        let number = |key: &str| values(&text, key)[0].parse::<usize>().expect("a number");
        let default = |name: &str| {
            let setting = api::config::settings().find(|setting| setting.name == name).expect("a setting");
            setting.default.and_then(|value| value.parse::<usize>().ok()).expect("a number")
        };
        // 256 files for everything but clients.
        assert!(number("LimitNOFILE") >= default("connections_max") + 256, "{unit}");
        assert!(number("TimeoutStopSec") > 3 * default("shutdown_seconds"), "{unit}: the server ends by itself");
        assert_eq!(values(&text, "RestartPreventExitStatus"), ["2 4"], "{unit}");
        assert_eq!(values(&text, "DynamicUser"), ["yes"], "{unit}");
    }
}
