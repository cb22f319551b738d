//! Accounts: the first one, which manages the deployment, and those it creates.

pub mod bootstrap;

use crate::app::App;
use crate::clock::Millis;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::identities::access_keys::{self, AccessKey};
use crate::ids::Ids;
use crate::names::{AccountId, Arn, Partition, Region};
use crate::root_key::RootKey;
use crate::{params, versions};

/// Accounts per deployment.
const ACCOUNTS_MAX: usize = 10_000;

/// What the root of an account is allowed, as a policy like any other.
const ROOT_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Everything","Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 12 digits.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// Whether its principals may do anything.
    pub active: bool,
    /// When it was created.
    pub created_at: Millis,
}

fn deployment(app_account: &AccountId) -> Resource {
    Resource::Deployment { account: *app_account }
}

/// Creates an account with a root principal and one access key for it.
#[derive(Clone, Debug)]
pub struct CreateAccount {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// 12 digits.
    pub id: AccountId,
    /// 1 to 64 characters.
    pub name: String,
}

impl Operation for CreateAccount {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "CreateAccount" };
    type Output = (Account, AccessKey);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:CreateAccount", deployment(&self.management_account))]
    }

    async fn run(self, call: Call<'_>) -> Result<(Account, AccessKey)> {
        let length = self.name.chars().count();
        if length == 0 || length > 64 || self.name.chars().any(char::is_control) {
            return Err(Error::invalid_parameter(
                "name",
                "1 to 64 characters without control characters",
            ));
        }
        let key = AccessKey::random()?;
        let app = call.app;
        let mut tx = call.write().await?;
        if tx
            .optional("SELECT 1 FROM accounts WHERE id = $1", params![self.id.as_str()])
            .await?
            .is_some()
        {
            let exists = Error::new(
                ErrorKind::AccountAlreadyExists,
                format!("Account {} exists already.", self.id),
            );
            return call.refuse(tx, exists).await;
        }
        let ids = &app.ids;
        let account =
            Account { id: self.id, name: self.name, active: true, created_at: call.now() };
        insert(&mut tx, ids, &app.root_key, &account, &app.default_region, &key).await?;
        call.commit(tx).await?;
        Ok((account, key))
    }
}

/// Stores an account, its root principal with an allow-all policy, and a key for it.
async fn insert(
    tx: &mut Tx,
    ids: &Ids,
    root_key: &RootKey,
    account: &Account,
    region: &Region,
    key: &AccessKey,
) -> Result<()> {
    let now = account.created_at;
    tx.execute(
        "INSERT INTO accounts (id, name, state, created_at) VALUES ($1, $2, 'ACTIVE', $3)",
        params![account.id.as_str(), &account.name, now],
    )
    .await?;
    let principal = ids.next(now);
    tx.execute(
        "INSERT INTO principals (id, account_id, kind, name, arn, unique_id, created_at) \
         VALUES ($1, $2, $3, 'root', $4, $2, $5)",
        params![
            principal,
            account.id.as_str(),
            PrincipalKind::Root.as_str(),
            Arn::account_root(Partition::of(region), &account.id).as_str(),
            now,
        ],
    )
    .await?;
    tx.execute(
        "INSERT INTO principal_policies (principal_id, name, document) VALUES ($1, 'root', $2)",
        params![principal, ROOT_POLICY],
    )
    .await?;
    access_keys::insert(tx, root_key, principal, key, now).await?;
    versions::bump(tx, &versions::identities(&account.id)).await
}

/// Lists the accounts of the deployment, by id.
#[derive(Clone, Debug)]
pub struct ListAccounts {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
}

impl Operation for ListAccounts {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListAccounts" };
    type Output = Vec<Account>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:ListAccounts", deployment(&self.management_account))]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<Account>> {
        let mut tx = call.read().await?;
        let rows = tx
            .all(
                "SELECT id, name, state, created_at FROM accounts ORDER BY id LIMIT $1",
                params![ACCOUNTS_MAX],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Account {
                    id: AccountId::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
                    name: row.get(1)?,
                    active: row.get::<String>(2)? == "ACTIVE",
                    created_at: row.get(3)?,
                })
            })
            .collect()
    }
}

/// Suspends an account, or takes it back: a suspended account's keys, tokens and links are refused
/// from the moment this returns; nothing it stored is touched. Idempotent.
#[derive(Clone, Debug)]
pub struct SetAccountState {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// The account.
    pub id: AccountId,
    /// Whether it may do anything.
    pub active: bool,
}

impl Operation for SetAccountState {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SetAccountState" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:SetAccountState", deployment(&self.management_account))]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        if self.id == call.app.management_account && !self.active {
            return Err(Error::invalid_parameter(
                "account",
                "The management account cannot be suspended",
            ));
        }
        let mut tx = call.write().await?;
        let changed = tx
            .execute(
                "UPDATE accounts SET state = $2 WHERE id = $1",
                params![self.id.as_str(), if self.active { "ACTIVE" } else { "SUSPENDED" }],
            )
            .await?;
        if changed == 0 {
            return Err(Error::new(
                ErrorKind::AccountNotFound,
                format!("There is no account {}.", self.id),
            ));
        }
        versions::bump(&mut tx, &versions::identities(&self.id)).await?;
        call.commit(tx).await
    }
}

/// The root of the management account, for the operator who owns the data directory.
///
/// # Errors
/// When the database fails.
pub async fn management_root(app: &App) -> Result<crate::context::Principal> {
    root_of(app, &app.management_account).await
}

/// The root of an account, for the operator of the machine.
///
/// # Errors
/// [`ErrorKind::AccountNotFound`], or when metadata cannot be read.
pub async fn root_of(app: &App, account: &AccountId) -> Result<crate::context::Principal> {
    let mut tx = crate::identities::begin(app).await?;
    let row = tx
        .optional(
            "SELECT id, kind, account_id, arn, unique_id FROM principals \
             WHERE account_id = $1 AND kind = 'root'",
            params![account.as_str()],
        )
        .await?
        .ok_or_else(|| {
            Error::new(ErrorKind::AccountNotFound, format!("There is no account {account}."))
        })?;
    crate::identities::principal_from(&row, None)
}
