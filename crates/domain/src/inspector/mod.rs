//! Findings of all images of a registry, and rules over them: what Amazon Inspector's API tells and
//! takes of container images.
//!
//! [`list_findings`] and its neighbors read what scans have stored; [`filters`] are rules, of which
//! those that suppress are applied by [`crate::scanning::suppression`] when a scan ends and when a
//! rule changes. Everything is of the registry of the caller's account and region.
//!
//! Source: botocore `inspector2`; Amazon Inspector user guide, "Filtering Amazon Inspector findings"
//! and "Suppressing Amazon Inspector findings".

pub mod account_status;
pub mod aggregations;
pub mod coverage;
pub mod criteria;
pub mod filters;
pub mod finding_details;
pub mod list_findings;
mod walk;

pub use self::walk::Found;
