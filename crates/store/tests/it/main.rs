//! The backends of this crate against the conformance suites, crashes, faults and full disks.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

mod conformance;
mod crash;
mod disk_full;
mod faulty;
mod support;
