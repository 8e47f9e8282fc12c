//! The binary as a separate process, for tests that measure it, limit its resources, or kill it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The time between two measurements of the memory of a process that runs to its end.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The longest time until a process has printed its first line.
const FIRST_LINE_MAX: Duration = Duration::from_secs(180);

/// The unit of processor times in /proc. Linux reports them in hundredths of a second on every machine.
const TICKS_A_SECOND: u64 = 100;

/// A running `backscroll`. The process is killed when this value is dropped.
pub struct Program {
    child: Child,
    /// The server's address for operators.
    pub operators_url: String,
}

/// A process that has ended: its output and its peak memory.
pub struct Ended {
    /// The output and the exit status.
    pub output: Output,
    /// The peak memory of the process, in bytes.
    pub memory_peak: u64,
}

/// The path of the binary. When cargo tests the whole workspace, it builds the binary beside the tests.
///
/// # Panics
/// Panics if the binary does not exist.
#[must_use]
pub fn path() -> PathBuf {
    let tests = std::env::current_exe().expect("the test's own path");
    let path = tests.parent().and_then(|folder| folder.parent()).expect("a target folder").join("backscroll");
    assert!(path.exists(), "{} is not built: run the tests with --workspace", path.display());
    path
}

/// A call of the binary, with its output piped to the caller.
///
/// # Panics
/// Panics if the binary does not exist.
#[must_use]
pub fn command(arguments: &[&str], environment: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).env_clear().envs(environment).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

impl Program {
    /// Starts a server, and returns it with its address.
    ///
    /// # Panics
    /// Panics if the process does not report that it serves.
    #[must_use]
    pub fn serve(environment: &BTreeMap<String, String>) -> (Self, String) {
        Self::serving(&mut command(&["serve"], environment), Stdio::null())
    }

    /// Runs a command that serves, and writes its log to `log`. Returns the process and its address.
    ///
    /// # Panics
    /// Panics if the process does not report that it serves.
    #[must_use]
    pub fn serving(command: &mut Command, log: impl Into<Stdio>) -> (Self, String) {
        let (program, line) = Self::started(command, log);
        let url = line.strip_prefix("serving at ").and_then(|rest| rest.split(',').next());
        let url = url.unwrap_or_else(|| panic!("not serving: {line}")).to_owned();
        (program, url)
    }

    /// Starts a process of this role, which serves no HTTP for clients.
    ///
    /// # Panics
    /// Panics if the process does not report that it runs.
    #[must_use]
    pub fn only(role: &str, environment: &BTreeMap<String, String>) -> Self {
        let (program, line) = Self::started(&mut command(&["serve", "--only", role], environment), Stdio::null());
        assert!(line.starts_with("running without HTTP"), "not running: {line}");
        program
    }

    /// Runs a command, and returns the process with the first line that it prints.
    fn started(command: &mut Command, log: impl Into<Stdio>) -> (Self, String) {
        let child = command.stderr(log).spawn().expect("the binary runs");
        // From here on, a panic ends the process.
        let mut program = Self { child, operators_url: String::new() };
        let lines = BufReader::new(program.child.stdout.take().expect("its output")).lines();
        let (sender, first) = mpsc::channel();
        // The rest of the output must be read, or the process could block while it writes its last lines.
        drop(std::thread::spawn(move || lines.for_each(|line| drop(sender.send(line)))));
        let line = first.recv_timeout(FIRST_LINE_MAX).expect("a line; with log_format = json there is none").expect("a line of text");
        program.operators_url = line.split(", for operators at ").nth(1).unwrap_or_default().to_owned();
        (program, line)
    }

    /// Sends SIGTERM, as a service manager does to stop a process.
    ///
    /// # Panics
    /// Panics if the process has ended.
    pub fn terminate(&self) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "the process has ended by itself");
    }

    /// The exit code, if the process has ended.
    ///
    /// # Panics
    /// Panics if the operating system does not report the state.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().expect("its state").and_then(|status| status.code())
    }

    /// The present memory of the process, in bytes.
    ///
    /// # Panics
    /// Panics if the process has ended.
    #[must_use]
    pub fn memory(&self) -> u64 {
        status(self.child.id(), "VmRSS").expect("a running process")
    }

    /// The processor time that the process has used, of its own and in the kernel for it.
    ///
    /// # Panics
    /// Panics if the process has ended.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("a running process");
        // The name of the program is in parentheses. Behind it, utime and stime are the fields 12 and 13 (proc(5)).
        let (_, fields) = stat.rsplit_once(')').expect("the fields of a process");
        let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
    }

    /// The peak memory of the process, in bytes.
    ///
    /// # Panics
    /// Panics if the process has ended.
    #[must_use]
    pub fn memory_peak(&self) -> u64 {
        status(self.child.id(), "VmHWM").expect("a running process")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a verb of the command line to its end, while the test's own tasks continue.
///
/// # Panics
/// Panics if the binary does not run.
pub async fn output(arguments: &[&str], environment: &BTreeMap<String, String>) -> Output {
    let mut command = tokio::process::Command::from(command(arguments, environment));
    command.stderr(Stdio::piped()).kill_on_drop(true).output().await.expect("the binary runs")
}

/// The exit code and all output of a process.
#[must_use]
pub fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs a verb of the command line to its end, and measures its memory meanwhile.
///
/// # Panics
/// Panics if the binary does not run.
#[must_use]
pub fn run(arguments: &[&str], environment: &BTreeMap<String, String>) -> Ended {
    let mut child = command(arguments, environment).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let pid = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stdout = std::thread::spawn(move || read(stdout));
    let stderr = std::thread::spawn(move || read(stderr));
    let mut memory_peak = 0;
    let status = loop {
        memory_peak = memory_peak.max(status(pid, "VmHWM").unwrap_or(0));
        if let Some(status) = child.try_wait().expect("its end") {
            break status;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let (stdout, stderr) = (stdout.join().expect("its output"), stderr.join().expect("its errors"));
    Ended { output: Output { status, stdout, stderr }, memory_peak }
}

fn read(from: Option<impl std::io::Read>) -> Vec<u8> {
    let mut text = Vec::new();
    from.expect("a pipe").read_to_end(&mut text).expect("the output");
    text
}

/// A line of `/proc/<pid>/status`, converted from kB to bytes.
fn status(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
