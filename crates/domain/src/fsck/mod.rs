//! Examining a registry that nobody serves: whether metadata and objects fit, both ways, and
//! repairing what can be repaired without losing anything.
//!
//! Memory is bounded by pages and by [`FINDINGS_MAX`], whatever the size of the registry. Nothing
//! is changed by [`examine`]; [`repair`] does what a report proposes and nothing else.

mod objects;
mod references;

use crate::app::App;
use crate::authorize::Permit;
use crate::blobs::verify as blobs;
use crate::clock::Millis;
use crate::error::Result;
use crate::execute::Tx;
use crate::images::verify as images;
use crate::metadata::Mode;
use crate::objects::{ObjectId, ObjectInventory};
use crate::params;

pub use self::references::{Reference, references};

/// Most findings a report lists; the others are counted, and found by a later run.
pub const FINDINGS_MAX: usize = 10_000;
/// Most images a finding names.
pub const IMAGES_MAX: usize = 20;
/// Objects that no row names are removed when they are older than this many seconds.
pub const UNNAMED_SECONDS_MIN: i64 = 3600;
/// Rows and objects read at a time.
const PAGE: usize = 500;
/// Repairs in one transaction.
const BATCH: usize = 200;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// A blob's object is not in the store.
    MissingObject,
    /// A blob's object has another size than its row says.
    ObjectSize,
    /// What is stored of a blob is not what its digest says, or cannot be read.
    Content,
    /// A blob was marked damaged before, and nobody has pushed it again.
    MarkedDamaged,
    /// A blob is marked damaged, but its content is right.
    WholeButMarked,
    /// An object that no row names.
    UnnamedObject,
    /// A blob's object is queued for removal.
    QueuedForRemoval,
    /// Rows that refer to rows that do not exist.
    Reference,
    /// A row that holds what no release writes, such as a digest that is none.
    Unreadable,
    /// Rows that contradict each other.
    Disagreement,
    /// A manifest that cannot be read, has another digest, or says something else than its rows.
    Manifest,
}

impl Problem {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingObject => "missing-object",
            Self::ObjectSize => "object-size",
            Self::Content => "content",
            Self::MarkedDamaged => "marked-damaged",
            Self::WholeButMarked => "whole-but-marked",
            Self::UnnamedObject => "unnamed-object",
            Self::QueuedForRemoval => "queued-for-removal",
            Self::Reference => "reference",
            Self::Unreadable => "unreadable",
            Self::Disagreement => "disagreement",
            Self::Manifest => "manifest",
        }
    }
}

/// What makes a finding go away without losing anything that is not lost already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Remove the object from the store.
    RemoveObject(ObjectId),
    /// Take the object out of the queue for removal.
    KeepObject(ObjectId),
    /// Forget the blob of this row, which no image refers to: a push of it stores it again.
    ForgetBlob(i64),
    /// Mark the blob of this row damaged: it is not served, and a push of it replaces it.
    MarkDamaged(i64),
    /// Take that mark away.
    Unmark(i64),
}

impl Repair {
    /// Its name in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::RemoveObject(_) => "remove-object",
            Self::KeepObject(_) => "keep-object",
            Self::ForgetBlob(_) => "forget-blob",
            Self::MarkDamaged(_) => "mark-damaged",
            Self::Unmark(_) => "unmark",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub problem: Problem,
    /// What is wrong: a digest with its account, an object, an image, a column.
    pub subject: String,
    /// How, in one sentence without a full stop.
    pub detail: String,
    /// Images that cannot be pulled because of it, at most [`IMAGES_MAX`], as
    /// `{account}/{region}/{repository}@{digest}`.
    pub images: Vec<String>,
    /// Further such images.
    pub images_omitted: u64,
    /// What would repair it; nothing when only a person can.
    pub repair: Option<Repair>,
}

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blobs examined.
    pub blobs: u64,
    /// Objects in the store.
    pub objects: u64,
    /// Images examined.
    pub images: u64,
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub findings_omitted: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.findings_omitted == 0
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_omitted += 1;
        }
    }
}

/// Looks at everything; with `contents`, reads every blob and calculates its digest too. Manifests
/// are always read.
///
/// # Errors
/// When a store does not answer. What is merely wrong is a finding.
pub async fn examine(app: &App, inventory: &dyn ObjectInventory, contents: bool) -> Result<Report> {
    let mut report = Report::default();
    references::examine(&mut begin(app, Mode::Read).await?, &mut report).await?;
    objects::examine(app, inventory, contents, &mut report).await?;
    examine_inline_blobs(app, contents, &mut report).await?;
    examine_images(app, &mut report).await?;
    Ok(report)
}

async fn begin(app: &App, mode: Mode) -> Result<Tx> {
    Tx::begin(app.metadata.as_ref(), mode, &Permit::maintenance()).await
}

async fn examine_inline_blobs(app: &App, contents: bool, report: &mut Report) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let ids = blobs::inline_page(&mut begin(app, Mode::Read).await?, after, PAGE).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = *last;
        for id in ids {
            objects::examine_blob(app, id, None, contents, report).await?;
        }
    }
}

async fn examine_images(app: &App, report: &mut Report) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let mut tx = begin(app, Mode::Read).await?;
        let page = images::page(&mut tx, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for image in page {
            report.images += 1;
            let problems = images::problems(app, &mut tx, &image).await?;
            if !problems.is_empty() {
                report.add(Finding {
                    problem: Problem::Manifest,
                    subject: image.name.clone(),
                    detail: problems.join("; "),
                    images: vec![image.name],
                    images_omitted: 0,
                    repair: None,
                });
            }
        }
    }
}

/// Does what the findings propose; how many repairs were done. Idempotent. Findings that went away
/// since the examination are left alone.
///
/// # Errors
/// When a store fails; what was repaired until then stays so.
pub async fn repair(app: &App, findings: &[Finding]) -> Result<u64> {
    let repairs: Vec<&Repair> =
        findings.iter().filter_map(|finding| finding.repair.as_ref()).collect();
    let now = app.clock.now();
    let mut done = 0;
    for batch in repairs.chunks(BATCH) {
        // Nothing slow is awaited while a transaction that writes is open.
        let mut unnamed = Vec::new();
        let mut tx = begin(app, Mode::Write).await?;
        for repair in batch {
            let changed = match repair {
                Repair::RemoveObject(object) => {
                    if !objects::is_named(&mut tx, object).await? {
                        unnamed.push(object);
                    }
                    false
                }
                Repair::KeepObject(object) => keep_object(&mut tx, object).await?,
                Repair::ForgetBlob(blob) => blobs::forget(&mut tx, *blob, now).await?,
                Repair::MarkDamaged(blob) => blobs::mark(&mut tx, *blob, Some(now)).await?,
                Repair::Unmark(blob) => blobs::mark(&mut tx, *blob, None::<Millis>).await?,
            };
            done += u64::from(changed);
        }
        tx.commit().await?;
        for object in unnamed {
            app.objects.delete(object).await?;
            done += 1;
        }
    }
    Ok(done)
}

async fn keep_object(tx: &mut Tx, object: &ObjectId) -> Result<bool> {
    let removed = tx
        .execute(
            "DELETE FROM garbage_objects WHERE object_id = $1 \
             AND EXISTS (SELECT 1 FROM blobs WHERE blobs.object_id = garbage_objects.object_id)",
            params![object.as_str()],
        )
        .await?;
    Ok(removed > 0)
}
