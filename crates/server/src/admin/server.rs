//! The server's side of the socket.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tonnage_domain::accounts::{self, CreateAccount, ListAccounts, SetAccountState};
use tonnage_domain::app::App;
use tonnage_domain::clock::Millis;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::execute;
use tonnage_domain::gc::operations::{DescribeGarbageCollection, RunGarbageCollection};
use tonnage_domain::names::AccountId;
use tonnage_domain::policies::account_limit::{
    DeleteAccountLimit, GetAccountLimit, PutAccountLimit,
};
use tonnage_domain::policies::explain::ExplainPolicy;
use tonnage_domain::root_key::RootKey;
use tonnage_domain::scrub::operations::{DescribeScrub, StartScrub};
use tonnage_domain::{gc, scrub};

use super::backups::Backups;
use super::{
    Account, AccountLimit, Accounts, BODY_BYTES_MAX, CreatedAccount, ExplainRequest, Explained,
    Garbage, GarbageCollected, GarbageCollection, NewAccount, NewBackup, Refusal, Scrub, ScrubPass,
    with_short_path,
};
use crate::data_directory::runtime::Runtime;
use crate::data_directory::{Layout, remove};
use crate::serve::Lifecycle;

/// Connections at a time; one more waits.
const CONNECTIONS_MAX: usize = 32;
/// How long a client may take to send a request.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Tries to find an account id that nobody has: of 10^12 there are at most 10^4 in use.
const ID_TRIES: usize = 5;

pub(super) struct Admin {
    pub(super) app: Arc<App>,
    runtime: Runtime,
    backups: Backups,
}

/// Listens until the server stops.
///
/// # Errors
/// When the socket cannot be made.
pub(crate) fn start(
    layout: &Layout,
    app: &Arc<App>,
    runtime: &Runtime,
    lifecycle: &Lifecycle,
) -> Result<()> {
    let path = layout.admin_socket();
    // The directory is locked, so what is there was left by a process that is gone. The umask of
    // the process makes the new socket its owner's.
    let listener = remove(&path)
        .and_then(|()| with_short_path(&path, |path| UnixListener::bind(path)))
        .with_context(|| format!("the admin socket {} cannot be made", path.display()))?;
    let admin = Arc::new(Admin {
        app: Arc::clone(app),
        runtime: runtime.clone(),
        backups: Backups::new(lifecycle.clone()),
    });
    lifecycle.background.spawn(accept(listener, admin, lifecycle.clone()));
    Ok(())
}

async fn accept(listener: UnixListener, admin: Arc<Admin>, lifecycle: Lifecycle) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = lifecycle.stopping.cancelled() => return,
            accepted = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, listener.accept().await)
            } => accepted,
        };
        let (slot, stream) = match accepted {
            (Ok(slot), Ok((stream, _))) => (slot, stream),
            (Err(_), _) => return,
            (_, Err(error)) => {
                tracing::error!(%error, "the admin socket does not accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = serve(stream, Arc::clone(&admin), lifecycle.clone());
        lifecycle.work.spawn(async move {
            connection.await;
            drop(slot);
        });
    }
}

async fn serve(stream: UnixStream, admin: Arc<Admin>, lifecycle: Lifecycle) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stopping = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection to the admin socket broke");
                }
                return;
            }
            () = lifecycle.stopping.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = lifecycle.cutting.cancelled() => return,
        }
    }
}

pub(super) type Answer = http::Response<Full<Bytes>>;

impl Admin {
    async fn answer(&self, request: http::Request<Incoming>) -> Answer {
        match self.route(request).await {
            Ok(answer) => answer,
            Err(error) => {
                if error.is_fault() {
                    tracing::error!(
                        error = tonnage_domain::error::chain(&error),
                        "a request to the admin socket failed"
                    );
                }
                json(status_of(error.kind()), &Refusal { message: error.message().to_owned() })
            }
        }
    }

    async fn route(&self, request: http::Request<Incoming>) -> Result<Answer, Error> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let method = request.method().clone();
        match (&method, segments.as_slice()) {
            (&Method::GET, ["status"]) => Ok(json(StatusCode::OK, &self.runtime)),
            (&Method::GET, ["accounts"]) => self.list_accounts().await,
            (&Method::POST, ["accounts"]) => {
                self.create_account(read(request, "an account").await?).await
            }
            (&Method::GET, ["accounts", id, "limit"]) => self.get_limit(id).await,
            (&Method::PUT, ["accounts", id, "limit"]) => {
                let id = parse_id(id)?;
                self.put_limit(id, read(request, "a limit").await?).await
            }
            (&Method::DELETE, ["accounts", id, "limit"]) => self.delete_limit(id).await,
            (&Method::POST, ["policies", "explain"]) => {
                self.explain(read(request, "a question").await?).await
            }
            (&Method::GET, ["backups"]) => Ok(json(StatusCode::OK, &self.backups.latest()?)),
            (&Method::POST, ["backups"]) => {
                let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
                let body = body.map_err(|_| malformed("a body of at most 4 MiB"))?.to_bytes();
                let new: NewBackup = serde_json::from_slice(&body)
                    .map_err(|error| malformed("a backup").caused_by(error))?;
                let context = self.context().await?;
                let begun = self.backups.begin(Arc::clone(&self.app), context, new).await?;
                Ok(json(StatusCode::ACCEPTED, &begun))
            }
            (&Method::GET, ["gc"]) => self.describe_garbage_collection().await,
            (&Method::POST, ["gc", "run"]) => self.run_garbage_collection().await,
            (&Method::PUT, ["repositories", "sparse-manifests"]) => {
                self.put_sparse_manifests(read(request, "a repository").await?).await
            }
            (&Method::GET, ["repositories", "tag-history"]) => self.list_tag_history(&query).await,
            (&Method::POST, ["repositories", "sbom"]) => {
                self.get_sbom(read(request, "an image and a format").await?).await
            }
            (&Method::POST, ["repositories", "rename"]) => {
                self.rename_repository(read(request, "a repository and its new name").await?).await
            }
            (&Method::POST, ["images", "sbom", "attach"]) => {
                self.attach_sbom(read(request, "an image and a format").await?).await
            }
            (&Method::POST, ["images", "sbom", "on-push"]) => {
                self.get_sboms_on_push(read(request, "a registry").await?).await
            }
            (&Method::PUT, ["images", "sbom", "on-push"]) => {
                self.put_sboms_on_push(read(request, "formats and filters").await?).await
            }
            (&Method::POST, ["vex", verb @ ("put" | "get" | "list" | "delete")]) => {
                self.vex(verb, read(request, "a VEX document").await?).await
            }
            (&Method::POST, ["images", "findings"]) => {
                self.finding_origins(read(request, "an image").await?).await
            }
            (&Method::POST, ["images", "find"]) => {
                self.find_images(read(request, "what to look for").await?).await
            }
            (&Method::POST, ["pull-through", "refresh"]) => {
                self.refresh_cache(read(request, "what to refresh").await?).await
            }
            (&Method::GET, ["replication"]) => self.describe_replication(&query).await,
            (&Method::GET, ["replication", "images"]) => self.list_replications(&query).await,
            (&Method::GET, ["replication", "refinements"]) => self.get_refinements(&query).await,
            (&Method::PUT, ["replication", "refinements"]) => {
                self.put_refinement(read(request, "a refinement").await?).await
            }
            (&Method::POST, ["replication", "retry"]) => {
                self.retry_replication(read(request, "what to retry").await?).await
            }
            (&Method::POST, ["image-shares"]) => {
                self.create_image_share(read(request, "what to share").await?).await
            }
            (&Method::POST, ["image-shares", "list"]) => {
                self.list_image_shares(read(request, "a repository").await?).await
            }
            (&Method::POST, ["image-shares", "revoke"]) => {
                self.revoke_image_share(read(request, "a share").await?).await
            }
            (&Method::GET, ["public", "aliases"]) => self.list_public_aliases(&query).await,
            (
                &Method::POST,
                [
                    "public",
                    account,
                    "aliases",
                    name,
                    verb @ ("request" | "approve" | "reject" | "primary"),
                ],
            ) => self.change_public_alias(account, name, verb).await,
            (&Method::GET, ["public", account, "pulls"]) => {
                self.get_pull_statistics(account, &query).await
            }
            (&Method::GET, ["public", account, "domains"]) => {
                self.list_public_domains(account).await
            }
            (&Method::PUT, ["public", account, "domains", domain]) => {
                self.prove_public_domain(account, domain).await
            }
            (&Method::DELETE, ["public", account, "domains", domain]) => {
                self.remove_public_domain(account, domain).await
            }
            (
                &Method::POST,
                ["public", account, "domains", domain, verb @ ("revoke" | "allow")],
            ) => self.decide_public_domain(account, domain, *verb == "allow").await,
            (&Method::GET, ["public", account, "settings"]) => {
                self.get_public_settings(account, &query).await
            }
            (&Method::PUT, ["public", account, "settings"]) => {
                self.put_public_settings(account, read(request, "settings").await?).await
            }
            (&Method::PUT, ["public", account, "verification"]) => {
                self.verify_public_registry(account, true).await
            }
            (&Method::DELETE, ["public", account, "verification"]) => {
                self.verify_public_registry(account, false).await
            }
            (&Method::GET, ["scrub"]) => self.describe_scrub().await,
            (&Method::POST, ["scrub", "start"]) => self.start_scrub().await,
            (&Method::GET, ["advisories"]) => self.list_advisory_sources().await,
            (&Method::POST, ["advisories", "sync"]) => {
                self.sync_advisories(read(request, "what to read").await?).await
            }
            (&Method::GET, ["events"]) => self.list_events(&query).await,
            (&Method::GET, ["scanners"]) => self.list_scanners().await,
            (&Method::POST, ["scanners", name, "test"]) => self.test_scanner(name).await,
            (&Method::GET, ["jobs"]) => self.list_jobs(&query).await,
            (&Method::GET, ["jobs", id]) => self.describe_job(id).await,
            (&Method::POST, ["jobs", id, "cancel"]) => self.cancel_job(id).await,
            (&Method::POST, ["jobs", id, "retry"]) => self.retry_job(id).await,
            (&Method::POST, ["accounts", id, "suspend"]) => self.set_state(id, false).await,
            (&Method::POST, ["accounts", id, "resume"]) => self.set_state(id, true).await,
            _ => Ok(json(
                StatusCode::NOT_FOUND,
                &Refusal { message: format!("The admin socket has no {method} {path}.") },
            )),
        }
    }

    pub(super) async fn context(&self) -> Result<RequestContext, Error> {
        let principal = accounts::management_root(&self.app).await?;
        Ok(RequestContext {
            account: principal.account,
            principal,
            region: self.app.default_region.clone(),
            source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            // Nobody can listen in on a socket of this machine.
            secure_transport: true,
            endpoint: None,
            user_agent: format!("tonnage/{}", env!("CARGO_PKG_VERSION")),
            referer: String::new(),
            input: None,
            request_id: uuid::Uuid::new_v4().to_string(),
            now: self.app.clock.now(),
        })
    }

    async fn list_accounts(&self) -> Result<Answer, Error> {
        let operation = ListAccounts { management_account: self.app.management_account };
        let listed = execute(&self.app, &self.context().await?, operation).await?;
        let accounts = listed.into_iter().map(shown).collect();
        Ok(json(StatusCode::OK, &Accounts { accounts }))
    }

    async fn create_account(&self, new: NewAccount) -> Result<Answer, Error> {
        let context = self.context().await?;
        let given = new.id.as_deref().map(parse_id).transpose()?;
        let mut tries = 0;
        loop {
            tries += 1;
            let id = match &given {
                Some(id) => *id,
                None => random_id()?,
            };
            let name = new.name.clone().unwrap_or_else(|| id.to_string());
            let management_account = self.app.management_account;
            let operation = CreateAccount { management_account, id, name };
            match execute(&self.app, &context, operation).await {
                Ok((account, key)) => {
                    let created = CreatedAccount {
                        account: shown(account),
                        access_key_id: key.id,
                        secret_access_key: key.secret.expose_secret().to_owned(),
                    };
                    return Ok(json(StatusCode::CREATED, &created));
                }
                Err(error)
                    if error.kind() == ErrorKind::AccountAlreadyExists
                        && given.is_none()
                        && tries < ID_TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn get_limit(&self, id: &str) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = GetAccountLimit { management_account, account: parse_id(id)? };
        let document = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &AccountLimit { document }))
    }

    async fn put_limit(&self, account: AccountId, limit: AccountLimit) -> Result<Answer, Error> {
        let text = limit.document.ok_or_else(|| malformed("the document of a limit"))?;
        let management_account = self.app.management_account;
        let operation = PutAccountLimit { management_account, account, text };
        execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &serde_json::json!({})))
    }

    async fn delete_limit(&self, id: &str) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = DeleteAccountLimit { management_account, account: parse_id(id)? };
        execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &serde_json::json!({})))
    }

    async fn explain(&self, question: ExplainRequest) -> Result<Answer, Error> {
        let ExplainRequest { principal, action, resource, keys } = question;
        let management_account = self.app.management_account;
        let operation = ExplainPolicy { management_account, principal, action, resource, keys };
        let answer = execute(&self.app, &self.context().await?, operation).await?;
        let explained = Explained {
            allowed: answer.allowed,
            because: answer.because,
            told: answer.told,
            considered: answer.considered,
            passed_over: answer.passed_over,
            keys: answer.keys,
        };
        Ok(json(StatusCode::OK, &explained))
    }

    async fn describe_garbage_collection(&self) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = DescribeGarbageCollection { management_account };
        let (status, plan) = execute(&self.app, &self.context().await?, operation).await?;
        let described = GarbageCollection {
            grace_seconds: status.grace_seconds,
            last_sweep_at: status.last_sweep_at.map(|at| at.timestamp().to_string()),
            candidates: status.candidates,
            more_candidates: status.candidates >= gc::Status::CANDIDATES_MAX,
            removed_blobs: status.removed_blobs,
            reclaimed_bytes: status.reclaimed_bytes,
            plan: garbage(plan.removes),
            plan_complete: plan.complete,
        };
        Ok(json(StatusCode::OK, &described))
    }

    async fn run_garbage_collection(&self) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = RunGarbageCollection { management_account };
        let output = execute(&self.app, &self.context().await?, operation).await?;
        let collected = GarbageCollected { removed: garbage(output.swept), more: output.more };
        Ok(json(StatusCode::OK, &collected))
    }

    async fn describe_scrub(&self) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = DescribeScrub { management_account };
        let status = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &scrub_status(status)))
    }

    async fn start_scrub(&self) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = StartScrub { management_account };
        let status = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &scrub_status(status)))
    }

    async fn set_state(&self, id: &str, active: bool) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = SetAccountState { management_account, id: parse_id(id)?, active };
        execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &serde_json::json!({})))
    }
}

fn garbage(swept: gc::Swept) -> Garbage {
    Garbage {
        expired_uploads: swept.expired_uploads,
        repository_blobs: swept.edges,
        blobs: swept.blobs,
        bytes: swept.bytes,
        objects: swept.objects,
        access_records: swept.access_records,
    }
}

fn scrub_status(status: scrub::Status) -> Scrub {
    let time = |at: Millis| at.timestamp().to_string();
    let pass = |pass: scrub::Pass| ScrubPass {
        started_at: pass.started_at.map(time),
        ended_at: pass.ended_at.map(time),
        checked: pass.checked,
        bytes: pass.bytes,
        damaged: pass.damaged,
        unreadable: pass.unreadable,
    };
    Scrub {
        bytes_per_second: status.bytes_per_second,
        running: status.running.map(pass),
        last: status.last.map(pass),
        next_pass_at: time(status.next_pass_at),
        damaged: status.damaged,
        damaged_omitted: status.damaged_omitted,
    }
}

pub(super) fn parse_id(text: &str) -> Result<AccountId, Error> {
    AccountId::parse(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidParameter,
            format!("{text:?} is no account id, which has 12 digits."),
        )
    })
}

fn random_id() -> Result<AccountId, Error> {
    const IDS: u64 = 1_000_000_000_000;
    let id = u64::from_le_bytes(RootKey::random()?) % IDS;
    AccountId::parse(&format!("{id:012}")).map_err(Error::internal)
}

async fn read<T: DeserializeOwned>(
    request: http::Request<Incoming>,
    wanted: &str,
) -> Result<T, Error> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|_| malformed("a body of at most 4 MiB"))?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| malformed(wanted).caused_by(error))
}

pub(super) fn malformed(wanted: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("The request does not hold {wanted}."))
}

fn shown(account: accounts::Account) -> Account {
    Account {
        id: account.id.to_string(),
        name: account.name,
        state: if account.active { "ACTIVE" } else { "SUSPENDED" }.to_owned(),
        created_at: account.created_at.timestamp().to_string(),
    }
}

/// The operations here fail in few ways; what else there is would be a defect.
fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidParameter | ErrorKind::LimitExceeded => StatusCode::BAD_REQUEST,
        ErrorKind::AccountAlreadyExists | ErrorKind::RepositoryAlreadyExists => {
            StatusCode::CONFLICT
        }
        ErrorKind::AccountNotFound
        | ErrorKind::JobNotFound
        | ErrorKind::ImageNotFound
        | ErrorKind::NoSuchEntity
        | ErrorKind::RegistryNotFound
        | ErrorKind::RepositoryNotFound
        | ErrorKind::ScanNotFound => StatusCode::NOT_FOUND,
        ErrorKind::AccessDenied => StatusCode::FORBIDDEN,
        ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // Serialising these shapes cannot fail; an empty body would be noticed at once.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = http::Response::new(Full::new(Bytes::from(bytes)));
    *answer.status_mut() = status;
    let value = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, value);
    answer
}
