//! Domains that are proven by a file, as long as it is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tonnage_domain::context::Principal;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::gallery::index;
use tonnage_domain::gallery::search::SearchGallery;
use tonnage_domain::gallery::view_publisher::ViewPublisher;
use tonnage_domain::identities::web_identity::Documents;
use tonnage_domain::names::AccountId;
use tonnage_domain::public::domains::operations::{
    DecidePublicDomain, ListPublicDomains, ProvePublicDomain, RemovePublicDomain,
};
use tonnage_domain::public::domains::{DOMAINS_MAX, DomainName, DomainProof, DomainStatus};
use tonnage_domain::public::registries::DescribeRegistries;

use super::permissions::other_root;
use super::{OTHER, asking, push, run};
use crate::lifecycle::drain;
use crate::registry::{ACCOUNT, Registry, check_kind, page};

const DAY: i64 = 24 * 3600;

/// Servers of domains.
#[derive(Default)]
struct Files(Mutex<HashMap<String, String>>);

impl Files {
    fn serve(&self, proof: &DomainProof, content: &str) {
        self.0.lock().unwrap().insert(proof.domain.file(), content.to_owned());
    }

    /// As the DNS has it.
    fn record(&self, proof: &DomainProof, text: &str) {
        self.0.lock().unwrap().insert(proof.domain.record(), text.to_owned());
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl Documents for Files {
    fn get<'a>(&'a self, url: &'a str, _bytes_max: usize) -> BoxFuture<'a, Result<Bytes, String>> {
        let found = self.0.lock().unwrap().get(url).cloned();
        Box::pin(async move { found.map(Bytes::from).ok_or_else(|| "Nobody is there.".to_owned()) })
    }

    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, String>> {
        let found = self.0.lock().unwrap().get(name).cloned();
        let texts = vec![b"v=spf1 -all".to_vec(), found.unwrap_or_default().into_bytes()];
        Box::pin(async move { Ok(texts) })
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        _form: SecretString,
        _authorization: Option<SecretString>,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Bytes, String>> {
        self.get(url, bytes_max)
    }
}

fn domain(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

async fn prove(registry: &Registry, name: &str) -> DomainProof {
    run(registry, ProvePublicDomain { domain: domain(name) }).await.unwrap()
}

async fn status(registry: &Registry) -> DomainStatus {
    run(registry, ListPublicDomains).await.unwrap()[0].status
}

/// The domain that everybody is shown, once the gallery has followed.
async fn shown(registry: &Registry) -> Option<String> {
    index::update(&registry.app).await.unwrap();
    let anonymous = Principal::anonymous(AccountId::parse(ACCOUNT).unwrap());
    let view = ViewPublisher { page: page(None, 10) };
    let view = registry.run_in(&asking(registry, &anonymous, ACCOUNT), view).await.unwrap();
    let search = SearchGallery { verified: true, limit: 10, ..SearchGallery::default() };
    let found = run(registry, search).await.unwrap().items.len();
    let told = run(registry, DescribeRegistries).await.unwrap().verified;
    assert_eq!((view.publisher.verified, found > 0), (told, told));
    view.publisher.domain.map(|domain| domain.to_string())
}

#[tokio::test]
async fn a_domain_is_shown_while_its_file_is_there() {
    let mut registry = Registry::new().await;
    let files = Arc::new(Files::default());
    registry.app_mut().set_documents(files.clone());
    push(&registry, "app").await;
    let proof = prove(&registry, "Harbour.Example").await;
    assert_eq!(proof.domain.as_str(), "harbour.example");
    drain(&registry).await;
    let [pending] = &run(&registry, ListPublicDomains).await.unwrap()[..] else { panic!() };
    let nowhere =
        format!("Nobody is there. _tonnage.harbour.example has no text record {}.", proof.text());
    assert_eq!((pending.status, &pending.problem), (DomainStatus::Pending, &nowhere));
    assert_eq!(shown(&registry).await, None);

    // Whoever asks again at once waits a minute; the line is the same.
    for content in ["tonnage-challenge=1", &format!("x{}", proof.line())] {
        files.serve(&proof, content);
        registry.clock.advance_seconds(3600);
        drain(&registry).await;
        assert_eq!(status(&registry).await, DomainStatus::Pending, "{content}");
    }
    files.serve(&proof, &format!("tonnage-challenge=1\r\n {} \r\n", proof.line()));
    assert_eq!(prove(&registry, "harbour.example").await.line(), proof.line());
    drain(&registry).await;
    assert_eq!(status(&registry).await, DomainStatus::Pending);
    registry.clock.advance_seconds(60);
    drain(&registry).await;
    assert_eq!(shown(&registry).await.as_deref(), Some("harbour.example"));

    // It is looked for every day; it may be away for three.
    files.clear();
    registry.clock.advance_seconds(DAY);
    drain(&registry).await;
    assert_eq!(shown(&registry).await.as_deref(), Some("harbour.example"));
    assert_eq!(run(&registry, ListPublicDomains).await.unwrap()[0].problem, nowhere);
    registry.clock.advance_seconds(2 * DAY + 1);
    drain(&registry).await;
    assert_eq!(shown(&registry).await, None);
    files.serve(&proof, &proof.line());
    registry.clock.advance_seconds(3600);
    drain(&registry).await;
    assert_eq!(shown(&registry).await.as_deref(), Some("harbour.example"));

    // A text record does as well as the file.
    files.clear();
    registry.clock.advance_seconds(4 * DAY);
    drain(&registry).await;
    assert_eq!(shown(&registry).await, None);
    for (text, expected) in [(proof.line(), None), (proof.text(), Some("harbour.example"))] {
        files.record(&proof, &text);
        registry.clock.advance_seconds(3600);
        drain(&registry).await;
        assert_eq!(shown(&registry).await.as_deref(), expected, "{text}");
    }

    // The operator is stronger.
    let management_account = registry.app.management_account;
    let decide = async |name: &str, allowed| {
        let (account, domain) = (AccountId::parse(ACCOUNT).unwrap(), domain(name));
        let decide = DecidePublicDomain { management_account, account, domain, allowed };
        registry.run(decide).await
    };
    decide("harbour.example", false).await.unwrap();
    registry.clock.advance_seconds(DAY);
    drain(&registry).await;
    assert_eq!(shown(&registry).await, None);
    let again = ProvePublicDomain { domain: domain("harbour.example") };
    check_kind(run(&registry, again).await, ErrorKind::InvalidParameter);
    let remove = || RemovePublicDomain { domain: domain("harbour.example") };
    check_kind(run(&registry, remove()).await, ErrorKind::InvalidParameter);
    check_kind(decide("absent.example", false).await, ErrorKind::RegistryNotFound);
    decide("harbour.example", true).await.unwrap();
    drain(&registry).await;
    assert_eq!(shown(&registry).await.as_deref(), Some("harbour.example"));
    run(&registry, remove()).await.unwrap();
    assert_eq!(shown(&registry).await, None);
    registry.clock.advance_seconds(DAY);
    drain(&registry).await;
    assert!(run(&registry, ListPublicDomains).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_looks_like_anothers_is_not_proven_and_there_is_an_end() {
    let mut registry = Registry::new().await;
    let files = Arc::new(Files::default());
    registry.app_mut().set_documents(files.clone());
    let other = other_root(&registry).await;
    let genuine = ProvePublicDomain { domain: domain("paypal.example") };
    let genuine = registry.run_in(&asking(&registry, &other, OTHER), genuine).await.unwrap();
    files.serve(&genuine, &genuine.line());
    drain(&registry).await;
    let lookalike = prove(&registry, "paypa1.example").await;
    files.serve(&lookalike, &lookalike.line());
    drain(&registry).await;
    let [proof] = &run(&registry, ListPublicDomains).await.unwrap()[..] else { panic!() };
    assert_eq!(proof.status, DomainStatus::Pending);
    assert!(proof.problem.contains("paypal.example"), "{}", proof.problem);

    for number in 1..DOMAINS_MAX {
        prove(&registry, &format!("a{number}.example")).await;
    }
    let one_more = ProvePublicDomain { domain: domain("more.example") };
    check_kind(run(&registry, one_more).await, ErrorKind::LimitExceeded);
    // Nobody is asked for ever.
    registry.clock.advance_seconds(8 * DAY);
    drain(&registry).await;
    registry.clock.advance_seconds(DAY);
    files.clear();
    assert!(drain(&registry).await <= 60);
    let waiting = registry
        .rows("SELECT job_key FROM jobs WHERE kind = 'check-public-domain' AND state = 'WAITING' AND job_key LIKE '%a1.example'")
        .await;
    assert!(waiting.is_empty(), "{waiting:?}");
}
