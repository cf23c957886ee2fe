//! `[secrets.<name>]`: where the values of a source are. The file says where, never what.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::EnvFileSource;
use crate::names::Pointer;

/// Where the values of a source are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In an env file.
    EnvFile(EnvFileSource),
    /// In a JSON file: an object of texts.
    Json {
        /// The file.
        file: PathBuf,
        /// Where in it the object is.
        pointer: Pointer,
    },
    /// On the standard output of a program: a JSON object of texts, or the lines of an env file.
    Command {
        /// Program and arguments; no shell reads them.
        argv: Vec<String>,
        /// Where in the JSON the object is; nothing where the whole output is meant.
        pointer: Option<Pointer>,
    },
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SecretsTable {
    env_file: Option<String>,
    json: Option<PathBuf>,
    command: Option<Vec<String>>,
    pointer: Option<String>,
}

impl SecretsTable {
    /// The one source that it names; relative paths are relative to `base`.
    ///
    /// # Errors
    /// In words, when it names none or several, or has a pointer that leads nowhere.
    pub(super) fn source(self, base: &Path) -> Result<SecretSource, String> {
        let pointer = self
            .pointer
            .map(|text| Pointer::parse(&text).map_err(|error| format!("pointer: {error}")))
            .transpose()?;
        match (self.env_file, self.json, self.command) {
            (Some(_), None, None) if pointer.is_some() => Err(
                "pointer belongs to json and command; where a JSON file names the env file, write env-file = \
                 \"file.json#/pointer\""
                    .to_owned(),
            ),
            (Some(file), None, None) if file.is_empty() => Err("env-file is empty".to_owned()),
            (Some(file), None, None) => Ok(SecretSource::EnvFile(EnvFileSource::parse(&file, base))),
            (None, Some(file), None) if file.as_os_str().is_empty() => Err("json is empty".to_owned()),
            (None, Some(file), None) => Ok(SecretSource::Json {
                file: base.join(file),
                pointer: pointer.unwrap_or_else(Pointer::root),
            }),
            (None, None, Some(argv)) => Ok(SecretSource::Command { argv: located(argv, base)?, pointer }),
            (None, None, None) => {
                Err("one of env-file, json and command must say where the values are".to_owned())
            }
            _ => Err("only one of env-file, json and command can be where the values are".to_owned()),
        }
    }
}

/// A program that is named by a path is looked for beside the file, any other in PATH.
fn located(mut argv: Vec<String>, base: &Path) -> Result<Vec<String>, String> {
    match argv.first_mut() {
        Some(program) if program.contains('/') => {
            *program = base
                .join(program.as_str())
                .into_os_string()
                .into_string()
                .map_err(|_| "the program of command is in a folder whose name is no UTF-8".to_owned())?;
        }
        Some(program) if !program.is_empty() => {}
        _ => return Err("command names no program".to_owned()),
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return Err("command has a word with a NUL byte, which no program can be given".to_owned());
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(table: &str) -> Result<SecretSource, String> {
        toml::from_str::<SecretsTable>(table)
            .map_err(|error| error.message().to_owned())
            .and_then(|table| table.source(Path::new("/srv")))
    }

    #[test]
    fn each_kind_of_source_is_relative_to_the_file() {
        let pointer = |text| Pointer::parse(text).expect("a pointer");
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        for (table, expected) in [
            ("env-file = \"a.env\"", SecretSource::EnvFile(EnvFileSource::Path("/srv/a.env".into()))),
            (
                "env-file = \"config.json#/a/b\"",
                SecretSource::EnvFile(EnvFileSource::Pointer {
                    file: "/srv/config.json".into(),
                    pointer: "/a/b".to_owned(),
                }),
            ),
            ("json = \"/x.json\"", SecretSource::Json { file: "/x.json".into(), pointer: pointer("") }),
            (
                "json = \"x.json\"\npointer = \"/a\"",
                SecretSource::Json { file: "/srv/x.json".into(), pointer: pointer("/a") },
            ),
            (
                "command = [\"pass\", \"./x\"]",
                SecretSource::Command { argv: words(&["pass", "./x"]), pointer: None },
            ),
            (
                "command = [\"bin/get\"]\npointer = \"/a\"",
                SecretSource::Command { argv: words(&["/srv/bin/get"]), pointer: Some(pointer("/a")) },
            ),
        ] {
            assert_eq!(source(table), Ok(expected), "{table}");
        }
    }

    #[test]
    fn what_names_no_single_source_is_an_error_in_words() {
        for (table, word) in [
            ("", "one of env-file, json and command must"),
            ("pointer = \"/a\"", "one of env-file, json and command must"),
            ("env-file = \"a\"\njson = \"b\"", "only one of"),
            ("json = \"a\"\ncommand = [\"b\"]", "only one of"),
            ("env-file = \"a\"\npointer = \"/b\"", "env-file = \"file.json#/pointer\""),
            ("env-file = \"\"", "env-file is empty"),
            ("json = \"\"", "json is empty"),
            ("json = \"a\"\npointer = \"b\"", "is no JSON pointer"),
            ("command = []", "names no program"),
            ("command = [\"\", \"a\"]", "names no program"),
            ("command = [\"a\", \"\\u0000\"]", "NUL byte"),
            ("command = \"a b\"", "invalid type"),
            ("TOKEN = \"hunter2\"", "unknown field `TOKEN`"),
        ] {
            let error = source(table).expect_err(table);
            assert!(error.contains(word), "{table}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
