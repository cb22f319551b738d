//! Other people's programs, run with an end in sight.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// What a program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// How it ended.
    pub(super) status: ExitStatus,
    /// Its standard output.
    pub(super) stdout: String,
    /// Its standard error.
    pub(super) stderr: String,
}

/// Runs a program without input and waits for its end, at most `limit`; then it is killed.
///
/// # Errors
/// `NotFound` when there is no such program, `TimedOut` when it took too long.
pub(super) fn run(
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    limit: Duration,
) -> io::Result<Output> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(limit).unwrap_or_else(|_| {
        if let Some(id) = id {
            // It may have ended just now.
            let _ = kill_process(id, Signal::KILL);
        }
        Err(io::ErrorKind::TimedOut.into())
    })?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The release of the `aws` command line that is found first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AwsVersion {
    /// 1 or 2.
    pub(super) major: u32,
    /// What counts the releases of either.
    pub(super) minor: u32,
}

impl AwsVersion {
    /// Asks `aws --version`; `None` when there is none or it says nothing that can be understood.
    pub(super) fn ask(limit: Duration) -> Option<Self> {
        let output = run("aws", ["--version"], limit).ok()?;
        // The first generation under old Pythons wrote it to standard error.
        Self::parse(&output.stdout).or_else(|| Self::parse(&output.stderr))
    }

    /// Reads `aws-cli/2.13.5 Python/…`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let version = text.trim().strip_prefix("aws-cli/")?;
        let mut numbers = version.split(['.', ' ']).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some(Self { major, minor }),
            _ => None,
        }
    }

    /// Whether it takes the endpoint from `AWS_ENDPOINT_URL` and from profiles (AWS SDKs and Tools
    /// Reference Guide, "Service-specific endpoints": from 2.13.0 and 1.29.0 on).
    pub(super) fn knows_endpoint_url(self) -> bool {
        match self.major {
            0 => false,
            1 => self.minor >= 29,
            2 => self.minor >= 13,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, knows: Option<bool>) {
        assert_eq!(AwsVersion::parse(text).map(AwsVersion::knows_endpoint_url), knows, "{text}");
    }

    #[test]
    fn releases_of_aws_that_know_endpoints() {
        check("aws-cli/2.13.0 Python/3.11.4 Linux/6.1", Some(true));
        check("aws-cli/2.12.7 Python/3.11.4 Linux/6.1", Some(false));
        check("aws-cli/1.29.0 Python/3.8", Some(true));
        check("aws-cli/1.22.34 Python/3.10.12\n", Some(false));
        check("aws-cli/1.45.11 Python/3.11.7", Some(true));
        check("aws-cli/3.0 Python/3.14", Some(true));
        check("aws-cli/two", None);
        check("", None);
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let error = run("sleep", ["1000"], Duration::from_millis(10)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = run("no-such-program-at-all", [""; 0], Duration::from_secs(10)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
