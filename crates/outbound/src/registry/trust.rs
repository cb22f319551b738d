//! Which token services may see the credentials of a registry.
//!
//! The registry itself says where its token service is, so a registry that lies could have
//! credentials sent to anybody. They go to the registry's own host; to a host of the same site,
//! which is the registrable domain under the public suffix list, because many registries have their
//! token service beside them; and to hosts that the operator listed. An address is no site. Neither
//! is a domain under which strangers get names: most are in the list, the others here.

use std::net::IpAddr;

/// Domains whose subdomains belong to different customers and that the public suffix list does not
/// have.
const SHARED: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "azurecr.cn",
    "azurecr.io",
    "azurecr.us",
    "cloudsmith.io",
    "gcr.io",
    "googleapis.com",
    "jfrog.io",
    "myhuaweicloud.com",
    "aliyuncs.com",
    "ocir.io",
    "pkg.dev",
    "tencentcloudcr.com",
    "vultrcr.com",
];

/// Whether the credentials of the registry on `origin` may be sent to the token service on `realm`.
/// Both are hosts in lower case, without ports.
pub(super) fn may_see_credentials(origin: &str, realm: &str, listed: &[String]) -> bool {
    origin == realm
        || listed.iter().any(|host| host == realm)
        || site(origin).is_some_and(|origin| Some(origin) == site(realm))
}

/// The registrable domain of a host, if its subdomains belong to whoever registered it.
fn site(host: &str) -> Option<&str> {
    if host.parse::<IpAddr>().is_ok() || host.ends_with('.') {
        return None;
    }
    let domain = psl::domain(host.as_bytes())?;
    if !domain.suffix().is_known() {
        return None;
    }
    let domain = std::str::from_utf8(domain.as_bytes()).ok()?;
    // The list knows names below some of these domains, so that what one registers there is deeper.
    let is_below = |shared: &&str| {
        domain.strip_suffix(*shared).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    (!SHARED.iter().any(is_below)).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_on_the_site_of_the_registry() {
        let listed = ["auth.partner.example".to_owned()];
        let check = |origin: &str, realm: &str, expected: bool| {
            assert_eq!(
                may_see_credentials(origin, realm, &listed),
                expected,
                "{origin} -> {realm}"
            );
        };
        check("registry-1.docker.io", "auth.docker.io", true);
        check("ghcr.io", "ghcr.io", true);
        check("registry.gitlab.com", "gitlab.com", true);
        check("quay.io", "quay.io", true);
        check("cgr.dev", "cgr.dev", true);
        check("a.azurecr.io", "a.azurecr.io", true);
        check("registry.a.co.uk", "auth.a.co.uk", true);
        check("10.0.0.1", "10.0.0.1", true);
        check("::1", "::1", true);
        check("localhost", "localhost", true);
        check("registry.internal", "registry.internal", true);
        check("registry-1.docker.io", "auth.partner.example", true);
        check("10.0.0.1", "auth.partner.example", true);
        // Somebody else.
        check("registry-1.docker.io", "auth.docker.io.evil.com", false);
        check("registry-1.docker.io", "evildocker.io", false);
        check("registry-1.docker.io", "docker.io.", false);
        check("registry-1.docker.io.", "auth.docker.io", false);
        check("registry-1.docker.io", "io", false);
        check("registry-1.docker.io", "partner.example", false);
        check("registry-1.docker.io", "x.auth.partner.example", false);
        check("a.co.uk", "b.co.uk", false);
        check("a.github.io", "b.github.io", false);
        check("a.azurecr.io", "b.azurecr.io", false);
        check("a.azurecr.io", "azurecr.io", false);
        check("1.dkr.ecr.us-east-1.amazonaws.com", "b.s3.amazonaws.com", false);
        check("1.dkr.ecr.us-east-1.amazonaws.com", "2.dkr.ecr.us-east-1.amazonaws.com", false);
        check("us-docker.pkg.dev", "eu-docker.pkg.dev", false);
        check("a.jfrog.io", "b.jfrog.io", false);
        // No sites: addresses, and names that nobody can register.
        check("10.0.0.1", "10.0.0.2", false);
        check("1.10.0.1", "2.10.0.1", false);
        check("::1", "::2", false);
        check("a.internal", "b.internal", false);
        check("registry.corp", "auth.corp", false);
        check("localhost", "127.0.0.1", false);
        check("docker.io", "", false);
    }
}
