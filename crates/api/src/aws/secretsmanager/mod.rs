//! AWS Secrets Manager, version 2017-10-17, over AWS JSON 1.1: what the pull-through cache and its
//! users need of it.
//!
//! Every operation is one function: it decodes its own wire shape, runs one operation of the
//! domain and encodes what that gives back. Shapes were validated before.

mod input;
mod listings;
mod secrets;
mod values;

use serde_json::Map;
use tonnage_domain::error::ErrorKind;

use super::error::{Failure, Wire};
use super::{Call, json, shapes};

pub(super) use shapes::secretsmanager::SERVICE;

json::operations! {
    pub(super) async fn run;
    "CreateSecret" => values::create_secret,
    "DeleteResourcePolicy" => secrets::delete_resource_policy,
    "DeleteSecret" => secrets::delete_secret,
    "DescribeSecret" => secrets::describe_secret,
    "GetResourcePolicy" => secrets::get_resource_policy,
    "GetSecretValue" => values::get_secret_value,
    "ListSecretVersionIds" => listings::list_secret_version_ids,
    "ListSecrets" => listings::list_secrets,
    "PutSecretValue" => values::put_secret_value,
    "RestoreSecret" => secrets::restore_secret,
    "TagResource" => secrets::tag_resource,
    "UntagResource" => secrets::untag_resource,
    "UpdateSecret" => values::update_secret,
    "UpdateSecretVersionStage" => values::update_secret_version_stage,
}

/// A failure in the words of this service, which spells `Message` with a capital letter.
pub(super) fn wire(failure: &Failure) -> Wire {
    let wire = failure.json();
    let Failure::Failed(error) = failure else { return wire };
    let (code, status) = match error.kind() {
        ErrorKind::NoSuchEntity => ("ResourceNotFoundException", 400),
        ErrorKind::EntityAlreadyExists => ("ResourceExistsException", 400),
        ErrorKind::InvalidState => ("InvalidRequestException", 400),
        ErrorKind::NameInvalid => ("ValidationException", 400),
        ErrorKind::InvalidTagParameter | ErrorKind::TooManyTags => {
            ("InvalidParameterException", 400)
        }
        ErrorKind::Internal | ErrorKind::StorageFull => ("InternalServiceError", 500),
        _ => (wire.code, wire.status),
    };
    let text = wire.message.unwrap_or_default().into();
    let members = Map::from_iter([("Message".to_owned(), text)]);
    Wire { code, status, message: None, members }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tonnage_domain::error::Error;
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_operation_of_the_domain_is_served_and_no_other() {
        let domain: Vec<&str> = OPERATIONS
            .iter()
            .filter(|entry| entry.service == Service::SecretsManager)
            .map(|entry| entry.name)
            .collect();
        assert_eq!(SERVED, domain);
    }

    #[test]
    fn every_served_operation_is_of_the_model() {
        for name in SERVED {
            assert!(SERVICE.find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn codes_that_the_model_knows_have_its_status() {
        let mut modelled = 0;
        for kind in ErrorKind::ALL {
            let wire = wire(&Failure::Failed(Error::new(kind, "text")));
            let found = SERVICE.operations.iter().find_map(|it| it.error(wire.code));
            if let Some(found) = found {
                modelled += 1;
                assert_eq!(wire.status, found.status, "{}", wire.code);
            }
            assert_eq!(wire.message, None);
            let message = wire.members.get("Message").and_then(Value::as_str);
            assert!(message.is_some_and(|message| message.contains("text")), "{message:?}");
        }
        assert!(modelled > 5);
    }
}
