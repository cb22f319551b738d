//! Page tokens: opaque, signed, and good only for the listing they came from.

use super::token_keys;
use crate::app::App;
use crate::error::{Error, Result};

const PURPOSE: &str = "page-token";

/// Hides `key`, the sort key of a page's last item. `listing` names the operation and what it
/// listed, and must be the same when the token comes back.
///
/// # Errors
/// When the database fails.
pub async fn seal(app: &App, listing: &str, key: &str) -> Result<String> {
    let purpose = format!("{PURPOSE}\0{listing}");
    token_keys::sign_text(app, &purpose, key.as_bytes()).await
}

/// The sort key inside a token.
///
/// # Errors
/// `InvalidParameter` for every token that did not come from this listing.
pub async fn open(app: &App, listing: &str, token: &str) -> Result<String> {
    let purpose = format!("{PURPOSE}\0{listing}");
    token_keys::open_text(app, &purpose, token)
        .await?
        .and_then(|key| String::from_utf8(key).ok())
        .ok_or_else(|| Error::invalid_parameter("nextToken", "Invalid token"))
}
