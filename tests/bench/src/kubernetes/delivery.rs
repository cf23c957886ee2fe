//! An image brought into the containerd of the node from the registry on its loopback: by `host`, by the node's kubelet,
//! and by `ctr` by hand, in turn.

use std::time::{Duration, Instant};

use super::scene::{NAMESPACE, SERVICE, Scene, pinned};
use super::store::Store;
use crate::Result;
use crate::delivery::{Delivery, Images, Published, WHOLE};
use crate::sample::{self, Samples};
use crate::table::Table;

/// Of each way, with nothing of the image in containerd.
const COLD: usize = 5;
/// Of each way, with one layer missing.
const DELTA: usize = 10;
/// What a delivery may take, as a multiple of the pull.
const PULL: f64 = 1.1;
/// What holds the networks of pods.
const PAUSE_IMAGE: &str = "127.0.0.1:5000/unidesk/pause:1";
/// How long the kubelet is waited for, and how often it is asked.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(100);

pub fn measure(table: &mut Table, scene: &Scene<'_>) -> Result<()> {
    scene.back_to_first()?;
    let running = [scene.first.pushed.reference.as_str(), PAUSE_IMAGE];
    let store = Store::emptied(&scene.cluster, &running)?;
    let images = Images::make(scene.d601, SERVICE)?;
    table.note(format!(
        "the image for containerd: {} MB in {} layers, {} MB as it is pulled",
        WHOLE / 1_000_000,
        images.layers(),
        images.sent_bytes() / 1_000_000
    ));
    eprintln!("  cold, {} rounds", COLD + sample::WARM_UP);
    let image = images.base();
    let all = sample::in_turn(COLD, || {
        store.make_cold()?;
        let by_host = host(scene, image)?;
        scene.back_to_first()?;
        store.make_cold()?;
        let kubelet = kubelet(scene, image)?;
        store.make_cold()?;
        Ok([by_host.deliver, by_host.until_delivered, kubelet, ctr(scene, image)?])
    })?;
    rows(table, "cold", &all);

    eprintln!("  one layer missing, {} rounds", DELTA + sample::WARM_UP);
    let mut number = 0;
    let mut next = || {
        number += 1;
        images.with_other_top(number)
    };
    store.make_cold()?;
    // It runs, so that its layers stay.
    host(scene, image)?;
    let all = sample::in_turn(DELTA, || {
        let by_host = host(scene, &next()?)?;
        Ok([by_host.deliver, by_host.until_delivered, kubelet(scene, &next()?)?, ctr(scene, &next()?)?])
    })?;
    rows(table, "5 MB of it", &all);
    Ok(())
}

fn rows(table: &mut Table, how: &str, [deliver, until, kubelet, ctr]: &[Samples; 4]) {
    for (other, what) in [(kubelet, "the kubelet's pull"), (ctr, "ssh d601 ctr images pull")] {
        let met = deliver.ratio(other) <= PULL;
        table.against(&format!("{how}: image.deliver"), deliver, other, &format!("≤ {PULL} × {what}"), met);
    }
    table.figure("  from host's start until delivered", until);
}

fn host(scene: &Scene<'_>, image: &Published) -> Result<Delivery> {
    scene.settled()?;
    Delivery::seen(&mut scene.deploy(&image.commit)?)
}

/// As a person does it who is on the node for nothing else: one connection, one command.
fn ctr(scene: &Scene<'_>, image: &Published) -> Result<Duration> {
    let by_digest = pinned(&image.pushed);
    let took = sample::timed(|| Ok(scene.cluster.ctr(&["images", "pull", "--plain-http", &by_digest])?))?;
    scene.cluster.ctr(&["images", "tag", &by_digest, &image.pushed.reference])?;
    Ok(took)
}

/// Over CRI, by a pod that wants it: how long it took is what the kubelet says.
fn kubelet(scene: &Scene<'_>, image: &Published) -> Result<Duration> {
    let pod = format!("pulls-{}", &image.commit[..12]);
    let kubectl =
        |arguments: &[&str]| scene.cluster.kubectl(&[&["--namespace", NAMESPACE], arguments].concat());
    let run = format!("--image={}", image.pushed.reference);
    kubectl(&["run", &pod, &run, "--restart=Never", "--image-pull-policy=Always"])?;
    let uid = kubectl(&["get", "pod", &pod, "--output=jsonpath={.metadata.uid}"])?;
    let of_it = format!("--field-selector=involvedObject.uid={uid},reason=Pulled");
    let begun = Instant::now();
    let said = loop {
        let said = kubectl(&["get", "events", &of_it, "--output=jsonpath={.items[*].message}"])?;
        if !said.is_empty() {
            break said;
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("the kubelet has not pulled {}", image.pushed.reference).into());
        }
        std::thread::sleep(PAUSE);
    };
    kubectl(&["delete", "pod", &pod, "--now"])?;
    // `Successfully pulled image "…" in 3.712s (3.712s including waiting). …`
    let time = said.split_once("\" in ").and_then(|(_, rest)| rest.split(' ').next());
    time.and_then(duration).ok_or_else(|| format!("the kubelet does not say how long it took: {said}").into())
}

/// As Go writes it, up to minutes: `1m2.5s`, `118ms`.
fn duration(text: &str) -> Option<Duration> {
    if let Some(milliseconds) = text.strip_suffix("ms") {
        return Some(Duration::from_secs_f64(milliseconds.parse::<f64>().ok()? / 1e3));
    }
    let (minutes, seconds) =
        text.strip_suffix('s')?.split_once('m').unwrap_or(("0", text.strip_suffix('s')?));
    Some(Duration::from_secs_f64(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?))
}
