//! The rules to choose from: each fits beside those of the project, and its own tests hold it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Folder, SHIPPED};
use crate::policy::check::check;
use crate::policy::testing::{self, Outcome};

fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(SHIPPED).join("examples")).unwrap();
    let mut examples: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    examples.sort();
    examples
}

fn copy(from: &Path, to: &Folder, below: &str) {
    for entry in fs::read_dir(from.join(below)).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let name = Path::new(below).join(entry.file_name());
            to.write(name.to_str().unwrap(), &fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// The project's policies with their tests and all of its entities.
fn project() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("tests")).unwrap();
    copy(Path::new(SHIPPED), &folder, "");
    copy(Path::new(SHIPPED), &folder, "tests");
    folder
}

fn failed(folder: &Folder) -> Vec<Outcome> {
    let outcomes = testing::run(folder.path()).unwrap();
    outcomes.into_iter().filter(|outcome| outcome.failure.is_some()).collect()
}

#[test]
fn each_example_copied_beside_the_rules_is_fine_and_passes_its_tests() {
    let mut named = Vec::new();
    for example in examples() {
        let folder = project();
        copy(&example, &folder, "");
        assert_eq!(check(folder.path()).problems, [], "{}", example.display());
        // A rule that forbids once more what nobody permits is named by the denial then; no answer becomes another, but where one
        // person is no longer enough for anything.
        let otherwise = failed(&folder).iter().any(|one| one.found.effect != one.expected.effect);
        assert_eq!(otherwise, example.ends_with("four-eyes"), "{}", example.display());
        if !otherwise {
            named.push(failed(&folder).len());
        }
        fs::remove_dir_all(folder.path().join("tests")).unwrap();
        fs::create_dir(folder.path().join("tests")).unwrap();
        copy(&example, &folder, "tests");
        assert_eq!(failed(&folder), [], "{}", example.display());
        assert!(testing::run(folder.path()).unwrap().len() > 3, "{}", example.display());
    }
    assert_eq!(named, [0, 5, 1], "as the README says, by the names of the examples");
}

#[test]
fn without_its_rule_each_denial_of_an_example_fails() {
    for example in examples() {
        let folder = project();
        copy(&example, &folder, "tests");
        let found: BTreeSet<String> = failed(&folder).into_iter().map(|outcome| outcome.name).collect();
        let outcomes = testing::run(folder.path()).unwrap();
        let own = outcomes
            .iter()
            .filter(|outcome| outcome.file.contains(example.file_name().unwrap().to_str().unwrap()));
        let denials: BTreeSet<String> = own
            .filter(|outcome| outcome.expected.effect == testing::Expected::Deny)
            .map(|outcome| outcome.name.clone())
            .collect();
        assert!(!denials.is_empty() && found == denials, "{}: {found:?}", example.display());
    }
}

#[test]
fn the_readme_shows_each_example_as_it_is() {
    let readme = fs::read_to_string(Path::new(SHIPPED).join("README.md")).unwrap();
    let entities = fs::read_to_string(Path::new(SHIPPED).join("entities.json")).unwrap();
    let namespaces: Vec<_> = readme.lines().filter(|line| line.starts_with("\"namespaces\"")).collect();
    assert!(namespaces.len() == 1 && entities.contains(namespaces[0]), "{namespaces:?}");
    for example in examples() {
        let name = example.file_name().unwrap().to_str().unwrap();
        let file = |path: String| fs::read_to_string(example.join(path)).unwrap();
        for (kind, text) in
            [("cedar", file(format!("{name}.cedar"))), ("json", file(format!("tests/{name}.json")))]
        {
            assert!(readme.contains(&format!("```{kind}\n{text}```\n")), "{name}.{kind}");
        }
    }
}

#[test]
fn a_namespace_of_another_team_is_closed_even_to_what_the_entities_say_is_owned() {
    let folder = project();
    copy(&Path::new(SHIPPED).join("examples/team-namespaces"), &folder, "");
    folder.edit("entities.json", r#""teams": ["unidesk"]"#, r#""teams": ["unidesk", "media"]"#);
    folder.edit("entities.json", r#""d601-k3s/unidesk": "unidesk""#, r#""d601-k3s/unidesk": "media""#);
    let outcomes = failed(&folder);
    let changed: BTreeSet<_> = outcomes.iter().map(|outcome| outcome.found.policies.clone()).collect();
    assert_eq!(changed, BTreeSet::from([BTreeSet::from(["team-stays-in-its-namespaces".to_owned()])]));
    assert!(outcomes.iter().any(|outcome| outcome.name.contains("Deployment")), "{outcomes:?}");
}

#[test]
fn a_permit_that_is_too_wide_gives_nobody_the_secrets_of_others() {
    let folder = project();
    copy(&examples()[1], &folder, "");
    copy(&examples()[1], &folder, "tests");
    let wide = r#"@id("wide") @reason("Too much.") permit (principal is Plugin, action, resource);"#;
    folder.write("wide.cedar", wide);
    let own: Vec<_> = failed(&folder).into_iter().filter(|one| one.file.contains("own-secrets")).collect();
    assert!(own.iter().all(|outcome| outcome.found.effect == testing::Expected::Permit), "{own:?}");
}
