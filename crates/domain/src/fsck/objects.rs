//! Rows that name objects against the objects in the store: both are read in the order of their
//! ids, a page at a time.

use std::collections::VecDeque;

use super::{Finding, PAGE, Problem, Repair, Report, UNNAMED_SECONDS_MIN, begin};
use crate::app::App;
use crate::blobs::verify;
use crate::error::{Result, chain};
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::objects::{ListedObject, ObjectId, ObjectInventory};
use crate::params;

/// The rows that name one object.
struct Names {
    /// As it is stored; it may have the form of no id.
    object: String,
    blob: Option<i64>,
    garbage: bool,
}

/// Rows in the order of the objects they name.
struct NameCursor {
    after: String,
    page: VecDeque<Names>,
}

impl NameCursor {
    fn new() -> Self {
        Self { after: String::new(), page: VecDeque::new() }
    }

    async fn fill(&mut self, app: &App) -> Result<()> {
        if !self.page.is_empty() {
            return Ok(());
        }
        let mut tx = begin(app, Mode::Read).await?;
        let rows = tx
            .all(
                "SELECT object_id, id AS blob_id, 0 AS garbage FROM blobs WHERE object_id > $1 \
                 UNION ALL SELECT object_id, NULL, 0 FROM uploads WHERE object_id > $1 \
                 UNION ALL SELECT object_id, NULL, 0 FROM object_copies WHERE object_id > $1 \
                 UNION ALL SELECT object_id, NULL, 1 FROM garbage_objects WHERE object_id > $1 \
                 ORDER BY object_id LIMIT $2",
                params![&self.after, PAGE],
            )
            .await?;
        let full = rows.len() == PAGE;
        for row in rows {
            let text: String = row.get(0)?;
            let (blob, garbage) = (row.get::<Option<i64>>(1)?, row.get::<bool>(2)?);
            match self.page.back_mut() {
                Some(last) if last.object == text => {
                    last.blob = last.blob.or(blob);
                    last.garbage |= garbage;
                }
                _ => self.page.push_back(Names { object: text, blob, garbage }),
            }
        }
        // The rows of the last object may go on behind the page.
        if full {
            self.page.pop_back();
        }
        if let Some(last) = self.page.back() {
            self.after.clone_from(&last.object);
        }
        Ok(())
    }
}

/// Objects in order.
struct ObjectCursor<'a> {
    inventory: &'a dyn ObjectInventory,
    after: Option<ObjectId>,
    page: VecDeque<ListedObject>,
}

impl ObjectCursor<'_> {
    async fn fill(&mut self) -> Result<()> {
        if self.page.is_empty() {
            self.page = self.inventory.list(self.after.as_ref(), PAGE).await?.into();
            if let Some(last) = self.page.back() {
                self.after = Some(last.id.clone());
            }
        }
        Ok(())
    }
}

pub(super) async fn examine(
    app: &App,
    inventory: &dyn ObjectInventory,
    contents: bool,
    report: &mut Report,
) -> Result<()> {
    let mut names = NameCursor::new();
    let mut objects = ObjectCursor { inventory, after: None, page: VecDeque::new() };
    loop {
        names.fill(app).await?;
        objects.fill().await?;
        let next = match (names.page.front(), objects.page.front()) {
            (None, None) => return Ok(()),
            (Some(name), None) => name.object.clone(),
            (None, Some(object)) => object.id.to_string(),
            (Some(name), Some(object)) => name.object.clone().min(object.id.to_string()),
        };
        let name = names.page.pop_front_if(|name| name.object == next);
        let object = objects.page.pop_front_if(|object| object.id.as_str() == next);
        report.objects += u64::from(object.is_some());
        if let Some(name) = &name
            && ObjectId::parse(&name.object).is_none()
        {
            let detail = "a row names it, but no object has such a name".to_owned();
            report.add(unreadable(format!("object {:?}", name.object), detail));
        }
        match (name, object) {
            (None, Some(object)) => report.add(unnamed(app, &object)),
            (Some(Names { blob: Some(blob), garbage, object: id }), object) => {
                if garbage {
                    report.add(Finding {
                        problem: Problem::QueuedForRemoval,
                        subject: format!("object {id}"),
                        detail: "it is queued for removal, but a blob needs it".to_owned(),
                        images: Vec::new(),
                        images_omitted: 0,
                        repair: ObjectId::parse(&id).map(Repair::KeepObject),
                    });
                }
                let stored = Some(object.map(|object| object.size));
                examine_blob(app, blob, stored, contents, report).await?;
            }
            // Uploads and garbage may have an object or not.
            _ => {}
        }
    }
}

fn unreadable(subject: String, detail: String) -> Finding {
    let problem = Problem::Unreadable;
    Finding { problem, subject, detail, images: Vec::new(), images_omitted: 0, repair: None }
}

fn unnamed(app: &App, object: &ListedObject) -> Finding {
    let seconds = (app.clock.now().0 - object.modified.0) / 1000;
    let is_old = seconds > UNNAMED_SECONDS_MIN;
    let age = if is_old { "" } else { "; it is younger than an hour, so it stays for now" };
    Finding {
        problem: Problem::UnnamedObject,
        subject: format!("object {}", object.id),
        detail: format!("no row names it ({} bytes){age}", object.size),
        images: Vec::new(),
        images_omitted: 0,
        repair: is_old.then(|| Repair::RemoveObject(object.id.clone())),
    }
}

/// Examines one blob. `stored` is the size of its object, if it has one and it is there.
pub(super) async fn examine_blob(
    app: &App,
    id: i64,
    stored: Option<Option<u64>>,
    contents: bool,
    report: &mut Report,
) -> Result<()> {
    let mut tx = begin(app, Mode::Read).await?;
    // Without its domain or account nothing is known of it; the references tell.
    let Some(blob) = verify::load(&mut tx, id).await? else { return Ok(()) };
    report.blobs += 1;
    let blob = match blob {
        Ok(blob) => blob,
        Err(error) => {
            report.add(unreadable(format!("blobs row {id}"), chain(&error)));
            return Ok(());
        }
    };
    let expected = blob.stored_bytes()?;
    let found = match stored {
        Some(None) => Some((Problem::MissingObject, "its object is not in the store".to_owned())),
        Some(Some(size)) if size != expected => Some((
            Problem::ObjectSize,
            format!("its object has {size} bytes in the store instead of {expected}"),
        )),
        _ if contents => {
            let problem = verify::content_problem(app, &mut tx, &blob).await?;
            problem.map(|problem| (Problem::Content, problem))
        }
        _ => None,
    };
    let (problem, detail) = match (found, blob.is_marked()) {
        (Some(found), _) => found,
        (None, false) => return Ok(()),
        (None, true) if contents => {
            (Problem::WholeButMarked, "it is marked damaged, but it is whole".to_owned())
        }
        (None, true) => {
            (Problem::MarkedDamaged, "it is marked damaged until it is pushed again".to_owned())
        }
    };
    let (images, images_omitted) = verify::images(&mut tx, id).await?;
    let repair = match problem {
        Problem::WholeButMarked => Some(Repair::Unmark(id)),
        Problem::MarkedDamaged => None,
        _ if images.is_empty() => Some(Repair::ForgetBlob(id)),
        _ if blob.is_marked() => None,
        _ => Some(Repair::MarkDamaged(id)),
    };
    let subject = format!("blob {} of account {}", blob.digest, blob.account);
    report.add(Finding { problem, subject, detail, images, images_omitted, repair });
    Ok(())
}

/// Whether a row names the object.
pub(super) async fn is_named(tx: &mut Tx, object: &ObjectId) -> Result<bool> {
    let row = tx
        .optional(
            "SELECT 1 FROM blobs WHERE object_id = $1 \
             UNION ALL SELECT 1 FROM uploads WHERE object_id = $1 \
             UNION ALL SELECT 1 FROM object_copies WHERE object_id = $1 \
             UNION ALL SELECT 1 FROM garbage_objects WHERE object_id = $1 LIMIT 1",
            params![object.as_str()],
        )
        .await?;
    Ok(row.is_some())
}
