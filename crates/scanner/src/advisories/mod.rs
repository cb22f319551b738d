//! From advisories and packages to findings.

pub mod versions;
