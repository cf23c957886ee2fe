//! The sample service in real containers: each behaviour is what its name says.

use std::{
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use lab::image::{self, PushedImage};
use lab::{Behaviour, Bench, Docker, Error, Result, SampleImage, http};
use serde_json::{Value, json};

const SERVICE: &str = "project-manager";
/// How long a container may take to listen.
const PATIENCE: Duration = Duration::from_mins(1);
const NETWORK: &str = "lab-sample-test";
const STAMP: &str = "UNIDESK_PROJECT_MANAGER_DEPLOY_REQUESTED_COMMIT=requested";

#[test]
fn every_behaviour_is_what_its_name_says() -> Result<()> {
    let bench = Bench::from_environment()?;
    bench.docker().run(&["network", "create", NETWORK])?;
    // One tag per behaviour, so that each is a pull of its own. One after another: they share a layer, and this registry
    // fails where two bring the same one at the same moment.
    let images = Behaviour::ALL.iter().map(|behaviour| {
        let commit = image::commit(behaviour.name());
        SampleImage::new(SERVICE, &commit).behaviour(*behaviour).push(bench.registry())
    });
    let images = images.collect::<Result<Vec<_>>>()?;
    // All at once: some take seconds to show that they do not answer.
    let results = thread::scope(|scope| {
        let threads = Behaviour::ALL.into_iter().zip(&images).map(|(behaviour, image)| {
            let docker = bench.docker();
            scope.spawn(move || try_out(docker, behaviour, image))
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    bench.docker().run(&["network", "rm", NETWORK])?;
    for (behaviour, result) in Behaviour::ALL.into_iter().zip(results) {
        assert!(matches!(result, Ok(Ok(()))), "{}: {result:?}", behaviour.name());
    }
    Ok(())
}

fn try_out(docker: &Docker, behaviour: Behaviour, image: &PushedImage) -> Result<()> {
    let container = Container::start(docker, &image.reference)?;
    let commit = image::commit(behaviour.name());
    check(behaviour, &commit, &container).map_err(|found| Error::unexpected(behaviour.name(), found))
}

/// Says what is wrong, if anything is.
fn check(behaviour: Behaviour, commit: &str, container: &Container) -> std::result::Result<(), String> {
    if behaviour == Behaviour::Crash {
        let code = container.docker.run(&["wait", &container.id]).map_err(|error| error.to_string())?;
        return expect("exit code", &code, &"1".to_owned());
    }
    let refused = container.refused_for().map_err(|error| error.to_string())?;
    if behaviour == Behaviour::SlowStart {
        // It sleeps for two; the engine writes down a moment later that it started.
        expect("refuses for more than a second", &(refused >= Duration::from_secs(1)), &true)?;
    }
    let address = container.address().map_err(|error| error.to_string())?;
    let answer = http::get(&address, "/health");
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
    expect("body", &serde_json::from_str(&answer.body).unwrap_or_default(), &body)?;
    match behaviour {
        Behaviour::Good => check_others(&address, &json!({"queued": 2, "running": 1, "done": 40})),
        Behaviour::Skips => {
            check_others(&address, &json!({"queued": 2, "running": 1, "done": 40, "skipped": 1}))
        }
        _ => Ok(()),
    }
}

/// The paths that only some services have.
fn check_others(address: &str, statistics: &Value) -> std::result::Result<(), String> {
    let health = json!({"ok": true, "service": SERVICE});
    for (path, body) in [("/api/health", &health), ("/api/tasks/stats", statistics)] {
        let answer = http::get(address, path).map_err(|error| error.to_string())?;
        expect(path, &serde_json::from_str(&answer.body).unwrap_or_default(), body)?;
    }
    expect("elsewhere", &http::get(address, "/api").map_err(|error| error.to_string())?.status, &404)
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

    /// Waits until it listens; how long it took to, by the engine's own clock. Many start at once here: a machine that is
    /// slow to start them is no behaviour of theirs.
    fn refused_for(&self) -> Result<Duration> {
        let begun = Instant::now();
        let listening = loop {
            let log = self.docker.run(&["logs", "--timestamps", &self.id])?;
            if let Some((at, _)) = log.split_once(" listening on ") {
                break at.to_owned();
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::unexpected("the container's log", log));
            }
            thread::sleep(Duration::from_millis(50));
        };
        let started = self.docker.run(&["inspect", "--format", "{{.State.StartedAt}}", &self.id])?;
        let time = |text: &str| text.parse::<Timestamp>().map_err(|error| Error::unexpected(text, error));
        Ok(time(&listening)?.duration_since(time(&started)?).try_into().unwrap_or_default())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.docker.run(&["rm", "--force", &self.id]).ok();
        self.docker.run(&["image", "rm", "--force", &self.image]).ok();
    }
}
