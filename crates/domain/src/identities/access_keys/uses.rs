//! When keys and roles were last used. A use is noted in memory and written with others, at most
//! once a minute for each key, so that requests cost no write; IAM promises hours.

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

/// How many keys and roles may be noted between two writes; past that, uses go unrecorded.
const NOTED_MAX: usize = 100_000;
/// How long after a use was noted the next one is not, in milliseconds.
const PAUSE_MILLIS: i64 = 60_000;

/// The last use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: Millis,
    /// The service it was for.
    pub service: String,
    /// The region it was for.
    pub region: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Used {
    Key(String),
    Role(i64),
}

#[derive(Debug)]
struct Noted {
    last: Use,
    written: bool,
}

/// Uses, written or not yet.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<Used, Noted>>);

/// Notes that a principal's credentials were good for a request.
pub fn note(app: &App, principal: &Principal, service: &str, region: &str, now: Millis) {
    let used = match (principal.kind, &principal.session, &principal.access_key_id) {
        (PrincipalKind::AssumedRole, ..) => Used::Role(principal.id),
        (_, None, Some(id)) => Used::Key(id.clone()),
        _ => return,
    };
    let mut noted = app.key_uses.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = noted.get(&used)
        && now.0 - known.last.at.0 < PAUSE_MILLIS
    {
        return;
    }
    if noted.len() >= NOTED_MAX {
        noted.retain(|_, noted| !noted.written);
    }
    if noted.len() < NOTED_MAX {
        let last = Use { at: now, service: service.to_owned(), region: region.to_owned() };
        noted.insert(used, Noted { last, written: false });
    }
}

/// Writes the uses noted so far.
///
/// # Errors
/// When the database fails; these uses are then lost.
pub async fn flush(app: &App) -> Result<()> {
    let fresh: Vec<(Used, Use)> = {
        let mut noted = app.key_uses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = noted.iter_mut().filter(|(_, noted)| !noted.written);
        fresh
            .map(|(used, noted)| {
                noted.written = true;
                (used.clone(), noted.last.clone())
            })
            .collect()
    };
    if fresh.is_empty() {
        return Ok(());
    }
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    for (used, last) in fresh {
        match used {
            Used::Key(id) => {
                tx.execute(
                    "INSERT INTO access_key_uses (access_key_id, used_at, service, region) \
                     SELECT id, CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT) \
                     FROM access_keys WHERE id = $1 \
                     ON CONFLICT (access_key_id) DO UPDATE SET used_at = excluded.used_at, \
                     service = excluded.service, region = excluded.region",
                    params![id, last.at, last.service, last.region],
                )
                .await?
            }
            Used::Role(id) => {
                tx.execute(
                    "UPDATE iam_roles SET last_used_at = $2, last_used_region = $3 \
                     WHERE role_id = $1",
                    params![id, last.at, last.region],
                )
                .await?
            }
        };
    }
    tx.commit().await?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, id: &str) -> Result<Option<Use>> {
    let row = tx
        .optional(
            "SELECT used_at, service, region FROM access_key_uses WHERE access_key_id = $1",
            params![id],
        )
        .await?;
    row.map(|row| Ok(Use { at: row.get(0)?, service: row.get(1)?, region: row.get(2)? }))
        .transpose()
}
