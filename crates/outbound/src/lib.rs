//! Requests to servers of others: identity providers, other registries.
//!
//! Where a request goes is often said by somebody who is not trusted with the operator's network,
//! so every request passes one guard. A URL is `https`, or `http` to this machine where the
//! operator allows that; the host is resolved once, and only to addresses that were checked a
//! connection is made; time and sizes are bounded. Proxies of the environment are not used, because
//! they would resolve the name again.
//!
//! [`dns`] asks the operator's name servers for text records. [`Client`] fetches single documents and follows no redirect. [`registry`] asks registries in the
//! OCI distribution protocol: it keeps connections for a while, logs in, and follows redirects, each
//! of which passes the guard again.

mod addresses;
mod client;
mod connection;
pub mod dns;
mod error;
mod pool;
pub mod registry;
mod target;

pub use client::{Client, Limits, Rules};
pub use connection::Body;
pub use error::{Error, SetupError};
pub use ipnet::IpNet;
