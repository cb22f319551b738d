//! One server as a process with a data directory that outlives it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_tonnage");
/// How long anything may take before a test gives up; nothing is measured.
const PATIENCE: Duration = Duration::from_secs(60);

/// `tonnage` with an environment of its own.
pub(crate) fn tonnage(home: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().expect("the program runs")
}

/// What a command printed, which must have succeeded.
#[track_caller]
pub(crate) fn printed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// What a command complained of, which must have failed.
#[track_caller]
pub(crate) fn complaint(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("text")
}

/// Polls until `condition` gives something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        // Two processes share few cores; this only gives them turns.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A directory with a home, data and logs in it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn home(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// A subcommand with this data directory.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = tonnage(self.home());
        command.args(words).env("TONNAGE_DATA_DIR", self.data());
        command
    }

    /// `serve` on a free port.
    pub(crate) fn serve(&self) -> Command {
        self.command(&["serve", "--listen", "127.0.0.1:0"])
    }

    /// A ready server.
    #[track_caller]
    pub(crate) fn start(&self) -> Server {
        Server::start(self, self.serve())
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Server {
    /// Starts `command` and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(place: &Place, mut command: Command) -> Self {
        let (stdout, stderr) = (place.home().join("stdout"), place.home().join("stderr"));
        let file = |path: &Path| fs::File::create(path).expect("a log");
        command.stdout(file(&stdout)).stderr(file(&stderr));
        let mut child = command.spawn().expect("the server starts");
        let id = u64::from(child.id());
        let address = wait_for("a running server", || {
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("ended with {status}: {}", fs::read_to_string(&stderr).unwrap_or_default());
            }
            let text = fs::read(place.file("runtime.json")).ok()?;
            let runtime: serde_json::Value = serde_json::from_slice(&text).ok()?;
            // A server that was killed leaves its file behind.
            (runtime["process_id"] == id).then(|| {
                let address = runtime["addresses"][0].as_str().expect("an address");
                address.parse().expect("an address")
            })
        });
        let server = Self { child, address, stdout, stderr };
        wait_for("a ready server", || (server.get("/readyz").status == 200).then_some(()));
        server
    }

    /// What it printed so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).expect("a log")
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.stderr).expect("a log")
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        let id = rustix::process::Pid::from_raw(id).expect("a process id");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a signal");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_for("the end of the server", || self.child.try_wait().expect("a child"))
    }

    /// How it ended, if it did.
    pub(crate) fn try_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Stops it orderly.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.terminate();
        let status = self.ended();
        assert!(status.success(), "ended with {status}: {}", self.log());
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("a child");
    }

    /// A GET on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        ))
    }

    /// Any bytes on a connection of their own, and what comes back until its end.
    #[track_caller]
    pub(crate) fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("a connection");
        Answer::read(stream)
    }

    /// A connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a connection");
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.text.lines().take_while(|line| !line.is_empty());
        lines.filter_map(|line| line.split_once(':')).find_map(|(found, value)| {
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// Reads until the server closes.
    #[track_caller]
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.unwrap_or(0), text }
    }
}
