//! Value types for the names that clients send: parsed once at the edge, then trusted.
//!
//! Every type keeps the text exactly as it was given (no case folding, no trimming), is cheap to
//! clone and orders as its text does, byte by byte. Parsers are written by hand, run in time linear
//! in their input and never panic.

mod account_id;
mod arn;
mod byte_range;
mod content_range;
mod digest;
mod error;
mod hasher;
mod partition;
mod reference;
mod region;
mod repository_name;
mod tag;

pub use account_id::AccountId;
pub use arn::Arn;
pub use byte_range::{ByteRange, RangeOutcome};
pub use content_range::ContentRange;
pub use digest::{Algorithm, Digest};
pub(crate) use error::Quoted;
pub use error::{Constraint, NameError, NameKind};
pub use hasher::Hasher;
pub use partition::Partition;
pub use reference::Reference;
pub use region::Region;
pub use repository_name::RepositoryName;
pub use tag::Tag;

/// The conversions every textual value type has, given its `parse` and `as_str`.
macro_rules! text_conversions {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::names::NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}
use text_conversions;
