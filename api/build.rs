//! Names the commit of a release build. A debug build has none, so that no commit causes another build of the tests.

use std::path::Path;
use std::process::Command;

/// The variable that names the commit where there is no checkout, such as in an image.
const VARIABLE: &str = "BACKSCROLL_COMMIT";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let given = std::env::var(VARIABLE).ok().filter(|commit| !commit.is_empty());
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = given.or_else(|| is_release.then(commit_of_checkout).flatten());
    println!("cargo:rustc-env={VARIABLE}={}", commit.unwrap_or_else(|| "unknown".to_owned()));
}

/// The commit of the checkout. Cargo runs this again after each commit.
fn commit_of_checkout() -> Option<String> {
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}
