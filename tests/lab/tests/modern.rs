//! The modern engine beside the other one. The names of tests that need it begin with `modern_`: `lab run` looks for
//! that.

use std::{
    thread,
    time::{Duration, Instant},
};

use lab::{
    Bench, Result, SampleImage, http, image,
    modern::{self, Modern},
    project::PROJECT_MANAGER,
};

#[test]
fn modern_engine_knows_an_image_by_its_manifest() -> Result<()> {
    let bench = Bench::from_environment()?;
    let modern = Modern::start(modern::place_of_tests()?)?;
    let docker = modern.docker();
    assert_eq!(docker.run(&["version", "--format", "{{.Server.Version}}"])?, modern::VERSION);

    let commit = image::commit("on the modern engine");
    let pushed = SampleImage::new(PROJECT_MANAGER.name, &commit).push(bench.registry())?;
    let repository = pushed.reference.strip_suffix(&format!(":{commit}")).unwrap_or_default();
    let by_digest = format!("{repository}@{}", pushed.digest);
    docker.run(&["pull", "--quiet", &by_digest])?;
    let id = docker.run(&["image", "inspect", "--format", "{{.Id}}", &by_digest])?;
    assert_eq!(id, pushed.manifest_digest);
    assert_ne!(id, pushed.config_digest);

    // Containers run on it, in its own network, and the other engine knows nothing of them.
    docker.run(&["run", "--detach", "--name", "modern-test", &by_digest])?;
    let address = format!("{}:8080", docker.address("modern-test")?);
    let start = Instant::now();
    let health = loop {
        match http::get(&address, "/health") {
            Err(_) if start.elapsed() < Duration::from_secs(10) => thread::sleep(Duration::from_millis(100)),
            answer => break answer?,
        }
    };
    assert!(health.body.contains(&commit), "{health:?}");
    assert!(bench.docker().container("modern-test")?.is_none());
    Ok(())
}
