//! How people on this machine name the server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::{Config, Flags, environment};

/// Host and port for commands that people copy: `localhost` where that name leads here by
/// whichever address a client takes it for, else the address.
pub(crate) fn authority(address: SocketAddr, listening: &[SocketAddr]) -> String {
    let listens_on = |text: &str| {
        listening.iter().any(|other| {
            other.port() == address.port()
                && (other.ip().is_unspecified() || other.ip().to_string() == text)
        })
    };
    if address.ip().is_loopback() && listens_on("127.0.0.1") && listens_on("::1") {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// ` --data-dir DIR` for commands that people copy, when they would not find it without.
pub(crate) fn data_dir_option(directory: &Path) -> String {
    let found: Option<PathBuf> = Config::load(&Flags::new(), None, &environment())
        .ok()
        .map(|config| config.storage.data_dir);
    if found.as_deref() == Some(directory) {
        String::new()
    } else {
        let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        format!(" --data-dir {}", crate::shell::Shell::Sh.quote(&absolute.to_string_lossy()))
    }
}

/// How this program is called from a shell: by its name where `PATH` finds it, else by its path.
pub(crate) fn program() -> String {
    const NAME: &str = "tonnage";
    let Ok(this) = std::env::current_exe().and_then(|path| path.canonicalize()) else {
        return NAME.to_owned();
    };
    let on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .any(|directory| directory.join(NAME).canonicalize().is_ok_and(|found| found == this))
    });
    if on_path { NAME.to_owned() } else { crate::shell::Shell::Sh.quote(&this.to_string_lossy()) }
}
