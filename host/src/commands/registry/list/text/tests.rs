use super::*;
use crate::names::{Commit, RuntimeName, ServiceName};
use crate::provenance::Provenance;
use crate::report::SCHEMA;

fn commit(digit: &str) -> Commit {
    Commit::parse(&digit.repeat(40)).expect("a commit")
}

fn environment(name: &str) -> Environment {
    Environment::parse(name).expect("an environment")
}

fn shown(answer: &RegistryList) -> String {
    let mut out = String::new();
    let now = "2026-11-21T12:00:00Z".parse().expect("a time");
    let style = Style { colour: false, steps: false };
    write(&mut out, answer, "host registry list --limit 2", style, now).expect("a text");
    out
}

fn nothing() -> RegistryList {
    RegistryList {
        schema_version: SCHEMA,
        ok: true,
        error: None,
        repositories: Vec::new(),
        missing: Vec::new(),
        refused_names: 0,
        untold: Vec::new(),
        next: None,
    }
}

fn artifact(digit: &str, created: &str, size: u64) -> ArtifactRow {
    ArtifactRow {
        commit: commit(digit),
        digest: Some(Digest::of(digit.as_bytes())),
        size: Some(size),
        created: Some(created.to_owned()),
        error: None,
        wanted_in: Vec::new(),
        deployed: Vec::new(),
    }
}

fn target(runtime: &str, digit: &str) -> TargetRow {
    let digest = Digest::of(digit.as_bytes());
    TargetRow {
        runtime: RuntimeName::parse(runtime).expect("a runtime"),
        service: ServiceName::parse("shop").expect("a service"),
        deploy: Provenance {
            run: "20261120T225900Z-92a0f3".to_owned(),
            environment: environment("prod"),
            commit: commit("a"),
            digest: digest.clone(),
            manifest: digest.clone(),
            config: digest,
            by: "ann".to_owned(),
            on: "laptop".to_owned(),
            at: "2026-11-20T22:59:00Z".to_owned(),
        },
        in_journal: true,
    }
}

#[test]
fn a_page_for_people() {
    let mut deployed = artifact("a", "2026-11-18T11:00:00Z", 219_400_000);
    deployed.wanted_in = vec![environment("dev"), environment("prod")];
    deployed.deployed = vec![target("main-server", "a"), target("d601", "other")];
    let unread = ArtifactRow {
        digest: None,
        size: None,
        created: None,
        error: Some("the registry answers 500".to_owned()),
        ..artifact("d", "", 0)
    };
    let list = RegistryList {
        repositories: vec![
            RepositoryRow {
                repository: "unidesk/shop".to_owned(),
                commits: Some(4),
                other_tags: Some(1),
                error: None,
                artifacts: vec![
                    deployed,
                    artifact("b", "2026-11-21T07:30:00Z", 1_000_000),
                    ArtifactRow { created: None, ..artifact("c", "", 999) },
                    unread,
                ],
            },
            RepositoryRow {
                repository: "unidesk/gone".to_owned(),
                commits: None,
                other_tags: None,
                error: Some("it answers 404".to_owned()),
                artifacts: Vec::new(),
            },
        ],
        missing: vec![MissingRow {
            repository: "unidesk/mail".to_owned(),
            service: ServiceName::parse("mail").expect("a service"),
            commit: commit("e"),
            wanted_in: vec![environment("prod")],
        }],
        refused_names: 2,
        untold: vec![Untold {
            runtime: RuntimeName::parse("d601-k3s").expect("a runtime"),
            error: "unavailable: no route".to_owned(),
        }],
        next: Some(format!("unidesk/shop:{}", commit("d"))),
        ..nothing()
    };
    insta::assert_snapshot!(shown(&list));
}

#[test]
fn nothing_is_said_to_be_nothing() {
    assert_eq!(shown(&nothing()), "no artifacts\n");
}

#[test]
fn sizes_and_ages_are_short() {
    let sizes = [0, 999, 1_000, 999_999, 1_000_000, 12_345_678_901].map(size);
    assert_eq!(sizes, ["0.0 kB", "0.9 kB", "1.0 kB", "999.9 kB", "1.0 MB", "12.3 GB"]);
    let now = "2026-11-21T12:00:00Z".parse().expect("a time");
    let ages =
        ["2026-11-21T12:00:59Z", "2026-11-21T11:01:00Z", "2026-11-20T12:01:00Z", "2026-11-20T12:00:00Z", "?"]
            .map(|created| age(created, now));
    let expected = [Some("0 min"), Some("59 min"), Some("23 h"), Some("1 d"), None];
    assert_eq!(ages.each_ref().map(Option::as_deref), expected);
}
