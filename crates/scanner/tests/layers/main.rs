//! Layers as they are pushed, hostile ones included, through the public interface.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic"
)]

mod formats;
mod fuzz;
mod hostile;
mod languages;
mod properties;
mod squash;
mod support;
mod systems;
