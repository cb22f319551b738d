//! Records of people who sign in to the console, take roles there and sign out: what CloudTrail has of
//! `signin.amazonaws.com` (CloudTrail user guide, "AWS Management Console sign-in events").

use serde_json::{Value, json};

use super::details::Details;
use super::{Named, Record, Told, insert, note};
use crate::app::App;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::Tx;

const SERVICE: &str = "signin";

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// Signed in, or tried to.
    ConsoleLogin,
    /// Took a role.
    SwitchRole,
    /// Left a role.
    ExitRole,
    /// Signed out.
    Logout,
}

impl SignIn {
    fn name(self) -> &'static str {
        match self {
            Self::ConsoleLogin => "ConsoleLogin",
            Self::SwitchRole => "SwitchRole",
            Self::ExitRole => "ExitRole",
            Self::Logout => "Logout",
        }
    }

    fn named(self) -> Named {
        (SERVICE, self.name())
    }

    fn details(self, outcome: &str, more: Value) -> Details {
        Details {
            request_parameters: None,
            response_elements: Some(json!({ self.name(): outcome })),
            additional_event_data: Some(more),
        }
    }
}

/// Writes the record of what whoever the context has did, in the transaction that does it.
pub(crate) async fn put(
    tx: &mut Tx,
    app: &App,
    context: &RequestContext,
    (what, resource): (SignIn, &str),
    more: Value,
) -> Result<()> {
    let details = what.details("Success", more);
    let told = Told { of: what.named(), resources: resource, denial: None, details: &details };
    insert(tx, app.ids.next(app.clock.now()), context, told).await
}

/// Notes a failure to sign in of whoever the context has.
pub(crate) fn note_failure(app: &App, context: RequestContext, reason: &str, more: Value) {
    let what = SignIn::ConsoleLogin;
    let details = what.details("Failure", more);
    let (resources, denial) = ("*".to_owned(), reason.to_owned());
    note(app, Record { context, of: what.named(), resources, denial, details });
}
