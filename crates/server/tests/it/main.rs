//! The shipped binary, started and stopped as an operator does.

mod backup;
mod configuration;
mod environment;
mod first_start;
mod garbage_collection;
mod http;
mod lifecycle;
mod offline;
mod other_registries;
mod output;
mod policies;
mod postgres;
mod repository;
mod scrub;
mod states;
mod support;
