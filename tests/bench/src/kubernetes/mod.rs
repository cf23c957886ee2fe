//! Deploys to Kubernetes by `host` and by hand, in turn on one cluster: what a deploy takes whose image is there already,
//! and what it takes to bring an image into the node's containerd.
//!
//! - [`scene`]: the cluster on D601, and who reaches it how.
//! - [`watch`]: when the API server had what.
//! - [`ways`]: how it is deployed.
//! - [`store`]: the node's containerd, and what must be gone before anything counts as cold.
//! - [`delivery`]: how an image is brought there.

mod delivery;
mod scene;
mod store;
mod watch;
mod ways;

use std::time::Duration;

use lab::{Bench, D601, Error};

use self::scene::Scene;
use self::watch::Watch;
use self::ways::{ByHand, Took};
use crate::Result;
use crate::sample;
use crate::steps::Steps;
use crate::table::{Table, shown};

const SAMPLES: usize = 10;
/// Each deploy brings an image that nothing runs yet.
const SIDES: usize = 4;
/// What the time until the patch may be, as a multiple of kubectl's.
const PATCH: f64 = 1.2;
/// What may pass after everything is ready.
const DONE: Duration = Duration::from_millis(50);

pub fn measure(table: &mut Table) -> Result<()> {
    let Ok(bench) = Bench::from_environment() else {
        table.note("kubernetes: not measured, no engine can be started here".to_owned());
        return Ok(());
    };
    let mut on_d601 = || -> Result<()> {
        eprintln!("  starting D601 and a cluster on it");
        let d601 = D601::start(&bench)?;
        let scene = Scene::set(&bench, &d601)?;
        table.note(scene.described()?);
        deploys(table, &scene)?;
        delivery::measure(table, &scene)
    };
    match on_d601() {
        Err(error) if matches!(error.downcast_ref(), Some(Error::Missing { .. })) => {
            table.note(format!("kubernetes: not measured: {error}"));
            Ok(())
        }
        measured => measured,
    }
}

fn deploys(table: &mut Table, scene: &Scene<'_>) -> Result<()> {
    let rounds = SAMPLES + sample::WARM_UP;
    let watch = Watch::begin(scene)?;
    let mut steps = Steps::default();
    let mut number = 0;
    eprintln!("  deploys of images that are there, {rounds} rounds");
    let patch_done_whole = sample::in_turn(SAMPLES, || {
        let mut took = Vec::with_capacity(SIDES);
        for side in [None, Some(ByHand::Direct), Some(ByHand::Forwarded), Some(ByHand::Careful)] {
            number += 1;
            let image = scene.brought(&format!("bench kubernetes {number}"))?;
            scene.settled()?;
            took.push(match side {
                None => ways::host(scene, &watch, &image, &mut steps)?,
                Some(way) => ways::by_hand(scene, &watch, &image, way)?,
            });
        }
        let each = |part: fn(&Took) -> Duration| took.iter().map(part).collect::<Vec<_>>();
        let all = [each(|took| took.until_patch), each(|took| took.after_ready), each(|took| took.whole)];
        <[Duration; 3 * SIDES]>::try_from(all.concat()).map_err(|_| "a side was not measured".into())
    })?;
    let [
        patch,
        patch_direct,
        patch_forwarded,
        patch_careful,
        done,
        done_direct,
        _,
        _,
        whole,
        whole_direct,
        whole_forwarded,
        whole_careful,
    ] = patch_done_whole;
    for (other, against) in [
        (&patch_direct, "kubectl, API server in reach"),
        (&patch_forwarded, "ssh -L and kubectl"),
        (&patch_careful, "the same looks by hand"),
    ] {
        let (what, goal) = (format!("start to patch, against {against}"), format!("≤ {PATCH} ×"));
        table.against(&what, &patch, other, &goal, patch.ratio(other) <= PATCH);
    }
    table.within("ready to done", &done, DONE);
    table.figure("  kubectl rollout status, and its health", &done_direct);
    for (other, against) in [
        (&whole_direct, "kubectl, API server in reach"),
        (&whole_forwarded, "ssh -L and kubectl"),
        (&whole_careful, "the same looks by hand"),
    ] {
        table.beside(&format!("deploy to Kubernetes, against {against}"), &whole, other);
    }
    steps.rows(table);
    Ok(())
}

/// How long a program takes that does nothing.
fn idle(mut command: impl FnMut() -> std::process::Command) -> Result<String> {
    let took = sample::alone(5, || sample::timed(|| Ok(lab::process::run(&mut command())?)))?;
    Ok(shown(took.median()))
}
