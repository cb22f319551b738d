//! Blob objects: byte strings with a random id that is never used twice.
//!
//! An object knows nothing of digests, repositories or accounts. Its id is written to metadata
//! *before* the object is made (an upload row, later a blob row), so that whatever a crash leaves
//! behind is named by some row and can be removed without ever listing the store.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::clock::Millis;

/// The largest span a reader is asked for and a writer is given, in bytes.
pub const SPAN_BYTES_MAX: usize = 1024 * 1024;

/// The name of an object: 32 lower-case hexadecimal characters, random.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(String);

impl ObjectId {
    /// A new id, from 128 random bits.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Reads an id back from metadata; `None` unless it has exactly the form of an id.
    pub fn parse(text: &str) -> Option<Self> {
        let valid =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({})", self.0)
    }
}

/// Where in a store an object lies. An object stays in the tier that it was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// What is served lies here.
    Standard,
    /// What is kept for long and read seldom may lie on something slower and cheaper.
    Archive,
}

impl Tier {
    /// As metadata has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Archive => "ARCHIVE",
        }
    }

    /// Reads a tier back from metadata.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Standard, Self::Archive].into_iter().find(|tier| tier.as_str() == text)
    }
}

/// A store of objects, in two tiers. An id is in one of them; whoever opens or removes an object
/// need not know in which. Implemented by the store crate and by fault injectors.
pub trait Objects: Send + Sync + 'static {
    /// The identity of this store, made when it was; metadata remembers it and refuses another.
    fn identity(&self) -> &str;

    /// Begins a new object in [`Tier::Standard`].
    ///
    /// # Errors
    /// When an object of this id exists, or the store cannot write.
    fn create(&self, id: &ObjectId) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>>;

    /// Begins a new object in [`Tier::Archive`].
    ///
    /// # Errors
    /// As [`Objects::create`].
    fn create_archived(
        &self,
        id: &ObjectId,
    ) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>>;

    /// Goes on with an unfinished object of [`Tier::Standard`] at `length` bytes; what was written past it is cut off.
    ///
    /// # Errors
    /// [`ObjectErrorKind::NotFound`] when the object is absent or shorter than `length`.
    fn resume(
        &self,
        id: &ObjectId,
        length: u64,
    ) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>>;

    /// Opens an object for reading.
    ///
    /// # Errors
    /// [`ObjectErrorKind::NotFound`] when it is absent.
    fn open(&self, id: &ObjectId) -> BoxFuture<'_, Result<Box<dyn ObjectReader>, ObjectError>>;

    /// Removes an object. Idempotent: an absent object is a success.
    ///
    /// # Errors
    /// When the store cannot remove it.
    fn delete(&self, id: &ObjectId) -> BoxFuture<'_, Result<(), ObjectError>>;
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its id.
    pub id: ObjectId,
    /// How many bytes it has.
    pub size: u64,
    /// In which tier it is.
    pub tier: Tier,
    /// When it was last written to, by the store's clock.
    pub modified: Millis,
}

/// Lists a store. Only for `tonnage fsck`, which looks for objects that no row names: the data path
/// never lists, since every object is named by a row before it is made.
pub trait ObjectInventory: Send + Sync {
    /// Up to `limit` objects whose ids follow `after`, in the order of their ids; none only at the
    /// end. What is no object of this store is passed over.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(
        &self,
        after: Option<&ObjectId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ListedObject>, ObjectError>>;
}

/// Writes one object from front to back.
pub trait ObjectWriter: Send {
    /// Appends a span of at most [`SPAN_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Full`] or any other; the writer is then only good for being dropped.
    fn write(&mut self, span: Bytes) -> BoxFuture<'_, Result<(), ObjectError>>;

    /// Makes everything written, and the object's name, survive a power failure.
    ///
    /// # Errors
    /// As [`ObjectWriter::write`].
    fn sync(&mut self) -> BoxFuture<'_, Result<(), ObjectError>>;
}

/// Reads one object at random positions. The object may be deleted meanwhile; an open reader
/// goes on reading what it opened.
pub trait ObjectReader: Send + Sync {
    /// How many bytes the object has.
    fn size(&self) -> u64;

    /// Reads up to `length` bytes (at most [`SPAN_BYTES_MAX`]) from `offset`; fewer only at the
    /// end of the object.
    ///
    /// # Errors
    /// When the store cannot read.
    fn read_at(&self, offset: u64, length: usize) -> BoxFuture<'_, Result<Bytes, ObjectError>>;
}

/// What went wrong in the object store, as far as the domain reacts to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectErrorKind {
    /// There is no such object.
    NotFound,
    /// The disk or the quota is full.
    Full,
    /// Anything else.
    Other,
}

/// A failure of the object store. Its text is for the operator only.
#[derive(Debug, thiserror::Error)]
#[error("the object store failed on {object}")]
pub struct ObjectError {
    kind: ObjectErrorKind,
    object: String,
    #[source]
    source: std::io::Error,
}

impl ObjectError {
    /// A failure on this object.
    pub fn new(object: &ObjectId, source: std::io::Error) -> Self {
        Self::on(object.to_string(), source)
    }

    /// A failure of a listing.
    pub fn listing(source: std::io::Error) -> Self {
        Self::on("the listing of its objects".to_owned(), source)
    }

    fn on(object: String, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ObjectErrorKind::NotFound,
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ObjectErrorKind::Full
            }
            _ => ObjectErrorKind::Other,
        };
        Self { kind, object, source }
    }

    /// The kind.
    pub fn kind(&self) -> ObjectErrorKind {
        self.kind
    }
}
