//! A page that somebody who is signed in asks for, or a form that they send.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tonnage_domain::app::App;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::identities::console_sessions::ConsoleSession;
use tonnage_domain::names::{Region, RepositoryName};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;

use super::form::Form;
use super::recorded::{self, Recorded};
use super::reply::Flash;
use super::{PREFIX, Visit};

/// What stands for itself in a path.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// Who asks for what.
pub(crate) struct Asked<'a> {
    pub(crate) app: &'a App,
    pub(crate) visit: &'a Visit<'a>,
    pub(crate) session: ConsoleSession,
    /// What forms of the session carry.
    pub(crate) csrf: String,
    /// As whom operations run, and in which region.
    pub(crate) context: RequestContext,
    /// The query of the address.
    pub(crate) query: Form,
    /// What was sent; empty where a page is read.
    pub(crate) form: Form,
    /// What the address has in place of the names in braces.
    pub(crate) parameters: Vec<(&'static str, String)>,
    /// What the page says first.
    pub(crate) flash: Option<Flash>,
    /// Where the page is in the menu.
    pub(crate) menu_path: &'static str,
}

/// A part of a page: there, or not for this person.
pub(crate) type Part<T> = Result<T, Error>;

impl Asked<'_> {
    /// Runs an operation as whoever is signed in.
    ///
    /// # Errors
    /// As the operation; the page is then one that says so.
    pub(crate) async fn run<O: Operation + Recorded>(
        &self,
        operation: O,
    ) -> Result<O::Output, Error> {
        let context = recorded::as_requested(&self.context, &operation);
        execute(self.app, &context, operation).await
    }

    /// Runs an operation in another region.
    ///
    /// # Errors
    /// As the operation.
    pub(crate) async fn run_in<O: Operation + Recorded>(
        &self,
        region: Region,
        operation: O,
    ) -> Result<O::Output, Error> {
        let context = recorded::as_requested(&self.context, &operation);
        execute(self.app, &RequestContext { region, ..context }, operation).await
    }

    /// Runs an operation without which the rest of the page still makes sense: a denial stays
    /// there, every other failure is that of the page.
    ///
    /// # Errors
    /// As the operation, but for denials.
    pub(crate) async fn part<O: Operation + Recorded>(
        &self,
        operation: O,
    ) -> Result<Part<O::Output>, Error> {
        match self.run(operation).await {
            Err(error) if error.kind() == ErrorKind::AccessDenied => Ok(Err(error)),
            Err(error) => Err(error),
            Ok(output) => Ok(Ok(output)),
        }
    }

    /// As [`Asked::part`], and what is not there is nothing.
    ///
    /// # Errors
    /// As [`Asked::part`].
    pub(crate) async fn part_or_none<O: Operation + Recorded>(
        &self,
        operation: O,
        absent: ErrorKind,
    ) -> Result<Part<Option<O::Output>>, Error> {
        match self.part(operation).await {
            Err(error) if error.kind() == absent => Ok(Ok(None)),
            Err(error) => Err(error),
            Ok(part) => Ok(part.map(Some)),
        }
    }

    /// What the address has in place of a name in braces; a route has what its page asks for.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The path of a page in this region; `path` is encoded as needed.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{PREFIX}/{}/{}", self.context.region, encode(path))
    }

    /// The path of a page with a query.
    pub(crate) fn path_with(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
        let query = text.finish();
        match query.is_empty() {
            true => self.path(path),
            false => format!("{}?{query}", self.path(path)),
        }
    }

    /// The path of a page of a repository: nothing for its images, `lifecycle`, `images/sha256:…`.
    pub(crate) fn repository_path(&self, name: &RepositoryName, page: &str) -> String {
        match page {
            "" => self.path(&format!("repositories/{name}")),
            page => self.path(&format!("repositories/{name}/-/{page}")),
        }
    }

    /// The repository that the address names; `None` when that is no name of one.
    pub(crate) fn repository(&self) -> Option<RepositoryAddress> {
        let name = RepositoryName::parse(self.parameter("repository")).ok()?;
        Some(RepositoryAddress::new(&self.context, None, name))
    }

    /// The page of a list that the query asks for.
    pub(crate) fn page(&self, limit: u32) -> PageRequest {
        PageRequest { after: self.query.optional("after").map(str::to_owned), limit }
    }

    /// The host of images, as docker has it.
    pub(crate) fn registry(&self) -> String {
        (self.visit.registry_authority)(&self.context.account, &self.context.region)
    }
}

/// A text as a part of a path; slashes stay.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}
