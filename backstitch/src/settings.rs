//! Where settings come from: defaults, then the configuration file, then the environment, then flags.
//!
//! The file is applied by replacing the defaults of the command's own arguments before they are parsed, so a value
//! in it is checked by the same parser and a mistake is reported under the argument's name.

use std::path::{Path, PathBuf};

use clap::{Arg, Command};

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("the configuration file {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {path} is no TOML: {source}")]
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    #[error(
        "the configuration file {path} sets `{key}` for `{command}`, which has no such option; it has: {known}"
    )]
    Unknown { path: PathBuf, command: String, key: String, known: String },
    #[error("the configuration file {path} has a section `{section}`, but there is no such command")]
    Section { path: PathBuf, section: String },
    #[error(
        "the configuration file {path} sets `{key}` to something that is neither a string, a number nor a boolean"
    )]
    Kind { path: PathBuf, key: String },
}

/// The file named by `--config` or `BACKSTITCH_CONFIG`, if there is one. Looked for before parsing, because what it
/// says becomes the parser's defaults.
pub(crate) fn file_from(args: &[String], environment: Option<String>) -> Option<PathBuf> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.strip_prefix("--config=") {
            return Some(path.into());
        }
    }
    environment.filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// `command` with the defaults that `path` gives: one section per subcommand, keys named like its long options.
pub(crate) fn with_file(mut command: Command, path: &Path) -> Result<Command, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
    let file: toml::Table = text
        .parse()
        .map_err(|source| SettingsError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
    for (section, values) in file {
        let toml::Value::Table(values) = values else {
            command = set(command, path, &section, &values)?;
            continue;
        };
        if command.find_subcommand(&section).is_none() {
            return Err(SettingsError::Section { path: path.to_owned(), section });
        }
        for (key, value) in values {
            let sub = command.find_subcommand(&section).cloned().unwrap_or_default();
            let sub = set(sub, path, &key, &value)?;
            command = command.mut_subcommand(&section, |_| sub);
        }
    }
    Ok(command)
}

/// `command` with another default for the option that `key` names.
fn set(command: Command, path: &Path, key: &str, value: &toml::Value) -> Result<Command, SettingsError> {
    let path = path.to_owned();
    let text =
        text_of(value).ok_or_else(|| SettingsError::Kind { path: path.clone(), key: key.to_owned() })?;
    let known: Vec<(String, String)> = command
        .get_arguments()
        .filter_map(|a| Some((a.get_long()?.into(), a.get_id().to_string())))
        .collect();
    let Some((_, id)) = known.iter().find(|(long, _)| long == key).cloned() else {
        let known = known.into_iter().map(|(long, _)| long).collect::<Vec<_>>().join(", ");
        let command = command.get_name().to_owned();
        return Err(SettingsError::Unknown { path, command, key: key.to_owned(), known });
    };
    Ok(command.mut_arg(id, |arg: Arg| arg.default_value(text).required(false)))
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        toml::Value::Float(f) => Some(f.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::value_parser;

    use super::*;

    fn command() -> Command {
        let port = Arg::new("port").long("port").default_value("1").value_parser(value_parser!(u16));
        Command::new("x").subcommand(Command::new("serve").arg(port))
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn port(command: Command, args: &[&str]) -> Result<u16, String> {
        let matches = command.try_get_matches_from(args).map_err(|e| e.to_string())?;
        Ok(*matches.subcommand_matches("serve").unwrap().get_one("port").unwrap())
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let file = file("[serve]\nport = 2\n");
        assert_eq!(port(command(), &["x", "serve"]), Ok(1));
        let with = || with_file(command(), file.path()).unwrap();
        assert_eq!(port(with(), &["x", "serve"]), Ok(2));
        assert_eq!(port(with(), &["x", "serve", "--port", "3"]), Ok(3));
    }

    #[test]
    fn what_every_command_has_stands_before_the_sections() {
        let log = Arg::new("log").long("log").global(true).default_value("warn");
        let with =
            with_file(command().arg(log), file("log = \"debug\"\n[serve]\nport = 2\n").path()).unwrap();
        let matches = with.try_get_matches_from(["x", "serve"]).unwrap();
        assert_eq!(matches.get_one::<String>("log").map(String::as_str), Some("debug"));
    }

    #[test]
    fn a_mistake_names_the_key_and_what_there_is() {
        let unknown = with_file(command(), file("[serve]\nprot = 2\n").path()).unwrap_err().to_string();
        assert!(unknown.contains("`prot`") && unknown.contains("it has: port"), "{unknown}");
        let section = with_file(command(), file("[sevre]\n").path()).unwrap_err().to_string();
        assert!(section.contains("`sevre`"), "{section}");
        let value =
            port(with_file(command(), file("[serve]\nport = 70000\n").path()).unwrap(), &["x", "serve"]);
        assert!(value.unwrap_err().contains("--port"));
    }

    #[test]
    fn the_example_file_names_real_options_with_their_real_defaults() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose/backstitch.toml");
        let command = with_file(crate::cli::command(), &example).unwrap();
        for section in command.get_subcommands() {
            let plain = crate::cli::command();
            let plain = plain.find_subcommand(section.get_name()).unwrap();
            for arg in section.get_arguments() {
                let same = plain.get_arguments().find(|a| a.get_id() == arg.get_id()).unwrap();
                assert_eq!(
                    arg.get_default_values(),
                    same.get_default_values(),
                    "{} {arg}",
                    section.get_name()
                );
            }
        }
        // What is off by default is named correctly too.
        let text = std::fs::read_to_string(&example).unwrap();
        let uncommented = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => {
                rest.to_owned()
            }
            _ => line.to_owned(),
        });
        let all = uncommented.collect::<Vec<_>>().join("\n");
        with_file(crate::cli::command(), file(&all).path()).unwrap();
    }

    #[test]
    fn the_file_is_found_in_either_form_or_in_the_environment() {
        let args = |args: &[&str]| args.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(file_from(&args(&["x", "up", "--config", "a"]), Some("b".into())), Some("a".into()));
        assert_eq!(file_from(&args(&["x", "up", "--config=a"]), None), Some("a".into()));
        assert_eq!(file_from(&args(&["x", "up"]), Some("b".into())), Some("b".into()));
        assert_eq!(file_from(&args(&["x", "up"]), None), None);
    }
}
