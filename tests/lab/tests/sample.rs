//! The sample service in real containers: each behaviour is what its name says.

use std::{
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use lab::{Behaviour, Bench, Docker, Error, Result, SampleImage, http, image};
use serde_json::{Value, json};

const SERVICE: &str = "project-manager";
const NETWORK: &str = "lab-sample-test";
const STAMP: &str = "UNIDESK_PROJECT_MANAGER_DEPLOY_REQUESTED_COMMIT=requested";

#[test]
fn every_behaviour_is_what_its_name_says() -> Result<()> {
    let bench = Bench::from_environment()?;
    bench.docker().run(&["network", "create", NETWORK])?;
    // All at once: some take seconds to show that they do not answer.
    let results = thread::scope(|scope| {
        let threads = Behaviour::ALL.map(|behaviour| {
            scope.spawn({
                let bench = &bench;
                move || try_out(bench, behaviour)
            })
        });
        threads.map(ScopedJoinHandle::join)
    });
    bench.docker().run(&["network", "rm", NETWORK])?;
    for (behaviour, result) in Behaviour::ALL.into_iter().zip(results) {
        assert!(matches!(result, Ok(Ok(()))), "{}: {result:?}", behaviour.name());
    }
    Ok(())
}

fn try_out(bench: &Bench, behaviour: Behaviour) -> Result<()> {
    // One tag per behaviour, so that each is a pull of its own.
    let commit = image::commit(behaviour.name());
    let pushed = SampleImage::new(SERVICE, &commit).behaviour(behaviour).push(bench.registry())?;
    let container = Container::start(bench.docker(), &pushed.reference)?;
    check(behaviour, &commit, &container).map_err(|found| Error::unexpected(behaviour.name(), found))
}

/// Says what is wrong, if anything is.
fn check(behaviour: Behaviour, commit: &str, container: &Container) -> std::result::Result<(), String> {
    if behaviour == Behaviour::Crash {
        let code = container.docker.run(&["wait", &container.id]).map_err(|error| error.to_string())?;
        return expect("exit code", &code, &"1".to_owned());
    }
    let address = container.address().map_err(|error| error.to_string())?;
    let answer = http::get(&address, "/health");
    if behaviour == Behaviour::SlowStart {
        let refused = matches!(answer, Err(Error::Io { .. }));
        expect("refused at first", &refused, &true)?;
        let start = Instant::now();
        while http::get(&address, "/health").is_err() {
            expect("up within 5 s", &(start.elapsed() < Duration::from_secs(5)), &true)?;
        }
        return Ok(());
    }
    if matches!(behaviour, Behaviour::Silent | Behaviour::Drip) {
        return expect("no whole answer", &answer.is_err(), &true);
    }
    let answer = answer.map_err(|error| error.to_string())?;
    let truth =
        json!({"ok": true, "service": SERVICE, "deploy": {"commit": commit, "requestedCommit": "requested"}});
    let with = |pointer: &str, value: Value| {
        let mut changed = truth.clone();
        if let Some(place) = changed.pointer_mut(pointer) {
            *place = value;
        }
        (200, changed)
    };
    let not_ok = with("/ok", json!(false)).1;
    let auth = |token_key: bool, logged_in: bool| {
        let mut body = truth.clone();
        body["auth"] = json!({"configured": true, "clientIdConfigured": true, "clientSecretConfigured": true,
            "tokenKeyConfigured": token_key, "loggedIn": logged_in});
        (200, body)
    };
    let (status, body) = match behaviour {
        Behaviour::OldCommit => with("/deploy/commit", json!("0".repeat(40))),
        Behaviour::Stringly => with("/ok", json!("true")),
        Behaviour::Authorised => auth(true, true),
        Behaviour::LoggedOut => auth(true, false),
        Behaviour::NoTokenKey => auth(false, true),
        Behaviour::Status500 => (500, not_ok),
        Behaviour::NeverReady => (503, not_ok),
        Behaviour::Html => {
            expect("status", &answer.status, &200)?;
            return expect("a page", &answer.body.starts_with("<!doctype html>"), &true);
        }
        Behaviour::Redirect => return expect("status", &answer.status, &302),
        Behaviour::Huge => return expect("longer than is read", &(answer.body.len() > 1_000_000), &true),
        _ => (200, truth),
    };
    expect("status", &answer.status, &status)?;
    expect("body", &serde_json::from_str(&answer.body).unwrap_or_default(), &body)
}

fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> std::result::Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}

/// Removed with its image when dropped; it must be gone before its network is.
struct Container {
    docker: Docker,
    id: String,
    image: String,
}

impl Container {
    fn start(docker: &Docker, image: &str) -> Result<Self> {
        let id = docker.run(&["run", "--quiet", "--detach", "--network", NETWORK, "--env", STAMP, image])?;
        Ok(Self { docker: docker.clone(), id, image: image.to_owned() })
    }

    fn address(&self) -> Result<String> {
        Ok(format!("{}:8080", self.docker.address(&self.id)?))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.docker.run(&["rm", "--force", &self.id]).ok();
        self.docker.run(&["image", "rm", "--force", &self.image]).ok();
    }
}
