//! Signing in.

pub(crate) mod password;
pub(crate) mod provider;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};
use tonnage_domain::app::App;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::console_sessions::{self, Credentials, sign_in};

use super::cookies::{Cookie, Cookies};
use super::form::Form;
use super::parts::{self, Field};
use super::{
    PREFIX, Visit, append, bare_page, broken, csrf_of, frame, html as with_html, is_same, redirect,
};

/// Of what the form of signing in carries.
const NONCE_CHARS: usize = 43;

/// The page of signing in, which then goes on to another one.
pub(crate) fn path_to(next: &str) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    if next != "/console/" && is_ours(next) {
        text.append_pair("next", next);
    }
    let query = text.finish();
    match query.is_empty() {
        true => format!("{PREFIX}/sign-in"),
        false => format!("{PREFIX}/sign-in?{query}"),
    }
}

/// Whether somebody may be sent there after signing in: a page of the console, and nothing that a
/// browser could take for another host's.
pub(crate) fn is_ours(path: &str) -> bool {
    let is_of_address =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~:@%?=&+!*,".contains(&byte);
    path.len() <= 2000
        && path.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('/'))
        && !path.contains("//")
        && !path.contains("/..")
        && path.bytes().all(is_of_address)
}

pub(crate) async fn answer(
    app: &App,
    visit: &Visit<'_>,
    cookies: &Cookies<'_>,
    form: &Form,
) -> Response<Bytes> {
    if *visit.method != Method::POST {
        let query = Form::parse(visit.uri.query().unwrap_or_default().as_bytes());
        let tab = query.text("with").to_owned();
        return show(
            app,
            visit,
            cookies,
            &Shown { tab: &tab, next: query.text("next"), form, error: None },
        );
    }
    let nonce = cookies.get(Cookie::SignIn).unwrap_or_default();
    if nonce.is_empty() || !is_same(form.text("csrf"), &csrf_of(nonce)) {
        return bare_page(visit, StatusCode::FORBIDDEN);
    }
    let tab = form.text("with");
    let secret = SecretString::from(form.text("secret").to_owned());
    let credentials = match tab {
        "password" => Credentials::Password {
            account: form.text("account").trim().to_owned(),
            user_name: form.text("user").trim().to_owned(),
            password: secret,
        },
        _ => Credentials::AccessKey {
            id: form.text("key").trim().to_owned(),
            secret: SecretString::from(secret.expose_secret().trim().to_owned()),
        },
    };
    let context = &visit.context;
    match sign_in(app, context, credentials).await {
        Ok(new) => {
            let next = form.text("next");
            let next = if is_ours(next) { next } else { "/console/" };
            let session = cookies.set(Cookie::Session, new.token.expose_secret());
            let mut response = redirect(next, &[session]);
            append(response.headers_mut(), &cookies.forget(Cookie::SignIn));
            response
        }
        Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Throttled) => {
            show(
                app,
                visit,
                cookies,
                &Shown { tab, next: form.text("next"), form, error: Some(&error) },
            )
        }
        Err(error) => broken(visit, &error),
    }
}

struct Shown<'s> {
    tab: &'s str,
    next: &'s str,
    form: &'s Form,
    error: Option<&'s Error>,
}

fn show(app: &App, visit: &Visit<'_>, cookies: &Cookies<'_>, shown: &Shown<'_>) -> Response<Bytes> {
    // A browser that has one keeps it, so that two windows do not shut each other out.
    let known = cookies.get(Cookie::SignIn).filter(|nonce| nonce.len() == NONCE_CHARS);
    let nonce = match known {
        Some(nonce) => nonce.to_owned(),
        None => match console_sessions::nonce() {
            Ok(nonce) => nonce,
            Err(error) => return broken(visit, &error),
        },
    };
    let status = shown.error.map_or(StatusCode::OK, parts::status_of);
    let mut response = with_html(status, page(app, visit, &csrf_of(&nonce), shown));
    append(response.headers_mut(), &[cookies.set(Cookie::SignIn, &nonce)]);
    response
}

fn page(app: &App, visit: &Visit<'_>, csrf: &str, shown: &Shown<'_>) -> String {
    let with_password = shown.tab == "password";
    let own = visit.uri.path();
    let tab = |name: &str, title: &str, current: bool| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("with", name);
        if is_ours(shown.next) {
            query.append_pair("next", shown.next);
        }
        html! {
            @if current { a href={ (own) "?" (query.finish()) } aria-current="page" { (title) } }
            @else { a href={ (own) "?" (query.finish()) } { (title) } }
        }
    };
    let content = html! {
        div.panel {
            h1 { "Sign in" }
            @if let Some(name) = provider::name(app) {
                a.button.wide href=(provider::begin_path(shown.next)) { "Sign in with " (name) }
                p.quiet.small.center { "or with what this registry gave you" }
            }
            nav.tabs aria-label="Ways to sign in" {
                (tab("key", "Access key", !with_password))
                (tab("password", "User and password", with_password))
            }
            (parts::refusal(shown.error))
            form method="post" action=(own) {
                input type="hidden" name="csrf" value=(csrf);
                input type="hidden" name="with" value=(if with_password { "password" } else { "key" });
                @if is_ours(shown.next) { input type="hidden" name="next" value=(shown.next); }
                @if with_password { (password_fields(shown.form)) } @else { (key_fields(shown.form)) }
                div.submit { button type="submit" { "Sign in" } }
            }
        }
        @if !with_password {
            div.hint {
                p { "The first key of a new registry is in a file that its start names; a shell beside it shows the key:" }
                (parts::copy("tonnage env"))
            }
        }
    };
    frame::render_bare(visit, "Sign in", &content)
}

fn key_fields(form: &Form) -> Markup {
    html! {
        (Field {
            name: "key", label: "Access key ID", value: form.text("key"),
            help: "Begins with AKIA.", required: true, autocomplete: "username",
            ..Field::default()
        }.render())
        (Field {
            name: "secret", label: "Secret access key", kind: "password", required: true,
            autocomplete: "current-password", ..Field::default()
        }.render())
    }
}

fn password_fields(form: &Form) -> Markup {
    html! {
        (Field {
            name: "account", label: "Account", value: form.text("account"),
            help: "12 digits, or the alias of the account.", required: true,
            autocomplete: "organization", ..Field::default()
        }.render())
        (Field {
            name: "user", label: "User name", value: form.text("user"), required: true,
            autocomplete: "username", ..Field::default()
        }.render())
        (Field {
            name: "secret", label: "Password", kind: "password", required: true,
            autocomplete: "current-password", ..Field::default()
        }.render())
    }
}

/// Why nobody may sign in this way.
pub(crate) fn refused_plain(visit: &Visit<'_>) -> String {
    let content = html! {
        div.panel {
            h1 { "This connection is not private" }
            p {
                "You opened the console as " code { "http://" (visit.authority) } ": everybody on \
                 the way could read your keys and use your session. Nothing is shown over plain \
                 HTTP but to the machine that the registry runs on."
            }
            p { "One of these helps:" }
            ul {
                li { "Give the registry a certificate: " code { "--tls-certificate-file" } " and " code { "--tls-key-file" } "." }
                li {
                    "Put a proxy with a certificate before it. It must say "
                    code { "X-Forwarded-Proto: https" } ", and be one of "
                    code { "--trusted-proxy" } "."
                }
                li { "Bring the port to your machine, and open it as " code { "localhost" } ":"
                    (parts::copy("ssh -L 4510:localhost:4510 HOST"))
                }
                li {
                    "Where the network itself is private, such as a VPN, start it with "
                    code { "--console-plain-http" } "."
                }
            }
        }
    };
    frame::render_bare(visit, "This connection is not private", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signed_in_stays_here() {
        for (path, expected) in [
            ("/console/", true),
            ("/console/us-east-1/repositories/team/app/-/images/sha256:00?after=a%2Fb&x=1", true),
            ("/console", false),
            ("/console//evil.example", false),
            ("/console/\\evil.example", false),
            ("/console/../v2/", false),
            ("/consolex/", false),
            ("//evil.example/console/", false),
            ("https://evil.example/console/", false),
            ("/console/\r\nSet-Cookie: a=b", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            assert_eq!(is_ours(path), expected, "{path:?}");
        }
        assert_eq!(path_to("/console/"), "/console/sign-in");
        assert_eq!(path_to("//evil"), "/console/sign-in");
        assert_eq!(path_to("/console/a?b=c"), "/console/sign-in?next=%2Fconsole%2Fa%3Fb%3Dc");
    }
}
