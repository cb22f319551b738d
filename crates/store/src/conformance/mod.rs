//! What every backend must do, as one suite per trait. A suite panics where a backend departs from
//! the trait's documentation.

mod metadata;
mod metadata_concurrency;
mod objects;

pub use self::metadata::metadata_suite;
pub use self::objects::{ObjectStep, objects_follow_model, objects_suite};
