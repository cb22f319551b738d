//! `DeleteSecret`.

use super::{SecretId, demand, find, live, rows};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};

/// The recovery window of a request that names none, in days.
const DAYS: i64 = 30;
const DAY_SECONDS: i64 = 24 * 3600;

/// Schedules the deletion of a secret, or removes it at once.
///
/// # Errors
/// `InvalidParameter` for a window that is not of 7 to 30 days or has no effect;
/// [`ErrorKind::NoSuchEntity`] and [`ErrorKind::InvalidState`], but not when it is forced: then
/// nothing need be there, as in AWS.
#[derive(Clone, Debug)]
pub struct DeleteSecret {
    /// Which secret.
    pub id: SecretId,
    /// For how many days it can be restored; 30 when absent.
    pub days: Option<i64>,
    /// Removes it at once.
    pub force: bool,
}

/// What was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The ARN; absent when only a name is known.
    pub arn: Option<String>,
    /// The name; absent when only an ARN is known.
    pub name: Option<String>,
    /// When it will be gone, or is.
    pub at: Millis,
}

impl Operation for DeleteSecret {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "DeleteSecret" };
    type Output = Deleted;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let force = "secretsmanager:ForceDeleteWithoutRecovery";
        let mut demand = demand("secretsmanager:DeleteSecret", &self.id)
            .with_key(force, vec![self.force.to_string()]);
        if let Some(days) = self.days {
            demand = demand.with_key("secretsmanager:RecoveryWindowInDays", vec![days.to_string()]);
        }
        vec![demand]
    }

    async fn run(self, call: Call<'_>) -> Result<Deleted> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidParameter, message));
        if self.force && self.days.is_some() {
            return invalid(
                "You can't use ForceDeleteWithoutRecovery in conjunction with \
                 RecoveryWindowInDays.",
            );
        }
        let days = self.days.unwrap_or(DAYS);
        if !(7..=30).contains(&days) {
            return invalid(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            );
        }
        let mut tx = call.write().await?;
        let (deleted, refusal) = if self.force {
            match find(&mut tx, &call, &self.id).await? {
                Ok(secret) => {
                    rows::remove(&mut tx, secret.id).await?;
                    let (arn, name) = (Some(secret.arn), Some(secret.name));
                    (Deleted { arn, name, at: call.now() }, None)
                }
                Err(_) => {
                    let arn = self.id.arn().map(str::to_owned);
                    let name = arn.is_none().then(|| self.id.name().to_owned());
                    (Deleted { arn, name, at: call.now() }, None)
                }
            }
        } else {
            match live(&mut tx, &call, &self.id).await? {
                Ok(mut secret) => {
                    let at = call.now().plus_seconds(days * DAY_SECONDS);
                    secret.deleted_at = Some(call.now());
                    secret.purge_at = Some(at);
                    secret.changed_at = call.now();
                    rows::update(&mut tx, &secret).await?;
                    (Deleted { arn: Some(secret.arn), name: Some(secret.name), at }, None)
                }
                Err(refusal) => (Deleted { arn: None, name: None, at: call.now() }, Some(refusal)),
            }
        };
        match refusal {
            Some(refusal) => call.refuse(tx, refusal).await,
            None => {
                call.commit(tx).await?;
                Ok(deleted)
            }
        }
    }
}
