//! Wrappers that make a store fail on demand, so that a test can fail each write, sync and commit
//! in turn and see what the registry makes of it.

mod metadata;
mod objects;
mod plan;
mod vault;

pub use self::metadata::FaultyMetadata;
pub use self::objects::FaultyObjects;
pub use self::plan::{Call, Fault, FaultPlan};
pub use self::vault::FaultyVault;
