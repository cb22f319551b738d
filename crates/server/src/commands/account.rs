//! `tonnage account`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use http::Method;
use tonnage_domain::names::AccountId;

use super::place::Place;
use super::policy::read_document;
use crate::admin::client::call;
use crate::admin::{Account, AccountLimit, Accounts, CreatedAccount, NewAccount};
use crate::cli::{AccountCommands, AccountLimitCommands, PlaceArguments};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: AccountCommands) -> Result<ExitCode> {
    match command {
        AccountCommands::Create { place, id, name } => {
            let place = Place::find(&place)?;
            let new = NewAccount { id, name };
            let created: CreatedAccount =
                call(&place.layout, Method::POST, "/accounts", Some(&new)).await?;
            print_created(&place, &created);
        }
        AccountCommands::List { place } => {
            let listed: Accounts =
                call(&Place::find(&place)?.layout, Method::GET, "/accounts", None::<&()>).await?;
            for Account { id, name, state, created_at } in listed.accounts {
                say!("{id}  {state:<9}  {created_at}  {name}");
            }
        }
        AccountCommands::Limit(command) => limit(command).await?,
        AccountCommands::Suspend { place, id } => {
            set_state(&place, &id, "suspend").await?;
            say!("Account {id} is suspended.");
        }
        AccountCommands::Resume { place, id } => {
            set_state(&place, &id, "resume").await?;
            say!("Account {id} is active.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn limit(command: AccountLimitCommands) -> Result<()> {
    match command {
        AccountLimitCommands::Put { place, id, file } => {
            let path = limit_path(&id)?;
            let document = Some(read_document(&file)?);
            let limit = AccountLimit { document };
            let _: serde_json::Value =
                call(&Place::find(&place)?.layout, Method::PUT, &path, Some(&limit)).await?;
            say!("Account {id} is limited.");
        }
        AccountLimitCommands::Get { place, id } => {
            let path = limit_path(&id)?;
            let limit: AccountLimit =
                call(&Place::find(&place)?.layout, Method::GET, &path, None::<&()>).await?;
            say_part!("{}", limit.document.unwrap_or_default());
        }
        AccountLimitCommands::Delete { place, id } => {
            let path = limit_path(&id)?;
            let _: serde_json::Value =
                call(&Place::find(&place)?.layout, Method::DELETE, &path, None::<&()>).await?;
            say!("Account {id} has no limit.");
        }
    }
    Ok(())
}

fn limit_path(id: &str) -> Result<String> {
    let id = AccountId::parse(id)
        .map_err(|_| anyhow!("{id:?} is no account id, which has 12 digits"))?;
    Ok(format!("/accounts/{id}/limit"))
}

async fn set_state(place: &PlaceArguments, id: &str, verb: &str) -> Result<()> {
    let id = AccountId::parse(id)
        .map_err(|_| anyhow!("{id:?} is no account id, which has 12 digits"))?;
    let path = format!("/accounts/{id}/{verb}");
    let _: serde_json::Value =
        call(&Place::find(place)?.layout, Method::POST, &path, None::<&()>).await?;
    Ok(())
}

fn print_created(place: &Place, created: &CreatedAccount) {
    let CreatedAccount { account, access_key_id, secret_access_key } = created;
    say!("Account {} ({}) is created.\n", account.id, account.name);
    say!("  aws_access_key_id      {access_key_id}");
    say!("  aws_secret_access_key  {secret_access_key}\n");
    say!("This is its root access key; the secret is not shown again. To use it in a shell:\n");
    let endpoint = place.authority().map(|authority| format!("http://{authority}"));
    let export = |name: &str, value: &str| {
        say!("  {}", crate::shell::Shell::Sh.export(name, value));
    };
    if let Ok(endpoint) = endpoint {
        export("AWS_ENDPOINT_URL", &endpoint);
    }
    export("AWS_ACCESS_KEY_ID", access_key_id);
    export("AWS_SECRET_ACCESS_KEY", secret_access_key);
    export("AWS_REGION", &place.region);
}
