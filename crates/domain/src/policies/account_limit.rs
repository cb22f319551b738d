//! Limits of accounts: the most that the principals of an account may be allowed, its root
//! included, whatever other policies say. As AWS's service control policies, they allow nothing by
//! themselves, and the management account has none, so that it can always take them back.

use tonnage_policy::{Limits, Policy, PolicyKind};

use super::{ACCOUNT_LIMIT_CHARS_MAX, BYTES_PER_CHAR_MAX};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::names::AccountId;
use crate::{params, versions};

/// Sets the limit of an account; what stood there before is gone.
#[derive(Clone, Debug)]
pub struct PutAccountLimit {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// The account.
    pub account: AccountId,
    /// A policy without principals, at most 10,240 characters.
    pub text: String,
}

fn demand(action: &'static str, management_account: AccountId) -> Vec<Demand> {
    vec![Demand::new(action, Resource::Deployment { account: management_account })]
}

impl Operation for PutAccountLimit {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "PutAccountLimit" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:PutAccountLimit", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        if self.account == call.app.management_account {
            return Err(Error::invalid_parameter(
                "account",
                "The management account cannot be limited",
            ));
        }
        if self.text.chars().count() > ACCOUNT_LIMIT_CHARS_MAX {
            return Err(Error::invalid_parameter(
                "document",
                format_args!("At most {ACCOUNT_LIMIT_CHARS_MAX} characters"),
            ));
        }
        let limits = Limits { max_bytes: ACCOUNT_LIMIT_CHARS_MAX * BYTES_PER_CHAR_MAX };
        Policy::parse_within(&self.text, PolicyKind::Identity, &limits)
            .map_err(|error| Error::invalid_parameter("document", error))?;
        let mut tx = call.write().await?;
        refuse_unknown(&mut tx, &self.account).await?;
        tx.execute(
            "INSERT INTO account_limits (account_id, document, updated_at) VALUES ($1, $2, $3) \
             ON CONFLICT (account_id) DO UPDATE SET document = excluded.document, \
             updated_at = excluded.updated_at",
            params![self.account.as_str(), &self.text, call.now()],
        )
        .await?;
        versions::bump(&mut tx, &versions::identities(&self.account)).await?;
        call.commit(tx).await
    }
}

async fn refuse_unknown(tx: &mut Tx, account: &AccountId) -> Result<()> {
    let known =
        tx.optional("SELECT 1 FROM accounts WHERE id = $1", params![account.as_str()]).await?;
    match known {
        Some(_) => Ok(()),
        None => {
            Err(Error::new(ErrorKind::AccountNotFound, format!("There is no account {account}.")))
        }
    }
}

/// The text of an account's limit, if it has one.
pub(super) async fn find(tx: &mut Tx, account: &AccountId) -> Result<Option<String>> {
    let row = tx
        .optional(
            "SELECT document FROM account_limits WHERE account_id = $1",
            params![account.as_str()],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Reads the limit of an account; `None` when it has none.
#[derive(Clone, Debug)]
pub struct GetAccountLimit {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// The account.
    pub account: AccountId,
}

impl Operation for GetAccountLimit {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetAccountLimit" };
    type Output = Option<String>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:GetAccountLimit", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<Option<String>> {
        let mut tx = call.read().await?;
        refuse_unknown(&mut tx, &self.account).await?;
        find(&mut tx, &self.account).await
    }
}

/// Takes the limit of an account away. Idempotent.
#[derive(Clone, Debug)]
pub struct DeleteAccountLimit {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// The account.
    pub account: AccountId,
}

impl Operation for DeleteAccountLimit {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DeleteAccountLimit" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:DeleteAccountLimit", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        refuse_unknown(&mut tx, &self.account).await?;
        tx.execute(
            "DELETE FROM account_limits WHERE account_id = $1",
            params![self.account.as_str()],
        )
        .await?;
        versions::bump(&mut tx, &versions::identities(&self.account)).await?;
        call.commit(tx).await
    }
}
