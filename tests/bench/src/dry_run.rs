//! A dry run as a whole process, beside `docker --version`, and where its time goes.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::project::SERVICE;

use crate::Result;
use crate::sample::{self, Samples};
use crate::stage::{self, Stage};
use crate::table::Table;

const SAMPLES: usize = 31;
const GOAL: Duration = Duration::from_millis(15);
/// What a dry run may take, as a multiple of `docker --version`.
const MULTIPLE: f64 = 2.0;

pub fn measure(table: &mut Table) -> Result<()> {
    let stage = Stage::new()?;
    let commit = stage::some_commit();
    let arguments =
        ["deploy", SERVICE, "--env", "prod", "--commit", &commit, "--dry-run", "--output", "json"];
    let (dry_run, docker) = sample::paired(
        SAMPLES,
        || stage::whole_process(&mut stage.command(&arguments)?),
        || stage::whole_process(Command::new("docker").arg("--version").stdout(Stdio::null())),
    )?;
    let met = dry_run.ratio(&docker) <= MULTIPLE;
    table.against("dry run, whole process, against docker --version", &dry_run, &docker, "≤ 2 ×", met);
    table.within("dry run, whole process", &dry_run, GOAL);
    let start = sample::alone(SAMPLES, || stage::whole_process(&mut stage.command(&["--version"])?))?;
    table.figure("  process start and end (host --version)", &start);
    for (phase, samples) in phases(&stage, &arguments)? {
        table.figure(&format!("  {phase}"), &samples);
    }
    Ok(())
}

/// The phases that the program itself measures, in the order in which they begin.
fn phases(stage: &Stage, arguments: &[&str]) -> Result<Vec<(String, Samples)>> {
    let mut order = Vec::new();
    let mut all: BTreeMap<String, Samples> = BTreeMap::new();
    for _ in 0..SAMPLES {
        let output = stage.command(arguments)?.env("HOST_LOG", "trace").env("NO_COLOR", "1").output()?;
        let mut sums: BTreeMap<String, Duration> = BTreeMap::new();
        for (phase, spent) in String::from_utf8_lossy(&output.stderr).lines().filter_map(spent) {
            if !order.contains(&phase) {
                order.push(phase.clone());
            }
            *sums.entry(phase).or_default() += spent;
        }
        for (phase, sum) in sums {
            all.entry(phase).or_default().push(sum);
        }
    }
    Ok(order.into_iter().filter_map(|phase| all.remove(&phase).map(|samples| (phase, samples))).collect())
}

/// `… host::timing: spent phase="policies" us=2345`.
fn spent(line: &str) -> Option<(String, Duration)> {
    let (_, rest) = line.split_once("phase=\"")?;
    let (phase, rest) = rest.split_once("\" us=")?;
    Some((phase.to_owned(), Duration::from_micros(rest.trim().parse().ok()?)))
}
