//! Images: manifests, the blobs they refer to and their tags.

pub mod manifest;
