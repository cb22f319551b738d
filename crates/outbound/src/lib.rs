//! Requests to servers of others: identity providers, upstream registries.
//!
//! Where a request goes is often said by somebody who is not trusted with the operator's network,
//! so every request passes one guard. A URL is `https`, or `http` to this machine where the
//! operator allows that; the host is resolved once, and only to addresses that were checked a
//! connection is made; nothing follows a redirect; time and sizes are bounded. Proxies of the
//! environment are not used, because they would resolve the name again.

mod addresses;
mod client;
mod error;
mod target;

pub use client::{Body, Client, Limits, Rules};
pub use error::{Error, SetupError};
pub use ipnet::IpNet;
