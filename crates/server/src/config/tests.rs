//! Which source wins, and what is refused with which words.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonnage_api::oci::profile::Profile;
use tonnage_domain::pull_through::settings::{UpstreamSettings, Validity};
use tonnage_domain::throttle::Throttling;

use super::{Config, Flags, LogFormat, settings};

/// Flags by key, variables by name, the text of the file.
#[derive(Clone, Copy, Default)]
struct Given<'a> {
    flags: &'a [(&'static str, &'a [&'a str])],
    variables: &'a [(&'a str, &'a str)],
    file: Option<&'a str>,
}

fn load(given: Given<'_>) -> anyhow::Result<Config> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tonnage.toml");
    let file = given.file.map(|text| {
        fs::write(&path, text).unwrap();
        path.clone()
    });
    let flags: Flags = given
        .flags
        .iter()
        .map(|(key, texts)| (*key, texts.iter().map(|&text| text.to_owned()).collect()))
        .collect();
    let mut environment: BTreeMap<String, String> =
        given.variables.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect();
    environment.entry("HOME".to_owned()).or_insert_with(|| "/home/me".to_owned());
    Config::load(&flags, file, &environment)
}

#[track_caller]
fn check_data_dir(given: Given<'_>, expected: &str) {
    assert_eq!(load(given).unwrap().storage.data_dir, Path::new(expected));
}

#[test]
fn the_flag_wins_over_the_variable_over_the_file_over_the_default() {
    let flags: &[(&str, &[&str])] = &[("data_dir", &["/flag"])];
    let variables = &[("TONNAGE_DATA_DIR", "/variable")];
    let file = Some("data_dir = \"/file\"");
    check_data_dir(Given { flags, variables, file }, "/flag");
    check_data_dir(Given { variables, file, ..Given::default() }, "/variable");
    check_data_dir(Given { file, ..Given::default() }, "/file");
    check_data_dir(Given::default(), "/home/me/.local/share/tonnage");
    let xdg = &[("XDG_DATA_HOME", "/xdg")];
    check_data_dir(Given { variables: xdg, ..Given::default() }, "/xdg/tonnage");
    let empty = &[("TONNAGE_DATA_DIR", "")];
    check_data_dir(Given { variables: empty, file, ..Given::default() }, "/file");
}

#[track_caller]
fn check_listen(given: Given<'_>, explicit: bool, expected: &[&str]) {
    let listeners = load(given).unwrap().listeners;
    let addresses: Vec<String> = listeners.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, expected);
    assert_eq!(listeners.explicit, explicit);
}

#[test]
fn a_list_is_replaced_as_a_whole() {
    let flags: &[(&str, &[&str])] = &[("listen", &["127.0.0.1:1", "[::1]:2"])];
    let variables = &[("TONNAGE_LISTEN", "127.0.0.1:3, 127.0.0.1:4")];
    let file = Some("listen = [\"127.0.0.1:5\"]");
    check_listen(Given { flags, variables, file }, true, &["127.0.0.1:1", "[::1]:2"]);
    check_listen(
        Given { variables, file, ..Given::default() },
        true,
        &["127.0.0.1:3", "127.0.0.1:4"],
    );
    check_listen(Given { file, ..Given::default() }, true, &["127.0.0.1:5"]);
    check_listen(Given::default(), false, &["127.0.0.1:4510", "[::1]:4510"]);
}

#[test]
fn public_registries_have_addresses_of_their_own() {
    let check = |flags: &[(&'static str, &[&str])], expected: &[&str]| {
        let public = load(Given { flags, ..Given::default() }).unwrap().public;
        let addresses: Vec<String> = public.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, expected);
    };
    check(&[], &["127.0.0.1:4511", "[::1]:4511"]);
    check(&[("listen", &["127.0.0.1:1"])], &[]);
    check(&[("public_listen", &["none"])], &[]);
    check(&[("public_listen", &["[::]:2", "0.0.0.0:3"])], &["[::]:2", "0.0.0.0:3"]);
    check(&[("listen", &["127.0.0.1:0"]), ("public_listen", &["127.0.0.1:0"])], &["127.0.0.1:0"]);
}

#[test]
fn a_whole_file_and_its_defaults() {
    let text = r#"
        data_dir = "/data"
        archive_directory = "/archive"
        metadata_url = "postgres://u:secret@db/registry"
        root_key_file = "/key"
        account = "111122223333"
        region = "eu-west-1"
        domain = "Example.com:8443"
        create_on_push = true
        blob_mounting = true
        sparse_manifests = true
        oci_profile = "ecr"
        encrypt_at_rest = false
        gc_grace = "90m"
        scrub_rate = "512KiB"
        scrub_interval = "1h"
        replication_bytes_per_second = "4MiB"
        replication_concurrency = 2
        scan_interval = "0s"
        scan_concurrency = 3
        event_retention = "36h"
        tag_history_retention = "forever"
        advisory_source = ["name=debian,kind=osv,location=/advisories,licence=CC0-1.0"]
        advisory_interval = "2h"
        scanner = ["name=trivy,url=https://trivy.example,registry=http://localhost:80,timeout=5m"]
        scanner_for = ["*=trivy", "111122223333:team=builtin"]
        repositories_per_registry = 20
        images_per_repository = 30
        api_throttling = "20"
        upstream_registry = ["Harbor.example.com", "10.1.1.1:5000=http://10.1.1.2:5000/"]
        pull_through_validity = "2h"
        pull_through_validity_of = ["hub/library=7d", "k8s/=forever", "ROOT=0s"]
        pull_through_whole_images = false
        upstream_location = ["docker-hub=https://mirror.example.com", "ghcr.io=http://[::1]:5000"]
        pull_through_cache_rules_per_registry = 40
        replication_peer = ["eu-west-1=https://West.example.com/", "111122223333/us-east-1=http://[::1]:1"]
        listen = ["0.0.0.0:80"]
        endpoint = ["vpce-a=0.0.0.0:80"]
        trusted_proxy = ["10.0.0.0/8", "192.0.2.1"]
        tls_certificate_file = "/tls.crt"
        tls_key_file = "/tls.key"
        connections_max = 7
        image_shares = true
        public_listen = ["0.0.0.0:81"]
        public_anonymous_pulls = 2
        public_anonymous_bytes = "3GB"
        public_authenticated_pulls = 4
        public_authenticated_bytes = "5TiB"
        public_limit_loopback = true
        repositories_per_public_registry = 40
        console = false
        console_idle = "5m"
        console_plain_http = true
        console_oidc_issuer = "https://login.example.com"
        console_oidc_client_id = "tonnage"
        console_oidc_client_secret_file = "/oidc"
        console_oidc_scopes = "openid groups"
        console_oidc_role = ["groups=admins=arn:aws:iam::123456789012:role/admin", "arn:aws:iam::123456789012:role/reader"]
        drain_seconds = 0
        outbound_network = ["10.0.0.0/8"]
        outbound_resolver = ["192.0.2.53:53", "[::1]:5353"]
        upstream_token_host = ["Auth.example.com", "10.0.0.1"]
        outbound_authorities_file = "/ca"
        log_format = "json"
        log = "debug"
        metrics_token_file = "/token"
    "#;
    let config = load(Given { file: Some(text), ..Given::default() }).unwrap();
    let url = config.storage.metadata_url.as_ref().unwrap();
    assert_eq!(url.to_string(), "db:5432/registry");
    assert!(!format!("{config:?}").contains("secret@"));
    assert_eq!(config.storage.archive_directory, Some(PathBuf::from("/archive")));
    assert_eq!(config.storage.root_key_file, Some(PathBuf::from("/key")));
    assert_eq!(config.registry.account.unwrap().as_str(), "111122223333");
    assert_eq!(config.registry.region.unwrap().as_str(), "eu-west-1");
    assert_eq!(config.registry.domain.as_deref(), Some("example.com:8443"));
    assert!(config.registry.create_on_push);
    assert!(config.registry.blob_mounting);
    assert!(config.registry.sparse_manifests);
    assert!(config.registry.image_shares);
    assert_eq!(config.registry.oci_profile, Profile::Ecr);
    assert!(!config.registry.encrypt_at_rest);
    assert_eq!(config.registry.gc_grace_seconds, 90 * 60);
    assert_eq!(config.registry.scrub_bytes_per_second, 512 * 1024);
    assert_eq!(config.registry.scrub_interval_seconds, 3600);
    assert_eq!(config.registry.replication_bytes_per_second, 4 * 1024 * 1024);
    assert_eq!(config.registry.replication_concurrency, 2);
    assert_eq!(config.registry.scan_interval_seconds, 0);
    assert_eq!(config.registry.scan_concurrency, 3);
    assert_eq!(config.registry.event_retention_seconds, Some(36 * 3600));
    assert_eq!(config.registry.tag_history_retention_seconds, None);
    let sources: Vec<&str> = config.advisories.sources.iter().map(|source| &*source.name).collect();
    assert_eq!(sources, ["debian"]);
    assert_eq!(config.advisories.interval_seconds, 2 * 3600);
    assert_eq!(config.scanners.adapters[0].timeout_seconds, 300);
    assert_eq!(config.scanners.choices.len(), 2);
    assert_eq!(config.registry.quotas.repositories_per_registry, 20);
    assert_eq!(config.registry.quotas.images_per_repository, 30);
    assert_eq!(config.registry.throttling, Throttling::Times(20));
    let upstreams = &config.upstreams.registries;
    assert!(upstreams.hosts.iter().eq(["10.1.1.1:5000", "harbor.example.com"]));
    let locations = upstreams.locations.iter().map(|(name, url)| (name.as_str(), url.as_str()));
    assert!(locations.eq([
        ("10.1.1.1:5000", "http://10.1.1.2:5000"),
        ("docker-hub", "https://mirror.example.com"),
        ("ghcr.io", "http://[::1]:5000"),
    ]));
    assert_eq!(config.upstreams.rules_per_registry, 40);
    let validity = &config.upstreams.validity;
    assert_eq!(validity.seconds, 2 * 3600);
    let others = validity.by_namespace.iter().map(|(prefix, seconds)| (prefix.as_str(), *seconds));
    assert!(others.eq([("ROOT", 0), ("hub/library", 7 * 24 * 3600), ("k8s", i64::MAX)]));
    assert!(!config.upstreams.whole_images);
    let peers = config.peers.urls.iter().map(|(name, url)| (name.as_str(), url.as_str()));
    assert!(peers.eq([
        ("111122223333/us-east-1", "http://[::1]:1"),
        ("eu-west-1", "https://West.example.com"),
    ]));
    assert_eq!(config.listeners.endpoints.len(), 1);
    let tls = config.listeners.tls.as_ref().unwrap();
    assert_eq!(tls.certificate_file, PathBuf::from("/tls.crt"));
    assert_eq!(tls.key_file, PathBuf::from("/tls.key"));
    assert_eq!(config.listeners.connections_max, 7);
    assert_eq!(config.public.addresses, ["0.0.0.0:81".parse().unwrap()]);
    assert_eq!(config.public.repositories, 40);
    let console = &config.console;
    assert!(!console.enabled && console.plain_http);
    let federation = console.federation.as_ref().unwrap();
    assert_eq!((federation.client_id.as_str(), federation.roles.len()), ("tonnage", 2));
    assert_eq!(federation.client_secret_file, Some(PathBuf::from("/oidc")));
    assert_eq!(federation.scopes, "openid groups");
    assert_eq!(console.idle_seconds, 300);
    let limits = config.public.limits;
    assert!(limits.loopback);
    assert_eq!(limits.anonymous.pulls_per_second, 2);
    assert_eq!(limits.anonymous.bytes_per_month, 3_000_000_000);
    assert_eq!(limits.authenticated.pulls_per_second, 4);
    assert_eq!(limits.authenticated.bytes_per_month, 5 << 40);
    assert_eq!(config.listeners.drain, Duration::ZERO);
    for (address, trusted) in
        [("10.1.2.3", true), ("192.0.2.1", true), ("192.0.2.2", false), ("127.0.0.1", false)]
    {
        assert_eq!(config.listeners.trusted_proxies.contains(address.parse().unwrap()), trusted);
    }
    assert_eq!(config.outbound.networks, ["10.0.0.0/8".parse().unwrap()]);
    let resolvers = config.outbound.resolvers.as_ref().unwrap();
    assert_eq!(*resolvers, ["192.0.2.53:53", "[::1]:5353"].map(|it| it.parse().unwrap()));
    assert_eq!(config.outbound.token_hosts, ["auth.example.com", "10.0.0.1"]);
    assert_eq!(config.outbound.authorities_file, Some(PathBuf::from("/ca")));
    assert_eq!(config.logs.format, LogFormat::Json);
    assert_eq!(config.logs.filter, "debug");
    assert_eq!(config.metrics.token_file, Some(PathBuf::from("/token")));
    for setting in settings() {
        assert!(text.contains(&format!("{} = ", setting.key)), "{} is not tried", setting.key);
    }

    let config = load(Given::default()).unwrap();
    assert_eq!(config.listeners.connections_max, 10_000);
    assert_eq!(config.public.limits, tonnage_domain::public::limits::PublicLimits::ECR);
    assert_eq!(config.public.repositories, 10_000);
    assert!(config.console.enabled && !config.console.plain_http);
    assert_eq!(config.console.idle_seconds, 30 * 60);
    assert_eq!(config.listeners.drain, Duration::from_secs(30));
    assert!(config.listeners.trusted_proxies.contains("127.0.0.1".parse().unwrap()));
    assert!(config.listeners.trusted_proxies.contains("::1".parse().unwrap()));
    assert!(!config.registry.create_on_push);
    assert!(!config.registry.blob_mounting);
    assert!(!config.registry.sparse_manifests);
    assert!(!config.registry.image_shares);
    assert_eq!(config.registry.oci_profile, Profile::Specification);
    assert!(config.registry.encrypt_at_rest);
    assert_eq!(config.registry.gc_grace_seconds, 24 * 3600);
    assert_eq!(config.registry.scrub_bytes_per_second, 8 * 1024 * 1024);
    assert_eq!(config.registry.scrub_interval_seconds, 7 * 24 * 3600);
    assert_eq!(config.registry.replication_bytes_per_second, 0);
    assert_eq!(config.registry.replication_concurrency, 4);
    assert_eq!(config.registry.scan_interval_seconds, 24 * 3600);
    assert_eq!(config.registry.scan_concurrency, 2);
    assert_eq!(config.registry.event_retention_seconds, Some(30 * 24 * 3600));
    assert_eq!(config.registry.tag_history_retention_seconds, Some(400 * 24 * 3600));
    assert_eq!(config.advisories.sources, []);
    assert_eq!(config.advisories.interval_seconds, 6 * 3600);
    assert_eq!(config.scanners, tonnage_domain::scanning::external::ScannerSettings::default());
    assert_eq!(config.registry.quotas, tonnage_domain::quotas::Quotas::ECR);
    assert_eq!(config.registry.throttling, Throttling::Off);
    assert_eq!(config.upstreams.registries, UpstreamSettings::default());
    assert_eq!(config.upstreams.rules_per_registry, 50);
    assert_eq!(config.upstreams.validity, Validity::ECR);
    assert!(config.upstreams.whole_images);
    let none: &[(&str, &[&str])] = &[("trusted_proxy", &["none"])];
    let config = load(Given { flags: none, ..Given::default() }).unwrap();
    assert!(!config.listeners.trusted_proxies.contains("127.0.0.1".parse().unwrap()));
}

#[track_caller]
fn check_file_refused(text: &str, words: &[&str]) {
    let error = load(Given { file: Some(text), ..Given::default() }).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn a_wrong_file_is_refused_by_the_name_of_the_key() {
    check_file_refused("data_dri = \"/x\"", &["`data_dri`", "tonnage.toml", "data_dir"]);
    check_file_refused("[storage]\ndata_dir = \"/x\"", &["`storage`"]);
    check_file_refused("metadata_url = \"mysql://h/d\"", &["`metadata_url`", "postgres://"]);
    check_file_refused("event_retention = \"23h\"", &["`event_retention`", "forever", "1d"]);
    check_file_refused("tag_history_retention = \"3651d\"", &["`tag_history_retention`", "3650d"]);
    check_file_refused("data_dir = 7", &["`data_dir`", "a string"]);
    check_file_refused("data_dir = \"\"", &["`data_dir`", "empty"]);
    check_file_refused("listen = \"127.0.0.1:1\"", &["`listen`", "an array of strings"]);
    check_file_refused("listen = [1]", &["`listen`", "an array of strings"]);
    check_file_refused("listen = []", &["`listen`"]);
    check_file_refused("listen = [\"localhost:1\"]", &["`listen`", "localhost:1"]);
    check_file_refused("create_on_push = \"yes\"", &["`create_on_push`", "true or false"]);
    check_file_refused("oci_profile = \"docker\"", &["`oci_profile`", "docker", "`ecr`"]);
    check_file_refused("connections_max = 0", &["`connections_max`", "from 1"]);
    check_file_refused("connections_max = -1", &["`connections_max`"]);
    check_file_refused("connections_max = \"7\"", &["`connections_max`", "an integer"]);
    for grace in ["24", "h", "-1h", "+1h", "1.5h", "1h30m", "366d", "99999999999s", "1 h", "2w"] {
        check_file_refused(&format!("gc_grace = \"{grace}\""), &["`gc_grace`", grace, "24h"]);
    }
    for rate in ["x", "-1", "8MB", "1.5MiB", "65GiB", "99999999999GiB", "8 MiB"] {
        let text = format!("scrub_rate = \"{rate}\"");
        check_file_refused(&text, &["`scrub_rate`", rate, "8MiB"]);
    }
    for size in ["x", "-1", "500gb", "1.5GB", "1001PB", "99999999999PB", "5 GB"] {
        let text = format!("public_anonymous_bytes = \"{size}\"");
        check_file_refused(&text, &["`public_anonymous_bytes`", size, "500GB"]);
    }
    check_file_refused("public_anonymous_pulls = -1", &["`public_anonymous_pulls`"]);
    check_file_refused(
        "outbound_resolver = [\"192.0.2.53\"]",
        &["`outbound_resolver`", "192.0.2.53"],
    );
    check_file_refused("public_listen = [\"here\"]", &["`public_listen`", "here"]);
    check_file_refused(
        "listen = [\"127.0.0.1:1\"]\npublic_listen = [\"127.0.0.1:1\"]",
        &["`public_listen`", "127.0.0.1:1"],
    );
    for times in ["on", "0", "-1", "100001", "1.5"] {
        let text = format!("api_throttling = \"{times}\"");
        check_file_refused(&text, &["`api_throttling`", times, "`off`"]);
    }
    check_file_refused("gc_grace = 24", &["`gc_grace`", "a string"]);
    check_file_refused("account = \"12\"", &["`account`"]);
    check_file_refused("region = \"nowhere at all\"", &["`region`"]);
    check_file_refused("domain = \"https://x/\"", &["`domain`"]);
    check_file_refused("domain = \"a..b\"", &["`domain`"]);
    check_file_refused("outbound_network = [\"10.0.0.0\"]", &["`outbound_network`", "10.0.0.0/8"]);
    for peer in ["https://a.example", "Nowhere=https://a.example", "a/b=https://a.example"] {
        let text = format!("replication_peer = [\"{peer}\"]");
        check_file_refused(&text, &["`replication_peer`", peer, "a region"]);
    }
    let twice = "replication_peer = [\"eu-west-1=https://a\", \"eu-west-1=https://b\"]";
    check_file_refused(twice, &["`replication_peer`", "twice"]);
    for host in ["https://a.example", "a.example:1", "a..b", "*.example", ""] {
        let text = format!("upstream_token_host = [\"{host}\"]");
        check_file_refused(&text, &["`upstream_token_host`", host, "`auth.example.com`"]);
    }
    check_file_refused("tls_certificate_file = \"/a\"", &["`tls_key_file`"]);
    check_file_refused("tls_key_file = \"/a\"", &["`tls_certificate_file`"]);
    check_file_refused("trusted_proxy = [\"10.0.0.0/99\"]", &["`trusted_proxy`", "10.0.0.0/99"]);
    check_file_refused("log = \"a=b=c\"", &["`log`"]);
    check_file_refused("log_format = \"xml\"", &["`log_format`", "xml"]);
    check_file_refused("this is not toml", &["tonnage.toml", "TOML"]);
}

#[track_caller]
fn check_variable(name: &str, text: &str, refused: Option<&str>) {
    let given = Given { variables: &[(name, text)], ..Given::default() };
    match (load(given), refused) {
        (Ok(_), None) => {}
        (Err(error), Some(word)) => {
            assert!(error.to_string().contains(word), "{error} does not say {word:?}");
        }
        (Ok(_), Some(_)) => panic!("{name}={text} was accepted"),
        (Err(error), None) => panic!("{name}={text} was refused: {error}"),
    }
}

#[test]
fn a_variable_that_is_no_setting_is_refused_by_its_name() {
    check_variable("TONNAGE_DATADIR", "/x", Some("`TONNAGE_DATADIR`"));
    check_variable("TONNAGE_", "/x", Some("`TONNAGE_`"));
    check_variable("TONNAGE_LISTEN", "here", Some("`TONNAGE_LISTEN`"));
    check_variable("TONNAGE_CREATE_ON_PUSH", "maybe", Some("`TONNAGE_CREATE_ON_PUSH`"));
    check_variable("TONNAGE_CREATE_ON_PUSH", "1", None);
    for grace in ["0s", "59s", "30m", "24h", "365d"] {
        check_variable("TONNAGE_GC_GRACE", grace, None);
    }
    check_variable("TONNAGE_ROOT_KEY", &"0".repeat(64), None);
    check_variable("TONNAGEX", "/x", None);
    // Kubernetes makes these for a service of our name.
    check_variable("TONNAGE_PORT", "tcp://10.0.0.1:4510", None);
    check_variable("TONNAGE_SERVICE_HOST", "10.0.0.1", None);
    check_variable("TONNAGE_PORT_4510_TCP_ADDR", "10.0.0.1", None);
}

#[test]
fn the_root_access_key_comes_whole_and_well_formed() {
    const ID: (&str, &str) = ("TONNAGE_ROOT_ACCESS_KEY_ID", "AKIATONNAGETESTROOT1");
    const SECRET: (&str, &str) =
        ("TONNAGE_ROOT_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let load = |variables| load(Given { variables, ..Given::default() });
    assert_eq!(load(&[ID, SECRET]).unwrap().secrets.root_access_key.unwrap().id, ID.1);
    assert!(load(&[]).unwrap().secrets.root_access_key.is_none());
    assert!(load(&[ID]).unwrap_err().to_string().contains(SECRET.0));
    assert!(load(&[SECRET]).unwrap_err().to_string().contains(ID.0));
    assert!(load(&[(ID.0, "short"), SECRET]).is_err());
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let environment =
        BTreeMap::from([("TONNAGE_CONFIG".to_owned(), "/no/such/file.toml".to_owned())]);
    let error = Config::load(&Flags::new(), None, &environment).unwrap_err();
    assert!(error.to_string().contains("/no/such/file.toml"), "{error}");
}

#[track_caller]
fn check_endpoints(listen: &[&str], endpoint: &[&str], expected: Result<&[(&str, &str)], &str>) {
    let flags: &[(&str, &[&str])] = &[("listen", listen), ("endpoint", endpoint)];
    let found = load(Given { flags, ..Given::default() });
    match (found, expected) {
        (Ok(config), Ok(expected)) => {
            let found: Vec<(String, String)> = config
                .listeners
                .endpoints
                .into_iter()
                .map(|(address, endpoint)| {
                    let network = endpoint.network.unwrap_or_else(|| "-".to_owned());
                    (address.to_string(), format!("{} {network}", endpoint.name))
                })
                .collect();
            let expected: Vec<(String, String)> =
                expected.iter().map(|(a, e)| ((*a).to_owned(), (*e).to_owned())).collect();
            assert_eq!(found, expected);
        }
        (Err(error), Err(expected)) => {
            let text = format!("{error:#}");
            assert!(text.contains(expected), "{text}");
        }
        (Ok(_), Err(expected)) => panic!("{endpoint:?} should be refused: {expected}"),
        (Err(error), Ok(_)) => panic!("{endpoint:?}: {error:#}"),
    }
}

#[test]
fn endpoints_are_names_of_listeners() {
    let listen = &["127.0.0.1:1", "[::1]:2"];
    check_endpoints(
        listen,
        &["vpce-a=127.0.0.1:1", "vpce-b/vpc-c=[::1]:2"],
        Ok(&[("127.0.0.1:1", "vpce-a -"), ("[::1]:2", "vpce-b vpc-c")]),
    );
    check_endpoints(listen, &["vpce-a=127.0.0.1:3"], Err("which `listen` does not"));
    check_endpoints(listen, &["a=127.0.0.1:1", "b=127.0.0.1:1"], Err("twice"));
    for text in ["127.0.0.1:1", "=127.0.0.1:1", "a/=127.0.0.1:1", "a b=127.0.0.1:1", "a=here"] {
        check_endpoints(listen, &[text], Err("is not an endpoint"));
    }
}

#[test]
fn scanners_are_named_before_they_are_chosen() {
    check_file_refused("scanner = [\"name=a\"]", &["`scanner`", "url is missing"]);
    check_file_refused("scanner_for = [\"*=a\"]", &["`scanner_for`", "no scanner named a"]);
    check_file_refused("scanner_for = [\"a\"]", &["`scanner_for`", "is not a registry"]);
}

#[test]
fn sources_of_advisories_have_names_of_their_own() {
    let one = "name=a,kind=osv,location=/a";
    check_file_refused("advisory_source = [\"name=a\"]", &["`advisory_source`", "kind is missing"]);
    let twice = format!("advisory_source = [\"{one}\", \"{one}\"]");
    check_file_refused(&twice, &["`advisory_source`", "the name a twice"]);
    check_file_refused("advisory_interval = \"9m\"", &["`advisory_interval`", "10 minutes"]);
}

#[test]
fn upstreams_are_hosts_and_where_they_are() {
    let ecr = "123456789012.dkr.ecr.eu-west-1.registry.example";
    let rows: &[(&str, &[&str], Option<&str>)] = &[
        ("upstream_registry", &["harbor.example.com"], None),
        ("upstream_registry", &["https://harbor.example.com"], Some("is not a host")),
        ("upstream_registry", &["harbor.example.com/library"], Some("is not a host")),
        ("upstream_registry", &["a.example", "A.example"], Some("twice")),
        ("upstream_registry", &["a.example=a.example"], Some("is not the URL")),
        ("upstream_location", &["quay=http://127.0.0.1:5000"], None),
        ("upstream_location", &["quay.io=http://127.0.0.1:5000"], None),
        ("upstream_location", &["mine.azurecr.io=http://127.0.0.1:5000"], None),
        ("upstream_location", &[&format!("{ecr}=http://127.0.0.1:5000")], None),
        ("upstream_location", &["quay"], Some("is not a registry with a URL")),
        ("upstream_location", &["quay=127.0.0.1:5000"], Some("is not the URL")),
        ("upstream_location", &["quay=ftp://127.0.0.1"], Some("is not the URL")),
        ("upstream_location", &["quay=http://u:p@127.0.0.1"], Some("is not the URL")),
        ("upstream_location", &["quay=http://127.0.0.1/v2"], Some("is not the URL")),
        ("upstream_location", &["quay=http://127.0.0.1?a=b"], Some("is not the URL")),
        ("upstream_location", &["quay=http://a", "quay=http://b"], Some("twice")),
        ("upstream_location", &["ecr=http://127.0.0.1:5000"], Some("many hosts")),
        ("upstream_location", &["gcr.io=http://127.0.0.1:5000"], Some("`upstream_registry`")),
        ("upstream_location", &["a b=http://127.0.0.1:5000"], Some("neither")),
    ];
    for &(key, texts, refused) in rows {
        let flags: &[(&str, &[&str])] = &[(key, texts)];
        let found =
            load(Given { flags, ..Given::default() }).err().map(|error| format!("{error:#}"));
        match (&found, refused) {
            (None, None) => {}
            (Some(error), Some(words)) => assert!(error.contains(words), "{texts:?}: {error}"),
            _ => panic!("{key} {texts:?}: {found:?}"),
        }
    }
}
