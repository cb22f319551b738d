//! The IAM policy language: parse, match, evaluate, explain.
//!
//! The crate is pure: no input or output, no clock, no knowledge of any service's actions.
//! [`Policy::parse`] turns a JSON document into a checked [`Policy`]; [`evaluate`] answers a
//! [`Request`] from a [`PolicySet`] with a [`Decision`] that names the statement which decided.
//!
//! What always holds:
//!
//! - Nothing here panics, whatever the document or the request holds.
//! - A document that parses has one meaning: every value was checked against its operator, and
//!   nothing in it is ignored.
//! - A `Deny` that cannot be evaluated denies; an `Allow` that cannot be evaluated does not allow.
//! - Text substituted for a policy variable is literal; it never becomes a wildcard.
//! - Matching costs at most the product of the lengths of pattern and text.
//!
//! Sources are the pages of the AWS IAM User Guide, named next to each rule as "IAM guide, <page>".
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]
#![cfg_attr(
    test,
    allow(clippy::panic, clippy::indexing_slicing, reason = "a failing test is meant to panic")
)]

mod arn;
mod condition;
mod context;
mod document;
mod error;
mod evaluate;
mod glob;
mod json;
mod parse;
mod pattern;
mod principal;
mod trace;

pub use context::Context;
pub use document::{Effect, Limits, Policy, PolicyKind, Statement, Version};
pub use error::{ParseError, Problem};
pub use evaluate::{NamedPolicy, PolicySet, Request, evaluate};
pub use principal::{Principal, PrincipalKind, PrincipalPattern};
pub use trace::{Decision, Outcome, PolicySource, Reason, StatementReference};
