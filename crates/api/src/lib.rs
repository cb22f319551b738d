//! Machine protocols: each decodes its own wire shapes and runs one operation of the domain.

/// What the AWS services have in common on the wire.
pub mod aws {
    pub mod shapes;
}
