//! `tonnage doctor`: looks at everything between a client and its images, and changes nothing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::header::{DATE, HOST};
use http_body_util::Full;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::engine::{Engine, Info};
use super::http_client::send;
use super::place::Place;
use super::programs::{self, AwsVersion};
use crate::cli::PlaceArguments;
use crate::config::environment;
use crate::examine::examine;

/// How long a program may take that is asked about itself.
const PROGRAM_TIME: Duration = Duration::from_secs(15);
/// Signatures are refused when the clocks differ by 15 minutes (AWS General Reference, "Signature
/// Version 4"); long before that somebody should look.
const SKEW_SECONDS_WARN: i64 = 60;
const SKEW_SECONDS_FAIL: i64 = 15 * 60;
const FREE_BYTES_WARN: u64 = 2 * 1024 * 1024 * 1024;
const FREE_BYTES_FAIL: u64 = 64 * 1024 * 1024;
const FREE_INODES_WARN: u64 = 10_000;
const FREE_INODES_FAIL: u64 = 100;
const MIB: u64 = 1024 * 1024;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
struct Finding {
    grade: Grade,
    what: String,
    /// What to do about it.
    advice: Option<String>,
}

fn ok(what: impl Into<String>) -> Finding {
    Finding { grade: Grade::Ok, what: what.into(), advice: None }
}

fn warn(what: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { grade: Grade::Warn, what: what.into(), advice: Some(advice.into()) }
}

fn fail(what: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { grade: Grade::Fail, what: what.into(), advice: Some(advice.into()) }
}

/// Prints the findings; the exit status is 1 if one of them is a failure.
///
/// # Errors
/// When the configuration is wrong.
pub(super) async fn run(arguments: PlaceArguments) -> Result<ExitCode> {
    let place = Place::find(&arguments)?;
    let mut worst = Grade::Ok;
    let mut report = |findings: Vec<Finding>| {
        for finding in findings {
            worst = worst.max(finding.grade);
            print(&finding);
        }
    };
    report(directory(&place).await);
    report(disk(place.layout.directory()));
    report(server(&place).await);
    report(clients());
    report(daemon(place.address().map_or(crate::config::DEFAULT_PORT, |address| address.port())));
    Ok(if worst == Grade::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(finding: &Finding) {
    let grade = match finding.grade {
        Grade::Ok => "ok",
        Grade::Warn => "warn",
        Grade::Fail => "FAIL",
    };
    say!("{grade:<5} {}", finding.what);
    if let Some(advice) = &finding.advice {
        say!("      → {advice}");
    }
}

async fn directory(place: &Place) -> Vec<Finding> {
    let directory = place.layout.directory();
    let shown = directory.display();
    let Ok(metadata) = fs::metadata(directory) else {
        return vec![fail(
            format!("the data directory {shown} is not there or cannot be looked at"),
            "start the server once with `tonnage serve`, or name its directory with `--data-dir`",
        )];
    };
    let mut findings = vec![private(directory, metadata.mode(), "chmod 700")];
    if let Err(error) = examine(&place.layout, &place.config).await {
        findings.push(Finding { grade: Grade::Fail, what: format!("{error:#}"), advice: None });
    }
    let key = place.layout.root_key();
    if let Ok(metadata) = fs::metadata(&key) {
        findings.push(private(&key, metadata.mode(), "chmod 600"));
    }
    let credentials = place.layout.credentials();
    findings.push(match fs::metadata(&credentials) {
        Ok(metadata) => private(&credentials, metadata.mode(), "chmod 600"),
        Err(_) => warn(
            format!("{} is not there", credentials.display()),
            "`tonnage env` cannot print a key; use the one you have",
        ),
    });
    findings
}

fn private(path: &Path, mode: u32, command: &str) -> Finding {
    let shown = path.display();
    if mode & 0o077 == 0 {
        ok(format!("{shown} is its owner's alone"))
    } else {
        warn(format!("{shown} may be opened by other users"), format!("run `{command} {shown}`"))
    }
}

fn disk(directory: &Path) -> Vec<Finding> {
    let Ok(numbers) = rustix::fs::statvfs(directory) else { return Vec::new() };
    let bytes = numbers.f_bavail.saturating_mul(numbers.f_frsize);
    let mut findings = vec![free_space(bytes)];
    // Some file systems have no fixed number of inodes and say 0 of 0.
    if numbers.f_files > 0 {
        findings.push(free_inodes(numbers.f_favail));
    }
    findings
}

fn free_space(bytes: u64) -> Finding {
    let what = format!("{} MiB are free for data", bytes / MIB);
    let advice = "delete images, or move the data directory to a larger disk";
    match bytes {
        0..FREE_BYTES_FAIL => fail(what, advice),
        FREE_BYTES_FAIL..FREE_BYTES_WARN => warn(what, advice),
        _ => ok(what),
    }
}

fn free_inodes(inodes: u64) -> Finding {
    let what = format!("{inodes} files may still be made on that disk");
    let advice = "every layer is a file: delete images, or use a file system with more inodes";
    match inodes {
        0..FREE_INODES_FAIL => fail(what, advice),
        FREE_INODES_FAIL..FREE_INODES_WARN => warn(what, advice),
        _ => ok(what),
    }
}

async fn server(place: &Place) -> Vec<Finding> {
    let start = "start it with `tonnage serve`, and look at what it prints";
    let address = match place.address() {
        Ok(address) => address,
        Err(error) => return vec![fail(format!("{error:#}"), start)],
    };
    let request = http::Request::get("/readyz")
        .header(HOST, address.to_string())
        .body(Full::new(Bytes::new()));
    let answer = match request {
        Ok(request) => send(address, request).await,
        Err(error) => Err(error.into()),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return vec![fail(format!("the server is not reached: {error:#}"), start)],
    };
    let mut findings = Vec::new();
    findings.push(if answer.status().is_success() {
        ok(format!("the server on {address} is ready"))
    } else {
        fail(
            format!("the server on {address} is not ready ({})", answer.status()),
            "its log says why; a full disk is the usual reason",
        )
    });
    let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
    if let Some(date) = date.and_then(|text| rfc2822::parse(text).ok()) {
        let skew = Timestamp::now().as_second().saturating_sub(date.timestamp().as_second());
        findings.push(clock_skew(skew));
    }
    findings
}

fn clock_skew(seconds: i64) -> Finding {
    let what = format!("the server's clock and this one differ by {} s", seconds.unsigned_abs());
    let advice = "set both by a time server; signatures are refused from 15 minutes on";
    match seconds.abs() {
        SKEW_SECONDS_FAIL.. => fail(what, advice),
        SKEW_SECONDS_WARN.. => warn(what, advice),
        _ => ok(what),
    }
}

fn clients() -> Vec<Finding> {
    let mut findings = Vec::new();
    for program in ["docker", "podman", "skopeo"] {
        if let Ok(output) = programs::run(program, ["--version"], PROGRAM_TIME)
            && output.status.success()
        {
            findings.push(ok(format!("found {}", first_line(&output.stdout))));
        }
    }
    if findings.is_empty() {
        findings.push(warn(
            "neither docker nor podman nor skopeo is found here",
            "install one of them to push and pull images",
        ));
    }
    findings.push(match AwsVersion::ask(PROGRAM_TIME) {
        None => warn(
            "`aws` is not found here",
            "`tonnage docker-login` and `tonnage serve --create-on-push` do without it",
        ),
        Some(version) if version.knows_endpoint_url() => {
            ok(format!("found aws {}.{}", version.major, version.minor))
        }
        Some(version) => warn(
            format!("aws {}.{} does not know AWS_ENDPOINT_URL", version.major, version.minor),
            "write `aws --endpoint-url URL ecr …`, or install 2.13 or later",
        ),
    });
    findings
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

fn daemon(port: u16) -> Vec<Finding> {
    let Ok(output) = programs::run("docker", ["info", "--format", "{{json .}}"], PROGRAM_TIME)
    else {
        return Vec::new();
    };
    let info: Info = serde_json::from_str(&output.stdout).unwrap_or_default();
    if info.server_version.is_empty() {
        return vec![warn(
            "docker's daemon does not answer",
            "start it, or see `docker context ls` for where the client looks for it",
        )];
    }
    let engine = Engine::of(&info, &endpoint());
    let version = &info.server_version;
    vec![match (engine, engine.advice(port)) {
        (Engine::VirtualMachine(product), Some(advice)) => warn(
            format!("docker's daemon {version} runs in the virtual machine of {product}"),
            advice,
        ),
        (Engine::Rootless, Some(advice)) => {
            warn(format!("docker's daemon {version} runs without root"), advice)
        }
        (Engine::Elsewhere, Some(advice)) => {
            warn(format!("docker's daemon {version} runs on another machine"), advice)
        }
        (_, _) => ok(format!("docker's daemon {version} runs here and finds `localhost:{port}`")),
    }]
}

/// Where docker's client finds its daemon.
fn endpoint() -> String {
    if let Some(host) = environment().get("DOCKER_HOST").filter(|host| !host.is_empty()) {
        return host.clone();
    }
    let arguments = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
    programs::run("docker", arguments, PROGRAM_TIME)
        .map(|output| output.stdout.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_grades() {
        for (finding, grade) in [
            (free_space(0), Grade::Fail),
            (free_space(FREE_BYTES_FAIL), Grade::Warn),
            (free_space(FREE_BYTES_WARN), Grade::Ok),
            (free_inodes(99), Grade::Fail),
            (free_inodes(100), Grade::Warn),
            (free_inodes(10_000), Grade::Ok),
            (clock_skew(-59), Grade::Ok),
            (clock_skew(60), Grade::Warn),
            (clock_skew(-899), Grade::Warn),
            (clock_skew(900), Grade::Fail),
            (clock_skew(-900), Grade::Fail),
            (private(Path::new("/x"), 0o40700, "chmod 700"), Grade::Ok),
            (private(Path::new("/x"), 0o40750, "chmod 700"), Grade::Warn),
        ] {
            assert_eq!(finding.grade, grade, "{}", finding.what);
            assert_eq!(finding.advice.is_none(), grade == Grade::Ok, "{}", finding.what);
        }
    }
}
