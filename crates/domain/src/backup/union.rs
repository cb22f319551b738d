//! The lists of objects of several snapshots, read as one.

use super::lines::LineReader;
use super::manifest::{FileSum, Manifest};
use super::vault::Vault;
use super::{BackupError, damaged, snapshot_path};
use crate::objects::ObjectId;

/// An object that a snapshot names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: ObjectId,
    pub(super) sum: FileSum,
}

impl Listed {
    pub(super) fn line(&self) -> String {
        format!("{} {} {}", self.id, self.sum.size, self.sum.sha256)
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = str::from_utf8(line).ok()?.split(' ');
        let id = ObjectId::parse(words.next()?)?;
        let size = words.next()?.parse().ok()?;
        let sha256 = words.next().filter(|text| text.len() == 64)?.to_owned();
        words.next().is_none().then_some(Self { id, sum: FileSum { size, sha256 } })
    }
}

/// The list of one snapshot, in order.
pub(super) struct List {
    reader: LineReader,
    next: Option<Listed>,
}

impl List {
    pub(super) async fn open(vault: &dyn Vault, snapshot: &str) -> Result<Self, BackupError> {
        let reader = LineReader::open(vault, &snapshot_path(snapshot, "objects")).await?;
        let mut list = Self { reader, next: None };
        list.advance().await?;
        Ok(list)
    }

    /// The object that follows, without taking it.
    pub(super) fn peek(&self) -> Option<&Listed> {
        self.next.as_ref()
    }

    pub(super) async fn take(&mut self) -> Result<Option<Listed>, BackupError> {
        let taken = self.next.take();
        self.advance().await?;
        if let (Some(taken), Some(next)) = (&taken, &self.next)
            && taken.id >= next.id
        {
            return Err(damaged(self.reader.path(), "its lines are not in order"));
        }
        Ok(taken)
    }

    /// The entry of `id`; those before it are passed over.
    pub(super) async fn find(&mut self, id: &ObjectId) -> Result<Option<Listed>, BackupError> {
        while self.peek().is_some_and(|listed| listed.id < *id) {
            self.take().await?;
        }
        Ok(self.peek().filter(|listed| listed.id == *id).cloned())
    }

    /// After the last entry: whether the list is whole.
    pub(super) fn check(self, expected: &FileSum) -> Result<(), BackupError> {
        self.reader.check(expected)
    }

    async fn advance(&mut self) -> Result<(), BackupError> {
        self.next = match self.reader.line().await? {
            None => None,
            Some(line) => Some(
                Listed::parse(&line)
                    .ok_or_else(|| damaged(self.reader.path(), "a line cannot be read"))?,
            ),
        };
        Ok(())
    }
}

/// The objects of several snapshots in order, each once.
pub(super) struct Union(Vec<List>);

impl Union {
    pub(super) async fn open(
        vault: &dyn Vault,
        snapshots: &[Manifest],
    ) -> Result<Self, BackupError> {
        let mut lists = Vec::with_capacity(snapshots.len());
        for snapshot in snapshots {
            lists.push(List::open(vault, &snapshot.id).await?);
        }
        Ok(Self(lists))
    }

    pub(super) async fn take(&mut self) -> Result<Option<Listed>, BackupError> {
        let least = self.0.iter().filter_map(List::peek).min_by(|a, b| a.id.cmp(&b.id));
        let Some(least) = least.cloned() else { return Ok(None) };
        for list in &mut self.0 {
            if list.peek().is_some_and(|listed| listed.id == least.id) {
                list.take().await?;
            }
        }
        Ok(Some(least))
    }

    /// Whether any snapshot names `id`; ids must be asked for in order.
    pub(super) async fn names(&mut self, id: &ObjectId) -> Result<bool, BackupError> {
        let mut named = false;
        for list in &mut self.0 {
            named |= list.find(id).await?.is_some();
        }
        Ok(named)
    }
}
