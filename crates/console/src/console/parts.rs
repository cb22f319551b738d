//! What pages are made of: forms, fields, tables, the ways on, what is denied, what broke.

use http::StatusCode;
use maud::{Markup, html};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::{Error, ErrorKind, chain};

use super::asked::Asked;
use super::reply::Page;
use crate::format;

/// A form that is sent to `path`, with the token of the session.
pub(crate) fn form(asked: &Asked<'_>, path: &str, content: &Markup) -> Markup {
    html! {
        form method="post" action=(path) {
            input type="hidden" name="csrf" value=(asked.csrf);
            (content)
        }
    }
}

/// A form of one button beside others.
pub(crate) fn button(asked: &Asked<'_>, path: &str, text: &str, fields: &[(&str, &str)]) -> Markup {
    form_of_button(asked, path, fields, &html! { button.plain type="submit" { (text) } })
}

/// As [`button`], of what takes something away.
pub(crate) fn end_button(
    asked: &Asked<'_>,
    path: &str,
    text: &str,
    fields: &[(&str, &str)],
) -> Markup {
    form_of_button(asked, path, fields, &html! { button.plain.ends type="submit" { (text) } })
}

fn form_of_button(
    asked: &Asked<'_>,
    path: &str,
    fields: &[(&str, &str)],
    button: &Markup,
) -> Markup {
    html! {
        form.inline method="post" action=(path) {
            input type="hidden" name="csrf" value=(asked.csrf);
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            (button)
        }
    }
}

/// A field of one line.
pub(crate) struct Field<'f> {
    pub(crate) name: &'f str,
    pub(crate) label: &'f str,
    pub(crate) value: &'f str,
    /// What it means, or an example; nothing is not shown.
    pub(crate) help: &'f str,
    /// `text`, `password`, `number`, …
    pub(crate) kind: &'f str,
    pub(crate) required: bool,
    /// As HTML has it: what browsers fill in.
    pub(crate) autocomplete: &'f str,
}

impl Default for Field<'_> {
    fn default() -> Self {
        Self {
            name: "",
            label: "",
            value: "",
            help: "",
            kind: "text",
            required: false,
            autocomplete: "off",
        }
    }
}

impl Field<'_> {
    pub(crate) fn render(&self) -> Markup {
        let id = format!("field-{}", self.name);
        let help = format!("{id}-help");
        html! {
            div.row {
                label for=(id) { (self.label) }
                @if !self.help.is_empty() { p.help id=(help) { (self.help) } }
                input id=(id) name=(self.name) type=(self.kind) value=(self.value)
                    autocomplete=(self.autocomplete) spellcheck="false" autocapitalize="none"
                    required[self.required]
                    aria-describedby=[(!self.help.is_empty()).then_some(help.as_str())];
            }
        }
    }
}

/// A field of many lines.
pub(crate) fn text_area(name: &str, label: &str, help: &str, value: &str, rows: u32) -> Markup {
    let id = format!("field-{name}");
    let help_id = format!("{id}-help");
    html! {
        div.row {
            label for=(id) { (label) }
            @if !help.is_empty() { p.help id=(help_id) { (help) } }
            // The first line end after the tag is no part of the text.
            textarea id=(id) name=(name) rows=(rows) spellcheck="false" autocomplete="off"
                aria-describedby=[(!help.is_empty()).then_some(help_id.as_str())] { "\n" (value) }
        }
    }
}

/// A choice of one among few, each with what it means.
pub(crate) fn choice(
    name: &str,
    label: &str,
    value: &str,
    options: &[(&str, &str, &str)],
) -> Markup {
    html! {
        fieldset {
            legend { (label) }
            @for (index, (option, title, help)) in options.iter().enumerate() {
                @let id = format!("field-{name}-{index}");
                div.option {
                    input type="radio" id=(id) name=(name) value=(option) checked[*option == value];
                    label for=(id) { (title) @if !help.is_empty() { span.help { (help) } } }
                }
            }
        }
    }
}

/// A box to check.
pub(crate) fn check(name: &str, label: &str, help: &str, checked: bool) -> Markup {
    let id = format!("field-{name}");
    html! {
        div.option {
            input type="checkbox" id=(id) name=(name) value="yes" checked[checked];
            label for=(id) { (label) @if !help.is_empty() { span.help { (help) } } }
        }
    }
}

/// A choice from a list.
pub(crate) fn select(name: &str, label: &str, value: &str, options: &[(&str, &str)]) -> Markup {
    let id = format!("field-{name}");
    html! {
        div.row {
            label for=(id) { (label) }
            select id=(id) name=(name) {
                @for (option, title) in options {
                    option value=(option) selected[*option == value] { (title) }
                }
            }
        }
    }
}

/// A table that a narrow screen moves sideways; the first column is what a row is about.
pub(crate) fn table(label: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div."box"."scroll" tabindex="0" role="group" aria-label=(label) {
            table {
                thead { tr { @for column in columns {
                    @match column.strip_prefix('#') {
                        Some(number) => th.number scope="col" { (number) },
                        None if column.is_empty() => td {},
                        None => th scope="col" { (column) },
                    }
                } } }
                tbody { (rows) }
            }
        }
    }
}

/// Names and values, one below the other.
pub(crate) fn facts(rows: &[(&str, Markup)]) -> Markup {
    html! {
        dl."box"."pairs" { @for (name, value) in rows { div { dt { (name) } dd { (value) } } } }
    }
}

/// The way to the next page of a list; nothing on the last.
pub(crate) fn pages(
    asked: &Asked<'_>,
    path: &str,
    query: &[(&str, &str)],
    next: Option<&str>,
) -> Markup {
    let is_first = asked.query.optional("after").is_none();
    let mut query = query.to_vec();
    html! {
        @if next.is_some() || !is_first {
            nav.pages aria-label="Pages" {
                @if !is_first { a href=(asked.path_with(path, &query)) { "First page" } }
                @if let Some(next) = next {
                    @let () = query.push(("after", next));
                    a rel="next" href=(asked.path_with(path, &query)) { "Next page" }
                }
            }
        }
    }
}

/// Nothing is there yet, and what makes something be there.
pub(crate) fn empty(title: &str, content: &Markup) -> Markup {
    html! { div.empty { h2 { (title) } (content) } }
}

/// When sums were counted, where that was not just now.
pub(crate) fn counted_at(at: Option<Millis>) -> Markup {
    html! {
        @if let Some(at) = at { p."quiet"."small" { "Counted " (format::moment(at)) " UTC. The sums of a large registry are kept for up to two minutes." } }
    }
}

/// A part of a page that is looked at again while somebody reads it, where scripts run.
pub(crate) fn live(name: &str, content: &Markup) -> Markup {
    html! { div.live id={ "live-" (name) } data-live="" { (content) } }
}

/// A text to copy, with one click where scripts run.
pub(crate) fn copy(text: &str) -> Markup {
    html! { div.command { code data-copy=(text) tabindex="0" { (text) } } }
}

/// The commands that do the same from a shell.
pub(crate) fn same_with_aws(commands: &[String]) -> Markup {
    html! {
        details.aws {
            summary { "The same from a shell" }
            @for command in commands { (copy(command)) }
            p.quiet.small {
                "With credentials and endpoint as " code { "tonnage env" } " or "
                code { "tonnage profile" } " set them."
            }
        }
    }
}

/// A command of `aws` in the region of the page; arguments are quoted for a shell.
pub(crate) fn aws(asked: &Asked<'_>, command: &str, arguments: &[(&str, &str)]) -> String {
    aws_global(&format!("{command} --region {}", asked.context.region), arguments)
}

/// A command of `aws` for a service that has no regions.
pub(crate) fn aws_global(command: &str, arguments: &[(&str, &str)]) -> String {
    let mut text = format!("aws {command}");
    for (option, value) in arguments {
        text.push_str(" --");
        text.push_str(option);
        if !value.is_empty() {
            text.push(' ');
            text.push_str(&shell(value));
        }
    }
    text
}

/// A word as a shell reads it back.
pub(crate) fn shell(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// A small word that says a state.
pub(crate) fn badge(kind: &str, text: &str) -> Markup {
    html! { span class={ "badge " (kind) } { (text) } }
}

/// A part of the page that policies deny.
pub(crate) fn denied(what: &str, error: &Error) -> Markup {
    html! {
        div."notice"."quiet-notice" {
            p { strong { (what) " is not shown: you may not see it." } }
            p.small { (error.message()) }
        }
    }
}

/// What was wrong with a form, above it.
pub(crate) fn refusal(error: Option<&Error>) -> Markup {
    html! {
        @if let Some(error) = error {
            div."notice"."bad" role="alert" {
                @if error.kind() == ErrorKind::AccessDenied { p { strong { "You may not do that." } } }
                p { (error.message()) }
            }
        }
    }
}

/// Whether a form that was refused may be shown again, to be mended: it was the sender's to mend.
pub(crate) fn is_mendable(error: &Error) -> bool {
    !error.is_fault()
}

/// The status of a page that shows a form again.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::AccessDenied => StatusCode::FORBIDDEN,
        ErrorKind::RepositoryNotFound
        | ErrorKind::RegistryNotFound
        | ErrorKind::ImageNotFound
        | ErrorKind::NoSuchEntity => StatusCode::NOT_FOUND,
        ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A page in place of one that failed.
pub(crate) fn error_page(error: &Error) -> Page {
    let title = match error.kind() {
        ErrorKind::AccessDenied => "You may not see or do that",
        ErrorKind::RepositoryNotFound => "There is no such repository",
        ErrorKind::ImageNotFound => "There is no such image",
        ErrorKind::Throttled => "That was asked too often",
        ErrorKind::Unavailable => "Not now",
        ErrorKind::StorageFull => "There is no space left",
        ErrorKind::Internal => {
            tracing::error!(error = chain(error), "a page of the console failed");
            "Something broke"
        }
        _ => "That cannot be done",
    };
    let content = html! {
        div.empty {
            p { (error.message()) }
            @if error.kind() == ErrorKind::AccessDenied {
                p.quiet {
                    "Whoever administers this account can allow it with a policy for the action \
                     that the message names."
                }
            }
            p { a href="/console/" { "To the overview" } }
        }
    };
    Page::new(title, content).with_status(status_of(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        for (text, expected) in [
            ("team/app", "team/app"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$(rm)", "'$(rm)'"),
            ("", "''"),
        ] {
            assert_eq!(shell(text), expected);
        }
    }
}
