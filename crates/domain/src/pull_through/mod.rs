//! Pull-through cache: repositories whose images come from other registries when they are asked for.

pub mod upstream;
