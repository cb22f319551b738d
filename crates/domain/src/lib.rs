//! What a registry does: the operations, their rules and their SQL.

pub mod metadata;
pub mod objects;
pub mod schema;
