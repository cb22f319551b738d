//! Where a request came from and under which name it reached us, behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Uri};
use tonnage_api::host::Host;

use super::respond::Client;
use crate::config::TrustedProxies;

/// What is known of a request before anybody looks at what it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The client's address; a mapped IPv4 address as IPv4.
    pub(super) source_address: IpAddr,
    /// Whether the client spoke TLS, to us or to a trusted proxy.
    pub(super) secure_transport: bool,
    /// The host the client used; `None` when it named none or something that is no host.
    pub(super) host: Option<Host>,
    /// Whether some proxy, trusted or not, says that it passed the request on.
    pub(super) forwarded: bool,
}

impl Origin {
    /// Reads the peer's address and, if the peer is a trusted proxy, what it says of the client.
    pub(super) fn of(
        client: Client,
        uri: &Uri,
        headers: &HeaderMap,
        trusted: &TrustedProxies,
    ) -> Self {
        let Client { peer, secure } = client;
        let peer = peer.ip().to_canonical();
        let believed = trusted.contains(peer);
        let last = |name: &str| {
            let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
            last.rsplit(',').next().map(str::trim).filter(|text| !text.is_empty())
        };
        let forwarded_host = believed.then(|| last("x-forwarded-host")).flatten();
        Self {
            source_address: if believed { source(peer, headers, trusted) } else { peer },
            secure_transport: believed
                .then(|| last("x-forwarded-proto"))
                .flatten()
                .map_or(secure, |scheme| scheme.eq_ignore_ascii_case("https")),
            host: match forwarded_host {
                Some(host) => Host::parse(host),
                None if headers.get_all(http::header::HOST).iter().count() > 1 => None,
                None => Host::of(uri, headers),
            },
            forwarded: ["x-forwarded-for", "forwarded", "via"]
                .iter()
                .any(|name| headers.contains_key(*name)),
        }
    }
}

/// The last address of the chain that is no trusted proxy: what stands before it was written by
/// somebody we do not know.
fn source(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut nearest = peer;
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        let Ok(text) = value.to_str() else { return nearest };
        for item in text.rsplit(',') {
            let Some(address) = parse_address(item.trim()) else { return nearest };
            nearest = address;
            if !trusted.contains(address) {
                return nearest;
            }
        }
    }
    nearest
}

/// An address, with a port or brackets or without: proxies differ.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, headers: &[(&str, &str)]) -> Origin {
        origin_over(false, peer, headers)
    }

    fn origin_over(secure: bool, peer: &str, headers: &[(&str, &str)]) -> Origin {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = http::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 50_000);
        let trusted = TrustedProxies::new(vec![
            "127.0.0.0/8".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ]);
        Origin::of(Client { peer, secure }, &Uri::from_static("/v2/"), &map, &trusted)
    }

    #[track_caller]
    fn check_source(peer: &str, forwarded_for: &[&str], expected: &str) {
        let headers: Vec<_> =
            forwarded_for.iter().map(|value| ("x-forwarded-for", *value)).collect();
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(origin(peer, &headers).source_address, expected, "{peer} {forwarded_for:?}");
    }

    #[test]
    fn the_source_is_the_last_address_that_is_no_trusted_proxy() {
        check_source("192.0.2.1", &[], "192.0.2.1");
        check_source("::ffff:192.0.2.1", &[], "192.0.2.1");
        check_source("192.0.2.1", &["198.51.100.9"], "192.0.2.1");
        check_source("127.0.0.1", &[], "127.0.0.1");
        check_source("127.0.0.1", &["198.51.100.9"], "198.51.100.9");
        check_source("127.0.0.1", &["203.0.113.5, 198.51.100.9"], "198.51.100.9");
        check_source("127.0.0.1", &["203.0.113.5, 198.51.100.9, 10.1.2.3"], "198.51.100.9");
        check_source("127.0.0.1", &["203.0.113.5", "198.51.100.9,10.1.2.3"], "198.51.100.9");
        check_source("127.0.0.1", &["198.51.100.9:4711"], "198.51.100.9");
        check_source("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7");
        check_source("127.0.0.1", &["2001:db8::7"], "2001:db8::7");
        check_source("127.0.0.1", &["198.51.100.9, nonsense"], "127.0.0.1");
        check_source("127.0.0.1", &["198.51.100.9, nonsense, 10.1.2.3"], "10.1.2.3");
        check_source("127.0.0.1", &["10.9.9.9"], "10.9.9.9");
    }

    #[track_caller]
    fn check_host(peer: &str, headers: &[(&str, &str)], host: Option<&str>, secure: bool) {
        let origin = origin(peer, headers);
        assert_eq!(origin.host.as_ref().map(Host::authority), host, "{headers:?}");
        assert_eq!(origin.secure_transport, secure, "{headers:?}");
    }

    #[test]
    fn host_and_scheme_are_the_clients_only_behind_a_trusted_proxy() {
        let direct = ("host", "registry.example:4510");
        check_host("192.0.2.1", &[direct], Some("registry.example:4510"), false);
        check_host("192.0.2.1", &[], None, false);
        check_host("192.0.2.1", &[("host", "not a host")], None, false);
        check_host("192.0.2.1", &[direct, ("host", "other.example")], None, false);
        let proxied =
            [direct, ("x-forwarded-host", "ecr.example.com"), ("x-forwarded-proto", "https")];
        check_host("192.0.2.1", &proxied, Some("registry.example:4510"), false);
        check_host("127.0.0.1", &proxied, Some("ecr.example.com"), true);
        check_host(
            "127.0.0.1",
            &[direct, ("x-forwarded-host", "spoofed.example, ecr.example.com")],
            Some("ecr.example.com"),
            false,
        );
        check_host(
            "127.0.0.1",
            &[direct, ("x-forwarded-proto", "https, http")],
            Some("registry.example:4510"),
            false,
        );
        check_host("127.0.0.1", &[direct, ("x-forwarded-host", "a b")], None, false);
    }

    #[test]
    fn a_trusted_proxy_knows_better_whether_its_client_spoke_tls() {
        let plain = ("x-forwarded-proto", "http");
        for (peer, headers, expected) in [
            ("192.0.2.1", &[][..], true),
            ("192.0.2.1", &[plain][..], true),
            ("127.0.0.1", &[][..], true),
            ("127.0.0.1", &[plain][..], false),
        ] {
            let origin = origin_over(true, peer, headers);
            assert_eq!(origin.secure_transport, expected, "{peer} {headers:?}");
        }
    }
}
