use bollard::models::{ContainerInspectResponse, ContainerSummary, ImageInspect};
use serde_json::{Value, json};

use super::facts::Owner;
use super::*;

fn container(changes: Value) -> ContainerFacts {
    let mut shown = json!({
        "Id": "c1",
        "Name": "/project-manager-backend",
        "Image": "sha256:1",
        "RestartCount": 2,
        "State": {
            "Status": "running", "Running": true, "Paused": false, "Restarting": false, "Dead": false,
            "ExitCode": 0, "StartedAt": "2026-01-02T03:04:05.6Z"
        },
        "Config": {
            "Env": ["A=1", "TOKEN=hunter2=x", "NO_VALUE"],
            "Labels": {"com.docker.compose.project": "unidesk", "com.docker.compose.service": "project-manager"}
        },
        "HostConfig": {"NetworkMode": "unidesk_default"},
        "NetworkSettings": {"Networks": {
            "b": {"IPAddress": "10.0.0.2", "GlobalIPv6Address": "fd00::2"},
            "a": {"IPAddress": "", "GlobalIPv6Address": "fd01::2"}
        }}
    });
    let Value::Object(changes) = changes else { panic!("an object") };
    for (key, value) in changes {
        shown[key] = value;
    }
    let shown: ContainerInspectResponse = serde_json::from_value(shown).expect("as an engine shows it");
    ContainerFacts::try_from(shown).expect("facts")
}

#[test]
fn a_container_is_reduced_to_what_a_deploy_needs() {
    let facts = container(json!({}));
    assert_eq!((facts.name.as_str(), facts.image.as_str()), ("project-manager-backend", "sha256:1"));
    assert_eq!((facts.running, facts.up, facts.condition().as_str()), (true, true, "running"));
    assert_eq!(facts.env("TOKEN"), Some("hunter2=x"));
    assert_eq!(facts.env("NO_VALUE"), None);
    let owner = Owner { project: "unidesk".to_owned(), service: "project-manager".to_owned() };
    assert_eq!(facts.owner, Some(owner));
    let addresses = ["fd01::2", "10.0.0.2", "fd00::2"].map(|address| address.parse().expect("an address"));
    assert_eq!(facts.network, Network::Addresses(addresses.into()));
    assert!(!format!("{facts:?}").contains("hunter2"));
}

#[test]
fn a_crash_loop_is_up_but_does_not_run() {
    let state = json!({"Status": "restarting", "Running": true, "Restarting": true, "ExitCode": 7});
    let facts = container(json!({"State": state}));
    assert_eq!(
        (facts.running, facts.up, facts.condition().as_str()),
        (false, true, "restarting with code 7")
    );
    let facts = container(json!({"State": {"Status": "exited", "Running": false, "ExitCode": 137}}));
    assert_eq!((facts.running, facts.up, facts.condition().as_str()), (false, false, "exited with code 137"));
    let facts = container(json!({"State": {"Status": "paused", "Running": true, "Paused": true}}));
    assert_eq!((facts.running, facts.up, facts.condition().as_str()), (false, true, "paused"));
}

#[test]
fn networks_without_an_address_of_their_own_are_told_apart() {
    for (mode, network) in
        [("host", Network::Host), ("none", Network::None), ("container:c2", Network::Shared)]
    {
        assert_eq!(container(json!({"HostConfig": {"NetworkMode": mode}})).network, network);
    }
    assert_eq!(container(json!({"NetworkSettings": {}})).network, Network::Addresses(Vec::new()));
}

#[test]
fn somebody_elses_container_has_no_owner() {
    assert_eq!(container(json!({"Config": {"Labels": {"com.docker.compose.project": "x"}}})).owner, None);
    assert_eq!(container(json!({"Config": {}})).owner, None);
}

#[test]
fn an_unfinished_replacement_is_known_by_its_label_and_state() {
    let of = |state: &str, labels: Value| {
        let shown = json!({"Names": ["/x"], "State": state, "Labels": labels});
        let shown: ContainerSummary = serde_json::from_value(shown).expect("as an engine shows it");
        ServiceContainer::of(shown).expect("a name").unfinished
    };
    let replaces = json!({"com.docker.compose.replace": "project-manager-backend"});
    assert!(of("created", replaces.clone()));
    // The label stays on the container that took the place.
    assert!(!of("running", replaces));
    assert!(!of("created", json!({})));
}

#[test]
fn an_image_without_labels_is_one_all_the_same() {
    let shown: ImageInspect =
        serde_json::from_value(json!({"Id": "sha256:1", "RepoTags": null, "Config": null})).expect("shown");
    let facts = ImageFacts::try_from(shown).expect("facts");
    assert_eq!((facts.id.as_str(), facts.labels.len()), ("sha256:1", 0));
    assert!(ImageFacts::try_from(ImageInspect::default()).is_err());
}

#[test]
fn what_the_engine_says_is_sorted_escaped_and_cut() {
    let said = |status_code, message: &str| {
        let error = Error::DockerResponseServerError { status_code, message: message.to_owned() };
        failed("unix:///s", "looking", &error)
    };
    assert!(matches!(said(404, ""), CallError::NotFound(_)));
    assert!(matches!(said(409, ""), CallError::Mismatch(_)));
    assert!(matches!(said(503, ""), CallError::Unavailable(_)));
    let error = said(500, &format!("no \u{1b}[2Jspace\n{}", "x".repeat(9000)));
    assert!(matches!(error, CallError::Other(_)));
    let text = error.to_string();
    assert!(text.starts_with("looking: the Docker engine answered 500: no \\u{1b}[2Jspace\\nxxx"), "{text}");
    assert!(text.len() < 500, "{}", text.len());
}

#[tokio::test]
async fn only_a_socket_is_an_address() {
    for address in ["tcp://127.0.0.1:2375", "ssh://host", "/var/run/docker.sock", "unix://relative", ""] {
        let error = Engine::connect(address, &Limits::default()).await.expect_err(address);
        assert!(matches!(error, CallError::Invalid(_)), "{error}");
    }
    let error = Engine::connect("unix:///no/such.sock", &Limits::default()).await.expect_err("nobody");
    assert!(error.retryable() && error.to_string().contains("unix:///no/such.sock"), "{error}");
}
