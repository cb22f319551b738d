//! STS `DecodeAuthorizationMessage`, and the messages that it decodes.
//!
//! AWS puts such a message into the text of errors of some services, and not of ECR. Here it stands
//! beside the error, in a header of the answer, so that no text changes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app::App;
use crate::authorize::Denied;
use crate::context::RequestContext;
use crate::encryption::sealing_key::{SealingKey, random};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::identities::token_keys;

const PURPOSE: &str = "authorization-message";
const KEY_PURPOSE: &str = "authorization-message-key";
/// Every message is of this many bytes, so that its length tells nothing; condition keys that do
/// not fit are left out.
const PLAIN_BYTES: usize = 2048;
/// The longest message that is looked at (botocore `sts`, shape `encodedMessageType`).
const MESSAGE_BYTES_MAX: usize = 10_240;

/// Seals an explanation for whoever may decode it.
///
/// # Errors
/// When the database fails.
pub async fn encode(app: &App, denied: &Denied) -> Result<String> {
    let mut denied = denied.clone();
    let mut plain = serde_json::to_vec(&denied).map_err(Error::internal)?;
    while plain.len() > PLAIN_BYTES && denied.shorten() {
        plain = serde_json::to_vec(&denied).map_err(Error::internal)?;
    }
    // White space after the document is none of it.
    plain.resize(plain.len().max(PLAIN_BYTES), b' ');
    let nonce: [u8; 16] = random()?;
    let token = token_keys::sign_text(app, PURPOSE, &nonce).await?;
    let key = key(app, &token, &nonce)
        .await?
        .ok_or_else(|| Error::internal("the key that signed a message is gone"))?;
    let sealed = key.seal(PURPOSE, &token, &plain)?;
    Ok(format!("{token}.{}", URL_SAFE_NO_PAD.encode(sealed)))
}

async fn key(app: &App, token: &str, nonce: &[u8]) -> Result<Option<SealingKey>> {
    let key_id = token.split('.').next().unwrap_or_default();
    let derived = token_keys::derive(app, key_id, KEY_PURPOSE, nonce).await?;
    derived.map(|bytes| SealingKey::from_slice(&bytes)).transpose()
}

async fn decode(app: &App, message: &str) -> Result<Option<Denied>> {
    let parts = message.rsplit_once('.').filter(|_| message.len() <= MESSAGE_BYTES_MAX);
    let Some((token, sealed)) = parts else { return Ok(None) };
    let Some(nonce) = token_keys::open_text(app, PURPOSE, token).await? else { return Ok(None) };
    let (Ok(sealed), Some(key)) = (URL_SAFE_NO_PAD.decode(sealed), key(app, token, &nonce).await?)
    else {
        return Ok(None);
    };
    let Ok(plain) = key.open(PURPOSE, token, &sealed) else { return Ok(None) };
    serde_json::from_slice(&plain).map(Some).map_err(Error::internal)
}

/// Tells what a message says: a JSON document, as AWS documents it. Messages of other accounts are
/// like messages that nobody made. A message can be decoded for at least two days.
///
/// # Errors
/// [`ErrorKind::InvalidAuthorizationMessage`].
#[derive(Clone, Debug)]
pub struct DecodeAuthorizationMessage {
    /// What stood in the header `x-tonnage-authorization-message`.
    pub message: String,
}

impl Operation for DecodeAuthorizationMessage {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "DecodeAuthorizationMessage" };
    type Output = String;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("sts:DecodeAuthorizationMessage", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<String> {
        let denied = decode(call.app, &self.message).await?;
        match denied.filter(|denied| denied.account == call.context.principal.account.as_str()) {
            Some(denied) => Ok(denied.document().to_string()),
            None => Err(Error::new(
                ErrorKind::InvalidAuthorizationMessage,
                "Message is not a valid authorization message of this account",
            )),
        }
    }
}
