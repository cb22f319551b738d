//! Changing one's own password, which some must before anything else.

use maud::html;
use secrecy::SecretString;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::console_sessions::{self, Credentials};
use tonnage_domain::identities::login_profiles::ChangePassword;

use super::super::asked::Asked;
use super::super::parts::{self, Field};
use super::super::reply::{Flash, Page, Reply};

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    Ok(page(asked, None).into())
}

pub(crate) async fn change(asked: &Asked<'_>) -> Result<Reply, Error> {
    let form = &asked.form;
    let secret = |name: &str| SecretString::from(form.text(name).to_owned());
    if form.text("new") != form.text("again") {
        let error = Error::new(
            ErrorKind::InvalidParameter,
            "The new password and its repetition differ. Write the same twice.",
        );
        return Ok(page(asked, Some(&error)).into());
    }
    let change = ChangePassword { old: secret("old"), new: secret("new") };
    match asked.run(change).await {
        Ok(()) => {}
        Err(error) if parts::is_mendable(&error) => return Ok(page(asked, Some(&error)).into()),
        Err(error) => return Err(error),
    }
    if !asked.session.with_password {
        return Ok(Reply::done("/console/account".to_owned(), "Your password is changed."));
    }
    // The change ended every session that the old password began, this one too.
    console_sessions::end_all(asked.app, &asked.context, &asked.session).await?;
    let user_name = asked.session.principal.arn.rsplit('/').next().unwrap_or_default();
    let credentials = Credentials::Password {
        account: asked.context.account.to_string(),
        user_name: user_name.to_owned(),
        password: secret("new"),
    };
    let new = console_sessions::sign_in(asked.app, &asked.context, credentials).await?;
    let flash = Flash {
        good: true,
        text: "Your password is changed. Your other sessions are signed out.".to_owned(),
    };
    Ok(Reply::SignedIn { path: "/console/".to_owned(), token: new.token, flash })
}

fn page(asked: &Asked<'_>, error: Option<&Error>) -> Page {
    let field = |name, label, help, autocomplete| {
        Field {
            name,
            label,
            help,
            kind: "password",
            required: true,
            autocomplete,
            ..Field::default()
        }
        .render()
    };
    let content = html! {
        @if asked.session.must_change_password {
            div."notice" { p { "Whoever made your user wants you to choose a password of your own before you go on." } }
        }
        (parts::refusal(error))
        (parts::form(asked, "/console/password", &html! {
            (field("old", "Present password", "", "current-password"))
            (field("new", "New password", "8 to 128 characters; three of upper case, lower case, digits and symbols.", "new-password"))
            (field("again", "New password, again", "", "new-password"))
            div.submit { button type="submit" { "Change password" } }
        }))
        (parts::same_with_aws(&["aws iam change-password --old-password OLD --new-password NEW".to_owned()]))
    };
    let page = Page::new("Change your password", content);
    match error {
        Some(error) => page.with_status(parts::status_of(error)),
        None => page,
    }
}
