//! Reading pushed manifests.
