//! Checks of the tree and generated references.
fn main() {}
