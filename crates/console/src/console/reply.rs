//! What a page answers with.

use bytes::Bytes;
use http::StatusCode;
use maud::Markup;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::SecretString;

/// Characters of what the next page says; a cookie has 4 KiB.
const FLASH_MAX: usize = 600;

/// What a page answers with.
pub(crate) enum Reply {
    /// A page.
    Page(Page),
    /// Another page of the console, to be read instead.
    Moved {
        /// Its path.
        path: String,
        /// What it shall say.
        flash: Option<Flash>,
    },
    /// The same, under another session.
    SignedIn { path: String, token: SecretString, flash: Flash },
    /// A picture of a page.
    Image { media_type: &'static str, bytes: Bytes },
    /// Nobody is signed in any more.
    SignedOut,
    /// There is no such thing.
    Missing,
}

impl Reply {
    /// What was sent was done; the page at `path` says so.
    pub(crate) fn done(path: String, text: impl Into<String>) -> Self {
        Self::Moved { path, flash: Some(Flash { good: true, text: text.into() }) }
    }

    /// What was sent was not done; the page at `path` says why.
    pub(crate) fn failed(path: String, text: impl Into<String>) -> Self {
        Self::Moved { path, flash: Some(Flash { good: false, text: text.into() }) }
    }
}

/// A page within the frame of the console.
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) status: StatusCode,
    /// The way to it: names and paths.
    pub(crate) crumbs: Vec<(String, String)>,
    /// What stands beside the title.
    pub(crate) actions: Option<Markup>,
    pub(crate) content: Markup,
}

impl Page {
    pub(crate) fn new(title: impl Into<String>, content: Markup) -> Self {
        Self {
            title: title.into(),
            status: StatusCode::OK,
            crumbs: Vec::new(),
            actions: None,
            content,
        }
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn under(mut self, name: impl Into<String>, path: String) -> Self {
        self.crumbs.push((name.into(), path));
        self
    }

    pub(crate) fn with_actions(mut self, actions: Markup) -> Self {
        self.actions = Some(actions);
        self
    }
}

impl From<Page> for Reply {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

/// What the next page says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flash {
    pub(crate) good: bool,
    pub(crate) text: String,
}

impl Flash {
    /// For a cookie.
    pub(crate) fn write(&self) -> String {
        let text: String = self.text.chars().take(FLASH_MAX).collect();
        let text = utf8_percent_encode(&text, NON_ALPHANUMERIC);
        format!("{}.{text}", if self.good { "good" } else { "bad" })
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let (kind, text) = text.split_once('.')?;
        let text = percent_decode_str(text).decode_utf8().ok()?;
        let text = text.chars().take(FLASH_MAX).collect();
        Some(Self { good: kind == "good", text })
    }
}
