//! The reference pages, made from the settings and from the command line's own declarations.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Arg, Command, CommandFactory as _};

use crate::cli::Arguments;
use crate::config::{CONCERNS, Kind, OTHER_VARIABLES};

const NOTE: &str = "<!-- Made by `tonnage reference docs`; change the code, not this. -->";

/// Writes the pages into a directory, or holds those in it against what they should be.
///
/// # Errors
/// When a page cannot be written, or differs.
pub(super) fn run(directory: &Path, check: bool) -> Result<ExitCode> {
    let pages = [
        ("reference/configuration.md", configuration()),
        ("reference/api.md", super::own_api::page(NOTE)),
        ("reference/command-line.md", command_line()),
        ("compatibility/README.md", super::compatibility::page(NOTE)),
    ];
    for (name, page) in pages {
        let path = directory.join(name);
        if check {
            let found = fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            if found != page {
                bail!("{} is out of date; run `cargo run -- reference docs`", path.display());
            }
        } else {
            fs::create_dir_all(path.parent().unwrap_or(directory))
                .and_then(|()| fs::write(&path, page))
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn configuration() -> String {
    let mut page = format!("# Configuration\n\n{NOTE}\n\n");
    page.push_str(
        "Every setting has three spellings: a flag of `tonnage serve`, a variable of the \
         environment, a key of the config file.\n\
         The flag wins over the variable, that over the file, that over the default.\n\
         A key or a variable `TONNAGE_…` that is not on this page is an error.\n\n\
         The config file is TOML; `--config FILE` or the variable `TONNAGE_CONFIG` names it, and \
         none is read otherwise.\n\
         `tonnage config check` says what is wrong with it.\n\n\
         ```toml\n\
         data_dir = \"/srv/tonnage\"\n\
         listen = [\"127.0.0.1:4510\", \"192.0.2.7:4510\"]\n\
         domain = \"example.com\"\n\
         create_on_push = true\n\
         connections_max = 10000\n\
         ```\n",
    );
    for (concern, settings) in CONCERNS {
        let _ = write!(page, "\n## {concern}\n");
        for setting in *settings {
            let form = match setting.kind {
                Kind::Text => "text",
                Kind::Number => "a number",
                Kind::Switch => "`true` or `false`",
                Kind::List => {
                    "a list: the flag may be repeated, the variable has commas, the key is an array"
                }
            };
            let _ = write!(
                page,
                "\n### `{}`\n\n{}\n\n\
                 - flag: `--{} {}`\n- variable: `{}`\n- value: {form}\n- default: {}\n",
                setting.key,
                setting.help,
                setting.flag(),
                setting.value_name,
                setting.variable(),
                setting.default
            );
        }
    }
    page.push_str("\n## Only in the environment\n\n");
    for (name, help) in OTHER_VARIABLES {
        let _ = writeln!(page, "- `{name}`: {help}");
    }
    page.push_str(
        "\nVariables that Kubernetes makes for a service called `tonnage` (`TONNAGE_PORT`, \
         `TONNAGE_SERVICE_HOST` and the like) are ignored.\n",
    );
    page
}

fn command_line() -> String {
    let mut page = format!("# Command line\n\n{NOTE}\n");
    let mut command = Arguments::command();
    command.build();
    describe(&command, "tonnage", &mut page);
    page
}

fn describe(command: &Command, name: &str, page: &mut String) {
    let _ = write!(page, "\n## `{name}`\n");
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        let _ = write!(page, "\n{about}\n");
    }
    let mut usage = command.clone();
    let usage = usage.render_usage().to_string();
    let _ = write!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage:").trim());
    let shown = |argument: &&Arg| {
        !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
    };
    let arguments: Vec<&Arg> = command.get_arguments().filter(shown).collect();
    if !arguments.is_empty() {
        page.push('\n');
    }
    for argument in arguments {
        let help = argument.get_long_help().or_else(|| argument.get_help());
        let help = help.map(|help| help.to_string().replace('\n', " ")).unwrap_or_default();
        let _ = writeln!(page, "- `{}`: {help}", spelling(argument));
    }
    if let Some(examples) = command.get_after_help() {
        let examples = examples.to_string();
        let lines: Vec<&str> = examples.lines().skip(1).map(str::trim).collect();
        let _ = write!(page, "\n```sh\n{}\n```\n", lines.join("\n"));
    }
    for subcommand in command.get_subcommands() {
        if !subcommand.is_hide_set() && subcommand.get_name() != "help" {
            describe(subcommand, &format!("{name} {}", subcommand.get_name()), page);
        }
    }
}

fn spelling(argument: &Arg) -> String {
    let takes_value = argument.get_action().takes_values();
    let value = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map_or_else(|| argument.get_id().as_str().to_uppercase(), ToString::to_string);
    match argument.get_long() {
        Some(long) if takes_value => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    }
}
