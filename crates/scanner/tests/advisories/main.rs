//! Advisories from outside: real records, and hostile ones.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic"
)]

mod fuzz;
mod records;
