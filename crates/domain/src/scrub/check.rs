//! One blob or one manifest, held against its row.

use super::row::{Phase, Progress};
use super::{Pace, Verdict, begin};
use crate::app::App;
use crate::blobs::verify as blobs;
use crate::clock::Millis;
use crate::error::{Result, chain};
use crate::execute::Tx;
use crate::images::verify as images;
use crate::metadata::Mode;
use crate::params;

/// How often a thing is read before a verdict: a bit that flipped on the way is not damage.
const TRIES: u32 = 3;

/// What the pass looks at next, in order.
pub(super) async fn ids(tx: &mut Tx, progress: &Progress, limit: usize) -> Result<Vec<i64>> {
    let sql = match progress.phase {
        Phase::Blobs => "SELECT id FROM blobs WHERE id > $1 ORDER BY id LIMIT $2",
        Phase::Images => "SELECT id FROM images WHERE id > $1 ORDER BY id LIMIT $2",
        Phase::Waiting => return Ok(Vec::new()),
    };
    let rows = tx.all(sql, params![progress.after, limit]).await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// Reads the thing; what is wrong with it, and how many bytes were read.
pub(super) async fn check(
    app: &App,
    phase: Phase,
    id: i64,
    pace: &mut Pace,
) -> Result<(Verdict, u64)> {
    let mut bytes = 0;
    let mut verdict = Verdict::Good;
    for _ in 0..TRIES {
        let looked = match phase {
            Phase::Blobs => blob(app, id, pace, &mut bytes).await?,
            Phase::Images | Phase::Waiting => image(app, id, pace, &mut bytes).await?,
        };
        verdict = looked;
        if matches!(verdict, Verdict::Good) {
            break;
        }
    }
    Ok((verdict, bytes))
}

async fn blob(app: &App, id: i64, pace: &mut Pace, bytes: &mut u64) -> Result<Verdict> {
    let mut tx = begin(app, Mode::Read).await?;
    let blob = match blobs::load(&mut tx, id).await? {
        None => return Ok(Verdict::Good),
        Some(Err(error)) => {
            return Ok(Verdict::Damaged(format!("blobs row {id}: {}", chain(&error))));
        }
        Some(Ok(blob)) if blob.is_marked() => return Ok(Verdict::Good),
        Some(Ok(blob)) => blob,
    };
    let name = format!("blob {} of account {}", blob.digest, blob.account);
    let opened = blobs::open(app, &mut tx, &blob).await;
    // Reading takes as long as the rate makes it; a snapshot may not be held for that time.
    drop(tx);
    let read = match opened {
        Ok(reader) => {
            let mut digest = blobs::Digesting::new(&blob);
            loop {
                match digest.next(&reader).await {
                    Ok(0) => break Ok(digest.finish()),
                    Ok(span) => {
                        *bytes += span;
                        pace.spend(span).await;
                    }
                    Err(error) => break Err(error),
                }
            }
        }
        Err(error) => Err(error),
    };
    let what = match read {
        Ok(found) if found == blob.digest => return Ok(Verdict::Good),
        Ok(found) => Verdict::Damaged(format!("{name}: its content has the digest {found}")),
        Err(error) if error.is_passing() => {
            Verdict::Unreadable(format!("{name}: {}", chain(&error)))
        }
        Err(error) => Verdict::Damaged(format!("{name}: {}", chain(&error))),
    };
    // Its object may have been replaced or removed while it was read.
    let mut tx = begin(app, Mode::Read).await?;
    match blobs::load(&mut tx, id).await? {
        Some(Ok(now)) if now.is_stored_as(&blob) => Ok(what),
        _ => Ok(Verdict::Good),
    }
}

async fn image(app: &App, id: i64, pace: &mut Pace, bytes: &mut u64) -> Result<Verdict> {
    let mut tx = begin(app, Mode::Read).await?;
    let row = tx
        .optional("SELECT damaged_at, manifest_size FROM images WHERE id = $1", params![id])
        .await?;
    let Some(row) = row else { return Ok(Verdict::Good) };
    if row.get::<Option<i64>>(0)?.is_some() {
        return Ok(Verdict::Good);
    }
    let size: u64 = row.get(1)?;
    let Some(image) = images::load(&mut tx, id).await? else { return Ok(Verdict::Good) };
    let problem = images::content_problem(app, &mut tx, &image).await?;
    drop(tx);
    *bytes += size;
    pace.spend(size).await;
    Ok(match problem {
        None => Verdict::Good,
        Some(problem) => Verdict::Damaged(format!("image {}: {problem}", image.name)),
    })
}

/// Marks the thing damaged; whether it was there and not marked before.
pub(super) async fn mark(tx: &mut Tx, phase: Phase, id: i64, now: Millis) -> Result<bool> {
    match phase {
        Phase::Blobs => blobs::mark(tx, id, Some(now)).await,
        Phase::Images | Phase::Waiting => {
            let changed = tx
                .execute(
                    "UPDATE images SET damaged_at = $2 WHERE id = $1 AND damaged_at IS NULL",
                    params![id, now],
                )
                .await?;
            Ok(changed > 0)
        }
    }
}

/// What is marked damaged, as many as `limit`, and how many more there are.
pub(super) async fn damaged(tx: &mut Tx, limit: usize) -> Result<(Vec<String>, u64)> {
    let rows = tx
        .all(
            "SELECT blobs.digest, encryption_domains.account_id FROM blobs JOIN encryption_domains \
             ON encryption_domains.id = blobs.encryption_domain_id \
             WHERE blobs.damaged_at IS NOT NULL ORDER BY blobs.id LIMIT $1",
            params![limit],
        )
        .await?;
    let mut names = Vec::with_capacity(rows.len());
    for row in &rows {
        let (digest, account): (String, String) = (row.get(0)?, row.get(1)?);
        names.push(format!("blob {digest} of account {account}"));
    }
    let rows = tx
        .all(
            "SELECT id FROM images WHERE damaged_at IS NOT NULL ORDER BY id LIMIT $1",
            params![limit.saturating_sub(names.len())],
        )
        .await?;
    for row in &rows {
        if let Some(image) = images::load(tx, row.get(0)?).await? {
            names.push(format!("image {}", image.name));
        }
    }
    let count = tx
        .optional(
            "SELECT (SELECT COUNT(*) FROM blobs WHERE damaged_at IS NOT NULL) \
             + (SELECT COUNT(*) FROM images WHERE damaged_at IS NOT NULL)",
            &[],
        )
        .await?
        .map_or(Ok(0), |row| row.get::<u64>(0))?;
    let omitted = count.saturating_sub(names.len() as u64);
    Ok((names, omitted))
}
