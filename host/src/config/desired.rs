//! The desired state, `deploy.json`: environment → service → commit.
//!
//! ```json
//! { "prod": { "project-manager": "0123456789abcdef0123456789abcdef01234567" } }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::file::read;
use super::invalid::without_text;
use crate::fault::Fault;
use crate::names::{Commit, Environment, ServiceName};
use crate::unique::Unique;
use crate::words::{listed, nearest, quoted};

/// How many things that are wrong one message lists.
const LISTED: usize = 12;
/// Longest name that a message repeats, in characters.
const SHOWN: usize = 80;
const FORM: &str = "the form is {<environment>: {<service>: <full commit>}}, each key once";

/// What should run where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired(BTreeMap<Environment, BTreeMap<ServiceName, Commit>>);

impl Desired {
    /// Reads the file at `path`; everything in it must be one of `services` and of `environments`.
    ///
    /// # Errors
    /// A usage fault that lists everything that is wrong, and the nearest known name of an unknown one.
    pub fn load(path: &Path, services: &[ServiceName], environments: &[Environment]) -> Result<Self, Fault> {
        parse(&read(path)?, services, environments)
            .map_err(|(what, help)| Fault::usage("desired-state", format!("{}{what}", path.display()), help))
    }

    /// The environments it names, sorted.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.0.keys()
    }

    /// What should run in `environment`, sorted by service; nothing where it is not named.
    pub fn of(&self, environment: &Environment) -> impl Iterator<Item = (&ServiceName, &Commit)> {
        self.0.get(environment).into_iter().flatten()
    }

    /// The commit of `service` that should run in `environment`.
    #[must_use]
    pub fn commit(&self, environment: &Environment, service: &ServiceName) -> Option<&Commit> {
        self.0.get(environment)?.get(service)
    }
}

/// The desired state; or what is wrong, beginning with the place, and what to do.
fn parse(
    text: &str,
    services: &[ServiceName],
    environments: &[Environment],
) -> Result<Desired, (String, String)> {
    let file: Unique<String, Unique<String, String>> = serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
        (format!(":{}:{}: {}", error.line(), error.column(), without_text(what)), FORM.to_owned())
    })?;
    let services: BTreeSet<&str> = services.iter().map(ServiceName::as_str).collect();
    let environments: BTreeSet<&str> = environments.iter().map(Environment::as_str).collect();
    let mut wrong = Vec::new();
    let mut desired = BTreeMap::new();
    for (name, entries) in file.0 {
        let environment = environments.contains(name.as_str()).then(|| Environment::parse(&name));
        if environment.is_none() {
            wrong.push(unknown("environment", &name, "", &environments));
        }
        let mut commits = BTreeMap::new();
        for (service, commit) in entries.0 {
            let place = format!(" in {}", quoted(&name, SHOWN));
            if !services.contains(service.as_str()) {
                wrong.push(unknown("service", &service, &place, &services));
            }
            match Commit::parse(&commit) {
                Ok(commit) => commits.extend(ServiceName::parse(&service).map(|service| (service, commit))),
                Err(error) => wrong.push(format!("{}{place}: {error}", quoted(&service, SHOWN))),
            }
        }
        if let Some(Ok(environment)) = environment {
            desired.insert(environment, commits);
        }
    }
    match wrong.as_slice() {
        [] => Ok(Desired(desired)),
        [one] => Err((format!(": {one}"), FORM.to_owned())),
        several => {
            let mut lines = vec![format!(": {} things are wrong:", several.len())];
            lines.extend(several.iter().take(LISTED).map(|one| format!("  {one}")));
            if several.len() > LISTED {
                lines.push(format!("  and {} more", several.len() - LISTED));
            }
            Err((lines.join("\n"), FORM.to_owned()))
        }
    }
}

fn unknown(what: &str, name: &str, place: &str, known: &BTreeSet<&str>) -> String {
    let meant = nearest(name, known.iter().copied()).map_or_else(
        || {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            format!("known are {}", listed(&known, LISTED))
        },
        |near| format!("did you mean {near:?}?"),
    );
    format!("{}{place} is no known {what}; {meant}", quoted(name, SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "0123456789abcdef0123456789abcdef01234567";

    fn read(text: &str) -> Result<Desired, String> {
        let services =
            ["project-manager", "todo-note"].map(|name| ServiceName::parse(name).expect("a service"));
        let environments = ["dev", "prod"].map(|name| Environment::parse(name).expect("an environment"));
        parse(text, &services, &environments).map_err(|(what, _)| what)
    }

    #[test]
    fn it_says_which_commit_of_what_should_run_where() {
        let desired =
            read(&format!(r#"{{"prod": {{"todo-note": "{FULL}"}}, "dev": {{}}}}"#)).expect("a state");
        let prod = Environment::parse("prod").expect("an environment");
        let todo_note = ServiceName::parse("todo-note").expect("a service");
        assert_eq!(desired.commit(&prod, &todo_note).map(Commit::as_str), Some(FULL));
        assert_eq!(desired.of(&prod).count(), 1);
        assert_eq!(desired.environments().map(Environment::as_str).collect::<Vec<_>>(), ["dev", "prod"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let told: Vec<String> = [
            r#"{"prodd": {}}"#.to_owned(),
            format!(r#"{{"prod": {{"project-manger": "{FULL}", "todo-note": "main"}}}}"#),
            format!(r#"{{"prod": {{"elsewhere": "{FULL}"}}}}"#),
            format!("{{\"prod\": {{\"todo-note\": \"{FULL}\",\n \"todo-note\": \"{FULL}\"}}}}"),
            "{\"prod\": {},\n \"prod\": {}}".to_owned(),
            r#"{"prod": {"todo-note": 7}}"#.to_owned(),
            r#"{"prod": "hunter2"}"#.to_owned(),
            "[]".to_owned(),
            "{\"\\u001b[2J\": {}}".to_owned(),
        ]
        .iter()
        .map(|text| read(text).expect_err("refused"))
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
