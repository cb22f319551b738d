//! `tonnage env`, read back by real shells.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use crate::support::{Place, printed, run};

#[test]
fn a_shell_gets_what_clients_need() {
    let place = Place::new();
    let server = place.start();
    let script = r#"
        eval "$("$TONNAGE" env --data-dir "$DATA")"
        printf '%s\n' "$AWS_ENDPOINT_URL" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" \
            "$AWS_REGION" "$AWS_DEFAULT_REGION" "${AWS_PROFILE-unset}" \
            "${AWS_SESSION_TOKEN-unset}" "$NO_PROXY" "$no_proxy"
        eval "$("$TONNAGE" env --unset)"
        printf '%s\n' "${AWS_ENDPOINT_URL-unset}" "${AWS_SECRET_ACCESS_KEY-unset}"
    "#;
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", place.home())
        .env("TONNAGE", env!("CARGO_BIN_EXE_tonnage"))
        .env("DATA", place.data())
        .env("AWS_PROFILE", "other")
        .env("AWS_SESSION_TOKEN", "old")
        .env("NO_PROXY", "corp.example, 127.0.0.1");
    let out = printed(&mut shell);
    let lines: Vec<&str> = out.lines().collect();
    let credentials = fs::read_to_string(place.file("credentials")).unwrap();
    assert_eq!(lines[0], format!("http://{}", server.address));
    assert!(credentials.contains(lines[1]) && credentials.contains(lines[2]), "{out}");
    assert_eq!(lines[3..7], ["us-east-1", "us-east-1", "unset", "unset"]);
    assert_eq!(lines[7], "corp.example,127.0.0.1,localhost,::1");
    assert_eq!(lines[8], "localhost,127.0.0.1,::1");
    assert_eq!(lines[9..], ["unset", "unset"]);
    server.stop();
}

#[test]
fn every_shell_has_its_own_words() {
    let place = Place::new();
    place.start().stop();
    for (arguments, shell, line) in [
        (&["--shell", "sh"][..], "/usr/bin/fish", "export AWS_REGION=us-east-1"),
        (&["--shell", "zsh"][..], "", "export AWS_REGION=us-east-1"),
        (&["--shell", "fish"][..], "", "set -gx AWS_REGION 'us-east-1'"),
        (&["--shell", "powershell"][..], "", "$env:AWS_REGION = 'us-east-1'"),
        (&[][..], "/usr/bin/fish", "set -gx AWS_REGION 'us-east-1'"),
        (&[][..], "/bin/bash", "export AWS_REGION=us-east-1"),
    ] {
        let mut command = place.command(&["env", "--endpoint", "https://ecr.example.com/"]);
        command.args(arguments).env("SHELL", shell);
        let out = printed(&mut command);
        assert!(out.lines().any(|found| found == line), "{arguments:?}: {out}");
        assert!(out.contains("https://ecr.example.com"), "{out}");
        assert!(!out.contains("example.com/"), "{out}");
    }
}

#[test]
fn a_profile_is_written_beside_the_others() {
    let place = Place::new();
    let server = place.start();
    let config = place.home().join(".aws/config");
    fs::create_dir(config.parent().unwrap()).unwrap();
    fs::write(&config, "[default]\nregion = eu-west-1\n").unwrap();
    let out = printed(&mut place.command(&["env", "--profile", "tonnage"]));
    assert!(out.contains("export AWS_PROFILE=tonnage"), "{out}");
    assert!(out.contains("unset AWS_ACCESS_KEY_ID"), "{out}");
    assert_eq!(
        fs::read_to_string(&config).unwrap(),
        format!(
            "[default]\nregion = eu-west-1\n\n[profile tonnage]\nregion = us-east-1\n\
             endpoint_url = http://{}\n",
            server.address
        )
    );
    let credentials = place.home().join(".aws/credentials");
    assert_eq!(fs::metadata(&credentials).unwrap().mode() & 0o777, 0o600);
    let written = fs::read_to_string(&credentials).unwrap();
    assert!(written.starts_with("[tonnage]\naws_access_key_id = AKIA"), "{written}");
    server.stop();
}

#[test]
fn an_old_aws_is_pointed_out() {
    let place = Place::new();
    place.start().stop();
    let tools = place.home().join("tools");
    fs::create_dir(&tools).unwrap();
    let aws = tools.join("aws");
    for (version, warned) in
        [("aws-cli/1.22.34 Python/3.10", true), ("aws-cli/2.15.0 Python", false)]
    {
        fs::write(&aws, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = place.command(&["env"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        let output = run(&mut command);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(complaint.contains("--endpoint-url"), warned, "{complaint}");
    }
}
