//! A live deploy from end to end, beside the same steps by hand, in turn on one engine.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use lab::image::{PushedImage, SampleImage};
use lab::project::{CONTAINER, SERVICE, Settings};
use lab::{Bench, Project, http};
use serde_json::Value;
use tempfile::TempDir;

use crate::Result;
use crate::sample::{self, Samples};
use crate::steps::Steps;
use crate::table::Table;

const SAMPLES: usize = 15;
/// What a deploy may take more than by hand: a tenth, or so much.
const MORE: Duration = Duration::from_millis(150);
const TENTH: f64 = 1.1;
/// The container's port, and how long it is waited for.
const PORT: u16 = 8080;
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

pub fn measure(table: &mut Table) -> Result<()> {
    let Ok(bench) = Bench::from_environment() else {
        table.note("live deploy: not measured, no engine can be started here".to_owned());
        return Ok(());
    };
    let folder = TempDir::with_prefix("host-bench-")?;
    let project = bench.project(folder.path(), "host-bench", &Settings::default())?;
    let mut published = 0;
    let mut publish = || -> Result<(String, PushedImage)> {
        published += 1;
        let commit = lab::image::commit(&format!("bench {published}"));
        let image = SampleImage::new(SERVICE, &commit).push(bench.registry())?;
        Ok((commit, image))
    };
    // Every deploy brings an image that the engine does not have yet.
    let images = (0..2 * (SAMPLES + 2)).map(|_| publish()).collect::<Result<Vec<_>>>()?;
    let (mut for_host, mut by_hand) = (images.iter().step_by(2), images.iter().skip(1).step_by(2));
    let mut steps = Steps::default();
    let (deploys, hand) = sample::paired(
        SAMPLES,
        || {
            let (commit, _) = for_host.next().ok_or("no image is left")?;
            deploy(&project, commit, &mut steps)
        },
        || {
            let (commit, image) = by_hand.next().ok_or("no image is left")?;
            sample::timed(|| steps_by_hand(&project, commit, image))
        },
    )?;
    project.remove()?;
    let met = met(&deploys, &hand);
    table.against(
        "live deploy to Compose, against the same by hand",
        &deploys,
        &hand,
        "≤ 1.1 × or + 150 ms",
        met,
    );
    steps.rows(table);
    Ok(())
}

fn met(deploys: &Samples, hand: &Samples) -> bool {
    deploys.ratio(hand) <= TENTH || deploys.median() <= hand.median() + MORE
}

fn deploy(project: &Project, commit: &str, steps: &mut Steps) -> Result<Duration> {
    let mut command = project.host()?;
    command.args(["deploy", SERVICE, "--env", "prod", "--commit", commit, "--run-now", "--output", "json"]);
    let begun = Instant::now();
    let output = command.output()?;
    let whole = begun.elapsed();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    steps.add(&report, whole);
    Ok(whole)
}

/// What an operator types who trusts everything: no look at anything before, no proof of anything but health.
fn steps_by_hand(project: &Project, commit: &str, image: &PushedImage) -> Result<()> {
    let docker = project.docker();
    let repository = image.reference.rsplit_once(':').map_or("", |(repository, _)| repository);
    let pinned = format!("{repository}@{}", image.digest);
    docker.run(&["pull", "--quiet", &pinned])?;
    docker.run(&["tag", &pinned, SERVICE])?;
    stamp(project, commit)?;
    lab::process::run(project.compose().args([
        "up",
        "--detach",
        "--no-build",
        "--no-deps",
        "--force-recreate",
        SERVICE,
    ]))?;
    let address = docker.address(CONTAINER)?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let answer = http::get(&format!("{address}:{PORT}"), "/health");
        if answer.is_ok_and(|answer| answer.body.contains(commit)) {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err("what was deployed by hand did not get healthy".into())
}

fn stamp(project: &Project, commit: &str) -> Result<()> {
    let file = project.env_file();
    let prefix = format!("UNIDESK_{}_DEPLOY_", SERVICE.to_uppercase().replace('-', "_"));
    let mut text: String = fs::read_to_string(&file)?
        .lines()
        .filter(|line| !line.starts_with(&prefix))
        .flat_map(|line| [line, "\n"])
        .collect();
    for (key, value) in [("COMMIT", commit), ("REQUESTED_COMMIT", commit), ("SERVICE_ID", SERVICE)] {
        text.extend([prefix.as_str(), key, "=", value, "\n"]);
    }
    let mut opened = fs::File::create(&file)?;
    Ok(opened.write_all(text.as_bytes())?)
}
