//! What is said of an installation, by what was found of it.

use super::query::{Container, Kept, Observed};
use super::{Rendered, Scope, Standing, State, Verb, Verdict};
use crate::config::Installation;

fn present(sha256: &str, managed: bool) -> Kept {
    Kept::Present { sha256: sha256.to_owned(), managed, text: Vec::new() }
}

/// Everything as it should be.
fn well(installation: &Installation) -> Observed {
    let unit = [
        ("LoadState", "loaded"),
        ("ActiveState", "active"),
        ("UnitFileState", "enabled"),
        ("NeedDaemonReload", "no"),
    ];
    let kept = |(_, file): (&str, &super::File)| present(&file.sha256(), true);
    Observed {
        unit: unit.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        docker: Some("28.2.2".to_owned()),
        docker_error: None,
        container: Some(Container {
            state: "running".to_owned(),
            image_name: installation.image.clone(),
            image: "sha256:1".to_owned(),
            project: installation.project.clone(),
            made_from: Rendered::new(installation).made_from,
        }),
        image: Some("sha256:1".to_owned()),
        listeners: Some(vec![
            "127.0.0.1:5000".parse().expect("an address"),
            "0.0.0.0:22".parse().expect("another"),
        ]),
        http: Some(200),
        http_error: None,
        storage: Some("folder".to_owned()),
        storage_free: Some(40 << 20),
        files: Rendered::new(installation).files().map(kept).into(),
    }
}

fn told(change: impl FnOnce(&mut Observed)) -> (Verdict, Vec<Scope>, bool) {
    let installation = Installation::specified();
    let mut observed = well(&installation);
    change(&mut observed);
    let standing = Standing::of(&installation, &observed);
    for check in &standing.checks {
        assert_eq!(check.recommended_action.is_none(), check.ok, "{check:?}");
    }
    assert_eq!(standing.verdict == Verdict::Healthy, standing.scopes(false).is_empty());
    (standing.verdict, standing.scopes(false), standing.retryable)
}

fn container(observed: &mut Observed) -> &mut Container {
    observed.container.as_mut().expect("a container")
}

#[test]
fn each_thing_that_is_wrong_is_told_as_what_it_means_for_artifacts() {
    use Scope::{Container, Docker, Files, Listener, RuntimeApi, Storage, Systemd};
    use Verdict::{Healthy, NotInstalled, ServiceDegraded, Unhealthy};
    let set = |key: &'static str, value: &'static str| {
        move |observed: &mut Observed| drop(observed.unit.insert(key.to_owned(), value.to_owned()))
    };
    assert_eq!(told(|_| {}), (Healthy, vec![], false));
    assert_eq!(told(set("ActiveState", "inactive")), (ServiceDegraded, vec![Systemd], false));
    assert_eq!(told(set("UnitFileState", "disabled")), (ServiceDegraded, vec![Systemd], false));
    let edited = present(&"0".repeat(64), true);
    for at in 0..3 {
        assert_eq!(
            told(|observed| observed.files[at] = edited.clone()),
            (ServiceDegraded, vec![Files], false)
        );
    }
    assert_eq!(
        told(|observed| container(observed).image_name = "registry:2.7".to_owned()),
        (ServiceDegraded, vec![Container], false)
    );
    assert_eq!(
        told(|observed| observed.image = Some("sha256:2".to_owned())).0,
        ServiceDegraded,
        "another one by that name"
    );
    assert_eq!(
        told(|observed| observed.storage = Some("missing".to_owned())),
        (Unhealthy, vec![Storage], false)
    );
    assert_eq!(
        told(|observed| {
            container(observed).state = "exited".to_owned();
            observed.listeners = Some(Vec::new());
            (observed.http, observed.http_error) = (None, Some("refused".to_owned()));
        }),
        (Unhealthy, vec![Container, Listener, RuntimeApi], false)
    );
    assert!(
        told(|observed| container(observed).state = "restarting".to_owned()).2,
        "it may be well in a moment"
    );
    assert_eq!(
        told(|observed| observed.listeners = Some(vec!["0.0.0.0:5000".parse().expect("an address")])),
        (Unhealthy, vec![Listener], false)
    );
    assert_eq!(
        told(|observed| observed.listeners = Some(vec!["[::1]:5000".parse().expect("an address")])).0,
        Healthy
    );
    assert_eq!(told(|observed| observed.http = Some(503)), (Unhealthy, vec![RuntimeApi], false));
    assert_eq!(
        told(|observed| (observed.docker, observed.container) = (None, None)),
        (Unhealthy, vec![Docker, Container], false)
    );
    let nothing = |observed: &mut Observed| {
        *observed = Observed {
            unit: [("LoadState".to_owned(), "not-found".to_owned())].into(),
            docker: observed.docker.take(),
            listeners: Some(Vec::new()),
            files: vec![Kept::Missing { folder_too: true }; 3],
            storage: Some("missing".to_owned()),
            ..Observed::default()
        };
    };
    assert_eq!(told(nothing).0, NotInstalled);
}

#[test]
fn a_file_of_somebody_else_is_called_that() {
    let installation = Installation::specified();
    let mut observed = well(&installation);
    observed.files[2] = present(&"0".repeat(64), false);
    let standing = Standing::of(&installation, &observed);
    let check = standing.checks.iter().find(|check| check.name == "unit file").expect("a check");
    assert!(
        check
            .evidence
            .contains("/etc/systemd/system/unidesk-artifact-registry.service is not managed by host")
    );
    let way = Standing::blocked("no route", true);
    assert_eq!((way.verdict, way.retryable, way.installed), (Verdict::InfraBlocked, true, false));
    assert_eq!(way.scopes(false), [Scope::ProviderHostSsh]);
    let named = Standing::blocked("trans: provider-dispatch and database are not there", true);
    assert_eq!(named.scopes(false), [Scope::Database, Scope::ProviderDispatch]);
}

/// What an install would do about an installation that is as it should be but for one change, or why it does nothing.
fn planned(change: impl FnOnce(&mut Observed)) -> Result<Vec<Verb>, String> {
    let installation = Installation::specified();
    let mut observed = well(&installation);
    change(&mut observed);
    let state = State::found(&installation, &observed)?;
    let actions = state.actions(&installation);
    assert_eq!(actions.is_empty(), state == State::wanted(&installation), "{state:?}");
    Ok(actions.iter().map(|action| action.action).collect())
}

#[test]
fn an_install_does_what_is_missing_and_no_more() {
    use Verb::{
        CreateFolder, CreateStorage, EnableUnit, OverwriteFile, ReloadSystemd, ReloadUnit, RestartUnit,
        StartUnit, WriteFile,
    };
    let set = |key: &'static str, value: &'static str| {
        move |observed: &mut Observed| drop(observed.unit.insert(key.to_owned(), value.to_owned()))
    };
    let edited =
        |at: usize| move |observed: &mut Observed| observed.files[at] = present(&"0".repeat(64), true);
    let gone =
        |at: usize| move |observed: &mut Observed| observed.files[at] = Kept::Missing { folder_too: false };
    assert_eq!(planned(|_| {}), Ok(vec![]));
    assert_eq!(planned(set("ActiveState", "inactive")), Ok(vec![StartUnit]));
    assert_eq!(planned(set("ActiveState", "failed")), Ok(vec![StartUnit]));
    assert_eq!(planned(set("UnitFileState", "disabled")), Ok(vec![EnableUnit]));
    assert_eq!(planned(set("NeedDaemonReload", "yes")), Ok(vec![ReloadSystemd]));
    assert_eq!(planned(edited(0)), Ok(vec![OverwriteFile, RestartUnit]), "it is read at a start only");
    assert_eq!(planned(edited(1)), Ok(vec![OverwriteFile, ReloadUnit]));
    assert_eq!(planned(edited(2)), Ok(vec![OverwriteFile, ReloadSystemd]), "what runs does not depend on it");
    assert_eq!(planned(gone(0)), Ok(vec![WriteFile, ReloadUnit]));
    assert_eq!(planned(gone(2)), Ok(vec![WriteFile, ReloadSystemd]));
    assert_eq!(planned(|observed| container(observed).state = "exited".to_owned()), Ok(vec![ReloadUnit]));
    assert_eq!(planned(|observed| container(observed).made_from.clear()), Ok(vec![ReloadUnit]));
    assert_eq!(planned(|observed| observed.http = Some(503)), Ok(vec![]), "a start would not mend that");
    let nothing = |observed: &mut Observed| {
        observed.unit = [("LoadState".to_owned(), "not-found".to_owned())].into();
        observed.files = vec![Kept::Missing { folder_too: true }; 3];
        (observed.container, observed.storage) = (None, Some("missing".to_owned()));
    };
    assert_eq!(
        planned(nothing),
        Ok(vec![
            CreateFolder,
            CreateFolder,
            CreateStorage,
            WriteFile,
            WriteFile,
            WriteFile,
            ReloadSystemd,
            EnableUnit,
            StartUnit
        ])
    );
}

#[test]
fn what_is_not_its_own_or_would_only_be_hidden_keeps_an_install_back() {
    let refused = |change: fn(&mut Observed)| planned(change).expect_err("refused");
    assert!(refused(|observed| observed.unit.clear()).contains("systemd does not answer"));
    assert!(
        refused(|observed| (observed.docker, observed.docker_error) = (None, Some("no daemon".to_owned())))
            .contains("Docker does not answer there (no daemon)")
    );
    assert!(
        refused(|observed| observed.files[1] = present(&"0".repeat(64), false))
            .contains("is not managed by host")
    );
    assert!(refused(|observed| observed.files[0] = Kept::Unreadable).contains("is no file that can be read"));
    assert!(
        refused(|observed| container(observed).project = "shop".to_owned())
            .contains("of the Compose project shop")
    );
    assert!(
        refused(|observed| observed.storage = Some("missing".to_owned()))
            .contains("if a disk is not mounted")
    );
    assert!(refused(|observed| observed.storage = Some("other".to_owned())).contains("is no folder"));
}
