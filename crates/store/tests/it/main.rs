//! The backends of this crate against the conformance suites, crashes and full disks.

mod conformance;
