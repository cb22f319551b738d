//! The front ends over a registry in this process, and nothing but their wire formats.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

mod aws;
mod matrix;
mod registry;
