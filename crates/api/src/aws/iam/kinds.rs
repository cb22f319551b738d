//! The kinds of entities that operations are generic over, as values.

use tonnage_domain::identities::entities::tags as tagged;
use tonnage_domain::identities::{inline_policies, users};

/// A kind as a value.
pub(super) trait Kind {
    const NEW: Self;
}

macro_rules! kinds {
    ($($kind:path),*) => {
        $(impl Kind for $kind {
            const NEW: Self = $kind;
        })*
    };
}

kinds!(
    tagged::User,
    tagged::Role,
    tagged::Policy,
    tagged::InstanceProfile,
    tagged::OidcProvider,
    inline_policies::User,
    inline_policies::Group,
    inline_policies::Role,
    users::MfaDevice,
    users::VirtualMfaDevice,
    users::SshPublicKey,
    users::ServiceSpecificCredential,
    users::SigningCertificate
);
