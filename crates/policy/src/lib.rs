//! The IAM policy language: parse, match, evaluate, explain.
//!
//! The crate is pure: no input or output, no clock, no knowledge of any service's actions.
//! [`Policy::parse`] turns a JSON document into a checked [`Policy`]; [`evaluate()`] answers a
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
//! ```
//! use tonnage_policy::{
//!     Context, Policy, PolicyKind, PolicySet, Principal, PrincipalKind, Request, evaluate,
//! };
//!
//! let pull = r#"{ "Statement": { "Effect": "Allow", "Action": "ecr:Get*", "Resource": "*" } }"#;
//! let pull = Policy::parse(pull, PolicyKind::Identity)?;
//! let context = Context::new();
//! let request = Request {
//!     action: "ecr:PutImage",
//!     resource: "arn:aws:ecr:eu-west-1:111122223333:repository/app",
//!     resource_account: "111122223333",
//!     principal: Principal {
//!         kind: PrincipalKind::User,
//!         arn: "arn:aws:iam::111122223333:user/alice",
//!         account: Some("111122223333"),
//!         role_arn: None,
//!         ids: &[],
//!     },
//!     context: &context,
//! };
//! let decision =
//!     evaluate(&request, &PolicySet { identity: &[("pull", &pull)], ..PolicySet::default() });
//! assert_eq!(
//!     decision.denial(request.action).as_deref(),
//!     Some("because no identity-based policy allows the ecr:PutImage action")
//! );
//! # Ok::<(), tonnage_policy::ParseError>(())
//! ```
//!
//! Sources are the pages of the AWS IAM User Guide, named next to each rule as "IAM guide".
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
pub mod lint;
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
