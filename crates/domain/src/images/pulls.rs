//! When images were last pulled. A pull is noted in memory and written with others within a
//! second or at an orderly stop, so that a pull costs no write; ECR promises a day.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::{Principal, PrincipalKind};
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::params;

/// How many images may be noted between two writes; past that, pulls go unrecorded.
const NOTED_MAX: usize = 100_000;

/// Pulls that are not written yet: which image, who pulled it, and when last.
#[derive(Debug, Default)]
pub struct Pulls(Mutex<HashMap<(i64, i64), Pull>>);

#[derive(Debug)]
struct Pull {
    principal_arn: String,
    at: Millis,
}

impl Pulls {
    pub(crate) fn note(&self, image_id: i64, principal: &Principal, now: Millis) {
        if principal.kind == PrincipalKind::Service {
            // Nobody uses an image because it is scanned.
            return;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (image_id, principal.id);
        if let Some(pull) = noted.get_mut(&key) {
            pull.at = now;
        } else if noted.len() < NOTED_MAX {
            noted.insert(key, Pull { principal_arn: principal.arn.clone(), at: now });
        }
    }

    fn take(&self) -> HashMap<(i64, i64), Pull> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes the pulls noted so far.
///
/// # Errors
/// When the database fails; these pulls are then lost.
pub async fn flush(app: &App) -> Result<()> {
    let noted = app.pulls.take();
    if noted.is_empty() {
        return Ok(());
    }
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    for ((image_id, _), pull) in noted {
        tx.execute(
            "UPDATE images SET last_pulled_at = $2 \
             WHERE id = $1 AND (last_pulled_at IS NULL OR last_pulled_at < $2) \
             AND NOT EXISTS (SELECT 1 FROM pull_time_exclusions \
             JOIN repositories ON repositories.registry_id = pull_time_exclusions.registry_id \
             WHERE repositories.id = images.repository_id \
             AND pull_time_exclusions.principal_arn = $3)",
            params![image_id, pull.at, pull.principal_arn],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}
