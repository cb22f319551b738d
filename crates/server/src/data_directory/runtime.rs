//! Where the running server listens, for the subcommands beside it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Layout;

/// What a running server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Runtime {
    /// Its process.
    pub(crate) process_id: u32,
    /// Its release.
    pub(crate) version: String,
    /// Where it listens, with the ports it got.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where docker finds public registries whatever the host is called.
    #[serde(default)]
    pub(crate) public_addresses: Vec<SocketAddr>,
    /// The management account.
    pub(crate) account: String,
    /// The region of requests that name none.
    pub(crate) region: String,
}

impl Runtime {
    /// Writes the file. It is not synced: no running server survives a power failure.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn write(&self, layout: &Layout) -> io::Result<()> {
        let path = layout.runtime();
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&new, &path)
    }

    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(layout: &Layout) -> Result<Option<Self>> {
        let path = layout.runtime();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("{} cannot be understood", path.display())),
            // Whether the data directory is one is for others to say.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }
}

/// The address under which clients on this machine reach a server that listens on `addresses`:
/// IPv4 before IPv6, the loopback address where it listens everywhere.
pub(crate) fn local_address(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let reachable = |address: &SocketAddr| match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        // Such a socket takes IPv4 too, and clients that know no IPv6 are more than others.
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => *address,
    };
    let rank = |address: &SocketAddr| match address.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => 0,
        IpAddr::V6(ip) if ip == Ipv6Addr::LOCALHOST => 1,
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 3,
    };
    addresses.iter().map(reachable).min_by_key(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], expected: Option<&str>) {
        let addresses: Vec<SocketAddr> =
            addresses.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(local_address(&addresses), expected.map(|text| text.parse().unwrap()));
    }

    #[test]
    fn local_clients_are_given_an_address_that_works_here() {
        check(&[], None);
        check(&["127.0.0.1:4510", "[::1]:4510"], Some("127.0.0.1:4510"));
        check(&["[::1]:4510", "127.0.0.1:4511"], Some("127.0.0.1:4511"));
        check(&["0.0.0.0:80"], Some("127.0.0.1:80"));
        check(&["[::]:80"], Some("127.0.0.1:80"));
        check(&["[::1]:80"], Some("[::1]:80"));
        check(&["192.0.2.7:80"], Some("192.0.2.7:80"));
        check(&["[2001:db8::1]:80", "192.0.2.7:80"], Some("192.0.2.7:80"));
    }
}
