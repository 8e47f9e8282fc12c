//! The server as an unprivileged user, on a root file system that nobody can write to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{DebianServers, program};

use super::node::Node;
use super::owner::Owner;

/// Makes every file system read-only for this process, except those of the kernel, and runs a program. If root runs
/// this, the program gets the user `nobody`.
const READ_ONLY: &str = r#"set -eu
awk '{ print $5 }' /proc/self/mountinfo | grep -vE '^/(proc|sys|dev)(/|$)' | while read -r folder; do
    mount -o remount,bind,ro "$folder" 2>/dev/null || [ "$folder" != / ]
done
if touch "$1" 2>/dev/null; then exit 97; fi
shift
if [ -n "${AS_ROOT:-}" ]; then
    unset AS_ROOT
    exec setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs --bounding-set=-all "$@"
fi
exec "$@"
"#;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// A call of the binary in such a place: without `HOME`, and with `/` as its folder.
fn command(binary: &Path, arguments: &[&str], node: &Node) -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    let probe = binary.with_extension("probe");
    command.args(["--mount", "--", "sh", "-c", READ_ONLY, "sh"]).arg(probe).arg(binary).args(arguments);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(&node.environment).current_dir("/");
    if is_root() {
        command.env("AS_ROOT", "yes");
    }
    command
}

/// The binary in a folder that every user can enter.
fn reachable_binary(folder: &Path) -> PathBuf {
    let binary = folder.join("backscroll");
    if fs::hard_link(program::path(), &binary).is_err() {
        fs::copy(program::path(), &binary).expect("a copy of the binary");
    }
    binary
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_runs_as_an_unprivileged_user_and_writes_no_file() {
    let servers = DebianServers::start().await;
    let binary = reachable_binary(servers.folder());
    let mut node = Node::not_started("read-only", &servers, &[]);
    let migrated = command(&binary, &["migrate"], &node).output().expect("unshare");
    assert_eq!(migrated.status.code(), Some(0), "{}", String::from_utf8_lossy(&migrated.stderr));

    let command = command(&binary, &["serve"], &node);
    node.launch(command);
    node.until("ready").await;
    let owner = Owner::register_at(reqwest::Client::new(), &format!("http://{}", node.listen)).await;
    owner.says("from a server that can write no file").await;
    assert_eq!(node.stop().await, Some(0), "{}", node.log());
    assert!(!node.log().contains("Read-only file system"), "{}", node.log());
}
