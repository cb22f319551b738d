//! The one way to run an operation.
//!
//! Every operation is a type in its feature folder. [`execute`] computes what it demands, asks the
//! throttle and the authorizer, runs it with the permit it got, and logs the outcome. Nothing else calls
//! [`Operation::run`].

use std::future::Future;
use std::sync::Arc;

use crate::app::App;
use crate::audit;
use crate::authorize::{self, Permit};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::identities::entities::EntityKind;
use crate::image_shares;
use crate::jobs;
use crate::metadata::{Metadata, MetadataError, MetadataErrorKind, Mode, Row, Transaction, Value};
use crate::names::{AccountId, Arn, Partition, Region, RepositoryName};
use crate::secrets::SecretId;

/// Which API an operation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// AWS CloudTrail, as far as it tells of what was done.
    CloudTrail,
    /// Amazon ECR private, AWS JSON and its Docker endpoint.
    Ecr,
    /// Amazon ECR Public, AWS JSON and its Docker endpoint.
    EcrPublic,
    /// AWS IAM.
    Iam,
    /// Amazon Inspector, as far as it tells of container images.
    Inspector2,
    /// AWS Secrets Manager.
    SecretsManager,
    /// AWS Signer.
    Signer,
    /// AWS STS.
    Sts,
    /// Our own API.
    Tonnage,
}

impl Service {
    /// The prefix of its actions, and its name in a SigV4 scope.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::Ecr => "ecr",
            Self::EcrPublic => "ecr-public",
            Self::Iam => "iam",
            Self::Inspector2 => "inspector2",
            Self::SecretsManager => "secretsmanager",
            Self::Signer => "signer",
            Self::Sts => "sts",
            Self::Tonnage => "tonnage",
        }
    }

    /// The name of the operation that an action of this service is for: what follows the colon.
    ///
    /// # Panics
    /// When the action is not of this service; in a constant, that is an error of compilation.
    pub(crate) const fn name_in(self, action: &'static str) -> &'static str {
        let prefix = match self {
            Self::CloudTrail => "cloudtrail:",
            Self::Iam => "iam:",
            Self::Inspector2 => "inspector2:",
            Self::Ecr => "ecr:",
            Self::SecretsManager => "secretsmanager:",
            Self::EcrPublic => "ecr-public:",
            Self::Signer => "signer:",
            Self::Sts => "sts:",
            Self::Tonnage => "tonnage:",
        };
        let (found, name) = action.split_at(prefix.len());
        let (found, prefix) = (found.as_bytes(), prefix.as_bytes());
        let mut index = 0;
        while index < prefix.len() {
            assert!(found[index] == prefix[index], "an action of another service");
            index += 1;
        }
        name
    }
}

/// What the table of operations says of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The API it belongs to.
    pub service: Service,
    /// Its name: the AWS name where it has one.
    pub name: &'static str,
}

impl Entry {
    /// The entry of the operation of ECR Public that does the same in public registries.
    pub(crate) const fn of_public(self) -> Self {
        Self { service: Service::EcrPublic, ..self }
    }

    /// The entry of the operation as a request asks for it.
    fn asked_by(self, context: &RequestContext) -> Self {
        match self.service {
            Service::Ecr if context.region.is_global() => self.of_public(),
            _ => self,
        }
    }
}

/// An action that private and public registries have, each in its own service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegistryAction {
    pub(crate) private: &'static str,
    pub(crate) public: &'static str,
}

impl RegistryAction {
    /// As it is called where a registry is.
    pub(crate) fn at(self, region: &Region) -> &'static str {
        if region.is_global() { self.public } else { self.private }
    }
}

/// An action that only private registries have.
impl From<&'static str> for RegistryAction {
    fn from(action: &'static str) -> Self {
        Self { private: action, public: action }
    }
}

/// The [`RegistryAction`] of a name that is the same in both services.
macro_rules! registry_action {
    ($name:literal) => {
        $crate::execute::RegistryAction {
            private: concat!("ecr:", $name),
            public: concat!("ecr-public:", $name),
        }
    };
}
pub(crate) use registry_action;

/// What is acted upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The account or the registry as a whole: `*`.
    Any,
    /// One repository, whether it exists or not.
    Repository {
        /// The registry's account.
        account: AccountId,
        /// The registry's region.
        region: Region,
        /// The name.
        name: RepositoryName,
    },
    /// All repositories of a registry, as a listing shows them.
    Repositories {
        /// The registry's account.
        account: AccountId,
        /// The registry's region.
        region: Region,
    },
    /// What IAM names in an account, whether it exists or not.
    Entity {
        /// The partition of its ARN.
        partition: Partition,
        /// The account.
        account: AccountId,
        /// What it is.
        kind: EntityKind,
        /// Its path; when absent, that of the stored entity of this name.
        path: Option<String>,
        /// Its name.
        name: String,
    },
    /// Any ARN of IAM or STS.
    Arn {
        /// The ARN as it was given.
        arn: String,
        /// The account that owns it.
        account: AccountId,
    },
    /// One secret, whether it exists or not.
    Secret {
        /// What names it.
        id: SecretId,
        /// Its ARN, where it is known that it exists.
        arn: Option<String>,
    },
    /// The caller itself: what AWS lets everybody do, whatever their policies say.
    Caller,
    /// The deployment itself, which belongs to the management account.
    Deployment {
        /// The management account.
        account: AccountId,
    },
}

impl Resource {
    /// The ARN as policies match it.
    pub fn arn(&self) -> String {
        match self {
            Self::Any | Self::Caller => "*".to_owned(),
            Self::Entity { partition, account, kind, path, name } => {
                kind.arn(*partition, account, path.as_deref().unwrap_or("/"), name)
            }
            Self::Arn { arn, .. } => arn.clone(),
            Self::Secret { id, arn } => arn.clone().unwrap_or_else(|| id.pattern()),
            Self::Repository { account, region, name } => {
                Arn::repository(Partition::of(region), region, account, name).to_string()
            }
            Self::Repositories { account, region } if region.is_global() => {
                format!("arn:aws:ecr-public::{account}:repository/*")
            }
            Self::Repositories { account, region } => {
                format!(
                    "arn:{}:ecr:{region}:{account}:repository/*",
                    Partition::of(region).as_str()
                )
            }
            Self::Deployment { account } => format!("arn:aws:tonnage::{account}:deployment"),
        }
    }

    /// The account that owns the resource, where it has one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Any | Self::Caller => None,
            Self::Repository { account, .. }
            | Self::Repositories { account, .. }
            | Self::Entity { account, .. }
            | Self::Arn { account, .. }
            | Self::Deployment { account } => Some(account),
            Self::Secret { id, .. } => Some(id.account()),
        }
    }
}

/// One thing an operation needs to be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The IAM action, with its service prefix.
    pub action: &'static str,
    /// What it acts on.
    pub resource: Resource,
    /// Condition keys that come from the input, beside the global ones.
    pub keys: Vec<(String, Vec<String>)>,
    /// A demand that is not required is decided too, and the operation asks the permit for it.
    pub required: bool,
}

impl Demand {
    /// A required demand without condition keys of its own.
    pub fn new(action: &'static str, resource: Resource) -> Self {
        Self { action, resource, keys: Vec::new(), required: true }
    }

    /// Adds a condition key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>, values: Vec<String>) -> Self {
        self.keys.push((key.into(), values));
        self
    }

    /// The same demand, but the operation can do without it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

/// An operation of the registry: its input, without any wire shape.
pub trait Operation: Send + Sized {
    /// Its line in the table of operations.
    const ENTRY: Entry;
    /// What it gives back.
    type Output: Send;

    /// What it needs to be allowed to do: at least one demand.
    fn demands(&self, context: &RequestContext) -> Vec<Demand>;

    /// What of an image it reads, which somebody with a share may; nothing for what they never may.
    fn shared_part(&self) -> Option<image_shares::Part<'_>> {
        None
    }

    /// Does it. Only [`execute`] calls this.
    ///
    /// # Errors
    /// As its feature folder says.
    fn run(self, call: Call<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// Runs `operation` if policies allow everything it demands.
///
/// # Errors
/// [`ErrorKind::AccessDenied`] without any hint whether the resource exists, or what the operation
/// itself says.
pub async fn execute<O: Operation>(
    app: &App,
    context: &RequestContext,
    operation: O,
) -> Result<O::Output> {
    let started = std::time::Instant::now();
    let demands: Arc<[Demand]> = operation.demands(context).into();
    let entry = O::ENTRY.asked_by(context);
    let result = match app.throttle.admit(app.settings.throttling, entry, context) {
        Ok(()) => decide_and_run(app, context, &demands, (entry, operation)).await,
        Err(throttled) => Err(throttled),
    };
    app.metrics.record_operation(entry, result.as_ref().err().map(Error::kind), started.elapsed());
    audit::log(context, entry, &demands, result.as_ref().err());
    if let Err(error) = &result
        && error.kind() == ErrorKind::AccessDenied
    {
        audit::note_denial(app, context, entry, &demands, error);
    }
    result
}

async fn decide_and_run<O: Operation>(
    app: &App,
    context: &RequestContext,
    demands: &Arc<[Demand]>,
    (entry, operation): (Entry, O),
) -> Result<O::Output> {
    if demands.is_empty() {
        // Nothing would be decided about.
        return Err(Error::internal(format!("{} demands nothing", entry.name)));
    }
    let permit = authorize::authorize(app, context, demands).await?;
    if let Some(grant) = &context.principal.share {
        let part = (entry, operation.shared_part());
        Box::pin(image_shares::admit(app, context, grant, part, &permit)).await?;
    }
    operation.run(Call { app, context, permit, entry }).await
}

/// An operation under way: the handles, the request and what was allowed.
pub struct Call<'a> {
    /// The registry.
    pub app: &'a App,
    /// The request.
    pub context: &'a RequestContext,
    permit: Permit,
    entry: Entry,
}

impl Call<'_> {
    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// When the request arrived.
    pub fn now(&self) -> Millis {
        self.context.now
    }

    /// A new row id.
    pub fn next_id(&self) -> i64 {
        self.app.ids.next(self.app.clock.now())
    }

    /// Opens a snapshot. See [`Tx`].
    ///
    /// # Errors
    /// When the database is unavailable, or the decision does not hold any more.
    pub async fn read(&self) -> Result<Tx> {
        self.begin(Mode::Read).await
    }

    /// Opens a transaction that may write; end it with [`Call::commit`].
    ///
    /// # Errors
    /// As [`Call::read`].
    pub async fn write(&self) -> Result<Tx> {
        self.begin(Mode::Write).await
    }

    async fn begin(&self, mode: Mode) -> Result<Tx> {
        self.checked(Tx::begin(self.app.metadata.as_ref(), mode, &self.permit).await?).await
    }

    async fn checked(&self, mut tx: Tx) -> Result<Tx> {
        if !self.permit.still_holds(&mut tx).await? {
            // Decide again from what is stored now; the first decision is worth nothing.
            authorize::decide_again(self.app, self.context, &self.permit, &mut tx).await?;
        }
        Ok(tx)
    }

    /// Opens a snapshot of what is remembered, if that has what the decision was made from. See
    /// [`Tx::recall`].
    pub(crate) async fn recall(&self) -> Option<Tx> {
        let mut tx = Tx::recall(self.app.metadata.as_ref(), &self.permit)?;
        // Whoever must be decided about again is, from what is stored.
        self.permit.still_holds(&mut tx).await.unwrap_or(false).then_some(tx)
    }

    /// As [`Call::read`], but what it reads is remembered.
    ///
    /// # Errors
    /// As [`Call::read`].
    pub(crate) async fn read_remembered(&self) -> Result<Tx> {
        self.checked(Tx::begin_remembered(self.app.metadata.as_ref(), &self.permit).await?).await
    }

    /// Writes the access record and commits.
    ///
    /// # Errors
    /// When the database cannot; nothing was changed then.
    pub async fn commit(&self, mut tx: Tx) -> Result<()> {
        audit::put(&mut tx, self.next_id(), self.context, self.entry, &self.permit).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a transaction that changed nothing with a refusal. Clients take some refusals for a
    /// success (what they wanted is there already, or gone already), so what was found must be as
    /// durable as if it had been acknowledged.
    pub(crate) async fn refuse<T>(&self, tx: Tx, refusal: Error) -> Result<T> {
        tx.commit().await?;
        Err(refusal)
    }
}

/// An open transaction. It can only be had with a permit; features put their SQL on it.
pub struct Tx {
    inner: Box<dyn Transaction>,
    /// Who is told when this is committed that there is a job to do.
    enqueued: Option<jobs::Wake>,
    /// An answer was not remembered.
    missed: bool,
}

impl Tx {
    /// Opens a transaction for whoever holds a permit.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn begin(metadata: &dyn Metadata, mode: Mode, _permit: &Permit) -> Result<Self> {
        Ok(Self::of(metadata.begin(mode).await?))
    }

    fn of(inner: Box<dyn Transaction>) -> Self {
        Self { inner, enqueued: None, missed: false }
    }

    /// Opens a snapshot of what is remembered. When [`Tx::missed`] tells afterwards that it did not
    /// have everything, whatever was made of it is worth nothing; the reader starts over with
    /// [`Tx::begin_remembered`].
    pub(crate) fn recall(metadata: &dyn Metadata, _permit: &Permit) -> Option<Self> {
        metadata.recall().map(Self::of)
    }

    /// Opens a snapshot whose answers are remembered.
    ///
    /// # Errors
    /// As [`Tx::begin`].
    pub(crate) async fn begin_remembered(
        metadata: &dyn Metadata,
        _permit: &Permit,
    ) -> Result<Self> {
        Ok(Self::of(metadata.begin_remembered().await?))
    }

    /// Whether an answer was asked for that is not remembered.
    pub(crate) fn missed(&self) -> bool {
        self.missed
    }

    async fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, MetadataError> {
        let rows = self.inner.query(sql, params).await;
        self.missed |=
            rows.as_ref().is_err_and(|error| error.kind() == MetadataErrorKind::NotRemembered);
        rows
    }

    /// Runs a statement; how many rows it changed.
    ///
    /// # Errors
    /// As [`Transaction::execute`].
    pub async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, MetadataError> {
        self.inner.execute(sql, params).await
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// As [`Transaction::query`].
    pub async fn all(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, MetadataError> {
        self.query(sql, params).await
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    /// As [`Transaction::query`].
    pub async fn optional(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<Row>, MetadataError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Commits without an access record: for jobs, for the first start, for what changed nothing.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub(crate) async fn commit(self) -> Result<(), MetadataError> {
        self.inner.commit().await?;
        if let Some(wake) = self.enqueued {
            wake.wake();
        }
        Ok(())
    }

    /// Has the workers of this process woken once this is committed.
    pub(crate) fn wake_on_commit(&mut self, wake: jobs::Wake) {
        self.enqueued = Some(wake);
    }
}

/// The error for an operation of a known API that is not built.
pub fn not_served(service: &str, operation: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "Tonnage does not serve {service}:{operation} yet; the compatibility page lists what it serves."
        ),
    )
}
