//! Cookies. Under TLS their names make browsers keep them to this host; on plain HTTP, where
//! browsers refuse that, the port is part of the name, as all ports of a machine share cookies.

use http::header::{COOKIE, HeaderValue};

use super::Visit;

/// What is kept in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The token of the session.
    Session,
    /// What the form of signing in must carry.
    SignIn,
    /// What a sign-in with an identity provider began with.
    Provider,
    /// What the next page says.
    Flash,
}

impl Cookie {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "tonnage-session",
            Self::SignIn => "tonnage-sign-in",
            Self::Provider => "tonnage-provider",
            Self::Flash => "tonnage-flash",
        }
    }

    /// Without a time it ends with the browser.
    fn seconds(self) -> Option<u32> {
        match self {
            Self::Session => None,
            Self::SignIn => Some(3600),
            Self::Provider => Some(600),
            Self::Flash => Some(60),
        }
    }
}

/// The cookies of a visit.
pub(crate) struct Cookies<'v> {
    visit: &'v Visit<'v>,
    secure: bool,
}

impl<'v> Cookies<'v> {
    pub(crate) fn read(visit: &'v Visit<'v>) -> Self {
        Self { visit, secure: visit.scheme == "https" }
    }

    fn name(&self, cookie: Cookie) -> String {
        if self.secure {
            return format!("__Host-{}", cookie.name());
        }
        let port = self.visit.authority.rsplit(':').next().unwrap_or_default();
        match port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() {
            true => format!("{}-{port}", cookie.name()),
            false => cookie.name().to_owned(),
        }
    }

    pub(crate) fn get(&self, cookie: Cookie) -> Option<&'v str> {
        let name = self.name(cookie);
        let all = self.visit.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        all.flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The value has only letters, digits and `-._~%`.
    pub(crate) fn set(&self, cookie: Cookie, value: &str) -> HeaderValue {
        let age = cookie.seconds().map_or_else(String::new, |age| format!("; Max-Age={age}"));
        self.header(cookie, value, &age)
    }

    pub(crate) fn forget(&self, cookie: Cookie) -> [HeaderValue; 1] {
        [self.header(cookie, "", "; Max-Age=0")]
    }

    fn header(&self, cookie: Cookie, value: &str, age: &str) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text =
            format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}", self.name(cookie));
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("tonnage-none=; Max-Age=0"))
    }
}
