//! The `tonnage` binary.
fn main() {}
