//! What a registry does: the operations, their rules and their SQL.

pub mod images;
pub mod names;
