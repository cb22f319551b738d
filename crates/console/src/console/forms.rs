//! What pages of people and of settings have in common: what came of a form, a policy that is being
//! written, and what is deleted for good.

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};

use super::asked::Asked;
use super::parts;
use super::reply::{Page, Reply};
use super::statements;
use super::{Mistake, PolicyOf};

/// What came of a button: the page at `path` says it.
///
/// # Errors
/// What was not the sender's to mend.
pub(crate) fn came<T>(
    result: Result<T, Error>,
    path: String,
    text: impl Into<String>,
) -> Result<Reply, Error> {
    match result {
        Ok(_) => Ok(Reply::done(path, text)),
        Err(error) if parts::is_mendable(&error) => Ok(Reply::failed(path, error.message())),
        Err(error) => Err(error),
    }
}

/// A page whose form was perhaps refused.
pub(crate) fn shown(page: Page, refused: Option<&Error>) -> Reply {
    match refused {
        Some(error) => page.with_status(parts::status_of(error)).into(),
        None => page.into(),
    }
}

/// A policy that is being written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) text: String,
    /// Why it was not saved.
    pub(crate) error: Option<Error>,
    /// What is probably wrong with it; nothing when it was not looked for.
    pub(crate) mistakes: Option<Vec<Mistake>>,
}

impl Draft {
    /// A text that is looked at and not saved.
    pub(crate) fn checked(asked: &Asked<'_>, kind: PolicyOf, text: &str) -> Self {
        let text = text.to_owned();
        match (asked.visit.lint)(kind, &text) {
            Ok(mistakes) => Self { text, error: None, mistakes: Some(mistakes) },
            Err(wrong) => {
                let error = Error::new(ErrorKind::InvalidParameter, wrong);
                Self { text, error: Some(error), mistakes: None }
            }
        }
    }

    /// A text with the statement of the form at its end, or why none was added.
    pub(crate) fn added(asked: &Asked<'_>, kind: PolicyOf, text: &str) -> Self {
        match statements::added(&asked.form, kind, text) {
            Ok(text) => Self { text, error: None, mistakes: None },
            Err(error) => Self { text: text.to_owned(), error: Some(error), mistakes: None },
        }
    }

    /// A text that was refused. Whatever else is wrong with it is said at the same time.
    pub(crate) fn refused(asked: &Asked<'_>, kind: PolicyOf, text: &str, error: Error) -> Self {
        let mistakes = (asked.visit.lint)(kind, text).ok().filter(|mistakes| !mistakes.is_empty());
        Self { text: text.to_owned(), error: Some(error), mistakes }
    }
}

/// What is to be said of a draft, above its form.
pub(crate) fn remarks(draft: &Draft) -> Markup {
    html! {
        (parts::refusal(draft.error.as_ref()))
        @if let Some(mistakes) = draft.mistakes.as_deref() {
            @if mistakes.is_empty() {
                div."notice"."good" role="status" { p { "No mistake was found. Nothing is saved yet." } }
            } @else {
                div."notice"."warn" role="status" {
                    p { strong { "This is probably not what you mean. Nothing is saved yet." } }
                    ul { @for mistake in mistakes { li { code { (mistake.path) } ": " (mistake.message) } } }
                }
            }
        }
    }
}

/// The buttons of a draft.
pub(crate) fn check_and_save(save: &str) -> Markup {
    html! {
        button type="submit" name="do" value="save" { (save) }
        button.plain type="submit" name="do" value="check" { "Check for mistakes" }
    }
}

/// The end of something, whose name is to be typed first. What is told may have fields of its own.
pub(crate) fn end(
    asked: &Asked<'_>,
    path: &str,
    button: &str,
    name: &str,
    told: &Markup,
) -> Markup {
    html! {
        section aria-labelledby="delete" {
            h2 #delete { "Delete" }
            div.danger-zone {
                (parts::form(asked, path, &html! {
                    (told)
                    input type="hidden" name="do" value="delete";
                    div.row {
                        label for="field-confirm" { "Type " code { (name) } " to confirm" }
                        input #field-confirm name="confirm" autocomplete="off" spellcheck="false" autocapitalize="none" required;
                    }
                    div.submit { button.danger type="submit" { (button) } }
                }))
            }
        }
    }
}

/// Whether the name was typed that deletes something for good.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when it was not.
pub(crate) fn confirmed(asked: &Asked<'_>, name: &str) -> Result<(), Error> {
    match asked.form.text("confirm").trim() == name {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("Nothing was deleted: to confirm, type the name as it is, {name}."),
        )),
    }
}

/// A text as JSON that people read, with everything as it was where it is none.
pub(crate) fn readable(text: &str) -> String {
    super::repositories::lifecycle::readable(text)
}

/// Refuses what is not as it must be.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] with the words given.
pub(crate) fn require(fits: bool, told: impl Into<String>) -> Result<(), Error> {
    if fits { Ok(()) } else { Err(Error::new(ErrorKind::InvalidParameter, told.into())) }
}

/// Whether a text is as names in IAM are: letters, digits and `+=,.@-_`.
pub(crate) fn is_iam_name(text: &str, chars_max: usize) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
    (1..=chars_max).contains(&text.len()) && text.bytes().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_without_a_region() {
        let command = parts::aws_global("iam create-user", &[("user-name", "a b"), ("flag", "")]);
        assert_eq!(command, "aws iam create-user --user-name 'a b' --flag");
    }

    #[test]
    fn names_of_iam() {
        for (text, expected) in
            [("alice", true), ("a+b=c,d.e@f-g_h", true), ("", false), ("a b", false), ("ä", false)]
        {
            assert_eq!(is_iam_name(text, 64), expected, "{text}");
        }
        assert!(!is_iam_name(&"a".repeat(65), 64));
    }

    #[test]
    fn what_came_of_a_button() {
        let mendable = || Error::new(ErrorKind::InvalidParameter, "no");
        assert!(
            matches!(came(Ok(()), "/x".to_owned(), "yes"), Ok(Reply::Moved { flash: Some(flash), .. }) if flash.good)
        );
        assert!(
            matches!(came::<()>(Err(mendable()), "/x".to_owned(), ""), Ok(Reply::Moved { flash: Some(flash), .. }) if !flash.good)
        );
        assert!(came::<()>(Err(Error::internal("broken")), "/x".to_owned(), "").is_err());
    }
}
