//! Settings that are looked at and nothing more: `--check`.

use std::process::ExitCode;

use anyhow::ensure;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::cli::{self, say};
use crate::databases::Databases;
use crate::roles::orchestrator;

/// What `--check` says of settings that could be parsed: all of them, as a section of a configuration file.
pub(crate) fn run(cli: &cli::Command, command: &Command, chosen: &ArgMatches) -> anyhow::Result<ExitCode> {
    usable(cli)?;
    // A name that is no text is not ours.
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unread = unread(command, chosen, variables);
    let verb = chosen.subcommand_name().unwrap_or_default();
    ensure!(
        unread.is_empty(),
        "no option of `{verb}` reads {}, which the environment has",
        unread.join(", ")
    );
    say(&format!("[{verb}]\n{}", settings(command, chosen).join("\n")));
    Ok(ExitCode::SUCCESS)
}

/// What a role looks at before it opens anything.
fn usable(command: &cli::Command) -> anyhow::Result<()> {
    use cli::Command::{
        Cart, Inventory, Migrate, Notification, Orchestrator, Order, Participants, Payment, Relay,
    };
    use cli::Command::{Shipping, Up};
    match command {
        Up(args) => {
            Databases::of_all(&args.data, &args.server)?;
            args.mail.check()?;
            args.provider.check()?;
            args.payments.check()?;
            args.copies.check()
        }
        Participants(args) => {
            Databases::of_all(&args.data, &args.server)?;
            args.mail.check()?;
            args.provider.check()?;
            args.payments.check()?;
            args.copies.check()
        }
        Relay(args) => Databases::of_all(&args.data, &args.server).map(drop),
        Migrate(args) => args.check(),
        Orchestrator(args) => orchestrator::usable(args).map(drop),
        Inventory(args) | Shipping(args) => Databases::of_one(&args.data, &args.server).map(drop),
        Payment(args) => {
            Databases::of_one(&args.participant.data, &args.participant.server)?;
            args.provider.check()?;
            args.payments.check()
        }
        Order(args) => Databases::of_one(&args.participant.data, &args.participant.server).map(drop),
        Cart(args) => {
            Databases::of_one(&args.participant.data, &args.participant.server)?;
            args.copies.check()
        }
        Notification(args) => {
            Databases::of_one(&args.participant.data, &args.participant.server)?;
            args.mail.check()
        }
        _ => Ok(()),
    }
}

/// A line for each option that has a value, with where it comes from; secrets stay hidden.
fn settings(command: &Command, chosen: &ArgMatches) -> Vec<String> {
    let (command, chosen) = path(command, chosen).pop().unwrap_or((command, chosen));
    let line = |arg: &clap::Arg| {
        let (long, id) = (arg.get_long()?, arg.get_id().as_str());
        let values = chosen.get_raw(id)?.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
        let source = match chosen.value_source(id)? {
            ValueSource::CommandLine => "command line",
            ValueSource::EnvVariable => "environment",
            _ => "default or file",
        };
        let value = if arg.is_hide_env_values_set() { "hidden" } else { values.as_str() };
        (long != "check").then(|| format!("{long} = {} # {source}", toml::Value::from(value)))
    };
    command.get_arguments().filter_map(line).collect()
}

/// Variables that begin like ours and that the chosen command does not read. Only `--check` minds them: some platforms
/// set variables by themselves whose names begin with that of a service.
fn unread(command: &Command, chosen: &ArgMatches, variables: impl Iterator<Item = String>) -> Vec<String> {
    let args = path(command, chosen).into_iter().flat_map(|(command, _)| command.get_arguments());
    let read: Vec<_> = args.filter_map(|arg| arg.get_env()?.to_str()).collect();
    let ours = |name: &String| name.starts_with("BACKSTITCH_") && !read.contains(&name.as_str());
    let mut unread: Vec<String> = variables.filter(ours).collect();
    unread.sort();
    unread
}

/// The command and its chosen subcommands, outermost first.
fn path<'a>(mut command: &'a Command, mut chosen: &'a ArgMatches) -> Vec<(&'a Command, &'a ArgMatches)> {
    let mut path = vec![(command, chosen)];
    while let Some((name, deeper)) = chosen.subcommand() {
        let Some(sub) = command.find_subcommand(name) else { break };
        (command, chosen) = (sub, deeper);
        path.push((command, chosen));
    }
    path
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn parsed(args: &[&str]) -> (Command, ArgMatches) {
        let port = Arg::new("port").long("port").env("BACKSTITCH_PORT").default_value("1");
        let key = Arg::new("key").long("key").env("BACKSTITCH_KEY").hide_env_values(true);
        let log = Arg::new("log").long("log").global(true).env("BACKSTITCH_LOG").default_value("warn");
        let serve = Command::new("serve").args([port, key]);
        let mut command = Command::new("x").arg(log).subcommand(serve).subcommand(Command::new("look"));
        let chosen = command.try_get_matches_from_mut(args).unwrap();
        (command, chosen)
    }

    #[test]
    fn only_what_the_chosen_command_reads_is_known() {
        let unread = |verb: &str| {
            let (command, chosen) = parsed(&["x", verb]);
            let names = ["BACKSTITCH_LOG", "BACKSTITCH_PORT", "BACKSTITCH_PROT", "PATH"].map(str::to_owned);
            unread(&command, &chosen, names.into_iter())
        };
        assert_eq!(unread("serve"), ["BACKSTITCH_PROT"]);
        assert_eq!(unread("look"), ["BACKSTITCH_PORT", "BACKSTITCH_PROT"]);
    }

    #[test]
    fn every_setting_is_told_and_no_secret() {
        let (command, chosen) = parsed(&["x", "--log", "info", "serve", "--key", "sesame"]);
        let told = [
            "port = \"1\" # default or file",
            "key = \"hidden\" # command line",
            "log = \"info\" # command line",
        ];
        assert_eq!(settings(&command, &chosen), told);
    }
}
