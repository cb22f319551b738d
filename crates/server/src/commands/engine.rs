//! Where docker's daemon runs, and under which name it finds a server on this machine.

use serde::Deserialize;

/// What `docker info --format json` says, as far as it matters here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    /// The operating system of the daemon, or the product it is part of.
    pub(super) operating_system: String,
    /// The host name of the daemon.
    pub(super) name: String,
    /// The release of the daemon; empty when there is no daemon.
    pub(super) server_version: String,
    /// Among others `name=rootless`.
    pub(super) security_options: Vec<String>,
}

/// Where the daemon runs, seen from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// On this machine, in its network.
    Here,
    /// On this machine, in a network of its own.
    Rootless,
    /// In a virtual machine that this product keeps.
    VirtualMachine(&'static str),
    /// On another machine.
    Elsewhere,
}

impl Engine {
    /// Judges by what the daemon says of itself and by the address the client reaches it under.
    pub(super) fn of(info: &Info, endpoint: &str) -> Self {
        if info.operating_system.contains("Docker Desktop") {
            return Self::VirtualMachine("Docker Desktop");
        }
        if info.operating_system.contains("OrbStack") {
            return Self::VirtualMachine("OrbStack");
        }
        if info.name.starts_with("colima") || endpoint.contains("/.colima/") {
            return Self::VirtualMachine("colima");
        }
        if info.name.starts_with("lima-") || endpoint.contains("/.lima/") {
            return Self::VirtualMachine("lima");
        }
        if info.operating_system.contains("Rancher Desktop") || endpoint.contains("/.rd/") {
            return Self::VirtualMachine("Rancher Desktop");
        }
        if endpoint.starts_with("ssh://") || is_remote(endpoint) {
            return Self::Elsewhere;
        }
        if info.security_options.iter().any(|option| option.starts_with("name=rootless")) {
            return Self::Rootless;
        }
        Self::Here
    }

    /// What to do about it; `None` when `localhost` works.
    pub(super) fn advice(self, port: u16) -> Option<String> {
        let insecure = |host: &str| {
            format!("add `\"insecure-registries\": [\"{host}\"]` to the daemon's configuration")
        };
        match self {
            Self::Here => None,
            Self::VirtualMachine(_) => {
                let host = format!("host.docker.internal:{port}");
                Some(format!(
                    "its `localhost` is the virtual machine: write `{host}` before the names of \
                     images, run `tonnage docker-login {host}`, {}, and if the machine cannot \
                     connect start the server with `--listen 0.0.0.0:{port}`",
                    insecure(&host)
                ))
            }
            Self::Rootless => Some(format!(
                "its `localhost` is its own: start the server with `--listen 0.0.0.0:{port}`, \
                 write this machine's address and `:{port}` before the names of images, and {}",
                insecure(&format!("ADDRESS:{port}"))
            )),
            Self::Elsewhere => Some(format!(
                "its `localhost` is that machine: start the server with `--listen 0.0.0.0:{port}`, \
                 write a name of this machine that it can reach before the names of images, and \
                 {}, or put a proxy with TLS in front",
                insecure(&format!("NAME:{port}"))
            )),
        }
    }
}

fn is_remote(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("tcp://") else { return false };
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    !matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(os: &str, name: &str, options: &[&str], endpoint: &str, expected: Engine) {
        let info = Info {
            operating_system: os.to_owned(),
            name: name.to_owned(),
            server_version: "28".to_owned(),
            security_options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        let engine = Engine::of(&info, endpoint);
        assert_eq!(engine, expected);
        assert_eq!(engine.advice(4510).is_none(), expected == Engine::Here);
    }

    #[test]
    fn daemons_are_told_apart() {
        const SOCKET: &str = "unix:///var/run/docker.sock";
        check("Debian GNU/Linux 12", "box", &["name=seccomp"], SOCKET, Engine::Here);
        check(
            "Docker Desktop",
            "docker-desktop",
            &[],
            SOCKET,
            Engine::VirtualMachine("Docker Desktop"),
        );
        check("OrbStack", "orbstack", &[], SOCKET, Engine::VirtualMachine("OrbStack"));
        check("Ubuntu 24.04", "colima", &[], SOCKET, Engine::VirtualMachine("colima"));
        check(
            "Ubuntu 24.04",
            "x",
            &[],
            "unix:///Users/a/.colima/default/docker.sock",
            Engine::VirtualMachine("colima"),
        );
        check("Ubuntu 24.04", "lima-docker", &[], SOCKET, Engine::VirtualMachine("lima"));
        check(
            "Alpine Linux",
            "x",
            &[],
            "unix:///Users/a/.rd/docker.sock",
            Engine::VirtualMachine("Rancher Desktop"),
        );
        check(
            "Debian",
            "box",
            &["name=seccomp", "name=rootless"],
            "unix:///run/user/1000/docker.sock",
            Engine::Rootless,
        );
        check("Debian", "far", &[], "ssh://user@far", Engine::Elsewhere);
        check("Debian", "far", &[], "tcp://192.0.2.1:2376", Engine::Elsewhere);
        check("Debian", "near", &[], "tcp://127.0.0.1:2375", Engine::Here);
        check("Debian", "near", &[], "tcp://localhost:2375", Engine::Here);
    }
}
