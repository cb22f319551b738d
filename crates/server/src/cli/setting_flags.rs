//! The settings of the configuration as flags.

use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{CONCERNS, Flags, Kind, Setting, settings};

/// Every setting as a flag, and the config file.
#[derive(Debug, Default)]
pub(crate) struct SettingFlags {
    /// The settings given.
    pub(crate) flags: Flags,
    /// The config file given.
    pub(crate) config: Option<PathBuf>,
}

fn argument(setting: &'static Setting, heading: &'static str) -> Arg {
    let argument = Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.value_name)
        .help(format!("{} [default: {}]", first_sentence(setting.help), setting.default))
        .long_help(format!(
            "{}\n[default: {}] [env: {}]",
            setting.help,
            setting.default,
            setting.variable()
        ))
        .help_heading(heading)
        .value_parser(ValueParser::string());
    match setting.kind {
        Kind::Text | Kind::Number => argument.action(ArgAction::Set),
        Kind::List => argument.action(ArgAction::Append),
        Kind::Switch => argument
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}

fn first_sentence(text: &str) -> &str {
    text.find(['.', ';']).and_then(|end| text.get(..end)).unwrap_or(text)
}

fn config_argument() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("The config file, in TOML. [default: none] [env: TONNAGE_CONFIG]")
        .value_parser(ValueParser::path_buf())
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let arguments = CONCERNS.iter().flat_map(|(heading, settings)| {
            settings.iter().map(|setting| argument(setting, heading))
        });
        command.arg(config_argument()).args(arguments)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        for setting in settings() {
            if let Some(values) = matches.get_many::<String>(setting.key) {
                self.flags.insert(setting.key, values.cloned().collect());
            }
        }
        Ok(())
    }
}
