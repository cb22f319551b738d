//! The account settings of ECR.

use maud::html;
use tonnage_domain::error::Error;
use tonnage_domain::registries::account_settings::{
    AccountSettingValue, GetAccountSetting, PutAccountSetting,
};

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts;
use super::super::reply::{Page, Reply};

/// Settings: name, title, and each value with what it means.
type Setting = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const SETTINGS: [Setting; 3] = [
    (
        "BLOB_MOUNTING",
        "Layers that another repository has",
        &[
            (
                "ENABLED",
                "Are not uploaded again",
                "A push takes over layers from repositories that its sender may pull.",
            ),
            (
                "DISABLED",
                "Are uploaded again",
                "Each repository gets every layer from whoever pushes to it.",
            ),
        ],
    ),
    (
        "REGISTRY_POLICY_SCOPE",
        "What a registry policy decides",
        &[
            ("V2", "Every action", "Also those on repositories of this registry."),
            (
                "V1",
                "Replication and creation only",
                "As before V2; a policy may name no other action.",
            ),
        ],
    ),
    (
        "BASIC_SCAN_TYPE_VERSION",
        "What basic scanning is done with",
        &[("AWS_NATIVE", "The scanner of this server", "There is no other.")],
    ),
];

/// What is known of the settings, in their order.
type Values = Vec<Part<AccountSettingValue>>;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let mut values = Vec::new();
    for (name, ..) in SETTINGS {
        values.push(asked.part(GetAccountSetting { name: name.to_owned() }).await?);
    }
    Ok(page(asked, &values).into())
}

pub(crate) fn page(asked: &Asked<'_>, values: &Values) -> Page {
    let path = asked.path("registry/account");
    let content = html! {
        @for ((name, title, options), value) in SETTINGS.iter().zip(values) {
            section {
                @match value {
                    Err(error) => (parts::denied(title, error)),
                    Ok(value) => (parts::form(asked, &path, &html! {
                        input type="hidden" name="name" value=(name);
                        (parts::choice(name, title, &value.value, options))
                        @if options.len() > 1 { div.submit { button.plain type="submit" { "Save" span.hidden { ": " (title) } } } }
                    })),
                }
            }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr get-account-setting", &[("name", "BLOB_MOUNTING")]),
            parts::aws(asked, "ecr put-account-setting", &[("name", "BLOB_MOUNTING"), ("value", "ENABLED")]),
        ]))
    };
    super::page(asked, "Account settings", content)
}

pub(crate) async fn save(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.form.text("name").to_owned();
    let value = asked.form.text(&name).to_owned();
    let put = PutAccountSetting { setting: AccountSettingValue { name, value } };
    forms::came(asked.run(put).await, asked.path("registry/account"), "The setting is saved.")
}
