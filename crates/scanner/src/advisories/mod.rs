//! From advisories and packages to findings.
