//! An image of the registry behind SSH brought into the engine here: by `host`, and by hand, in turn.
//!
//! - [`by_host`]: what `host` tells about it.
//! - [`images`]: what is delivered.
//! - [`machines`]: the two machines, and what must be gone before anything counts as cold.
//! - [`ways`]: how it is delivered.

mod by_host;
mod images;
mod machines;
mod ways;

use std::time::Duration;

use lab::project::FRONTEND;
use lab::{Bench, Error};

pub use self::by_host::Delivery;
pub use self::images::{Images, Published, WHOLE};

use self::images::LARGE;
use self::machines::Machines;
use crate::Result;
use crate::memory;
use crate::sample::{self, Samples};
use crate::table::Table;

/// Of each way, with nothing of the image in the engine.
const COLD: usize = 15;
/// Of each way, with one layer missing.
const DELTA: usize = 15;
/// What a delivery may take, as a multiple of the tunnel by hand.
const TUNNEL: f64 = 1.1;
/// … and of `docker save | docker load`, where one layer is missing.
const SAVED: f64 = 0.1;
/// Megabytes that may be resident, and how much more for the larger image still counts as the same.
const MEMORY: u64 = 100;
const SAME: u64 = 8;

pub fn measure(table: &mut Table) -> Result<()> {
    let Ok(bench) = Bench::from_environment() else {
        table.note("delivery: not measured, no engine can be started here".to_owned());
        return Ok(());
    };
    let machines = match Machines::start(&bench) {
        Ok(machines) => machines,
        Err(error @ Error::Missing { .. }) => {
            table.note(format!("delivery: not measured: {error}"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let images = Images::make(&machines.d601, FRONTEND.name)?;
    table.note(format!(
        "the image: {} MB in {} layers, {} MB as it is sent",
        WHOLE / 1_000_000,
        images.layers(),
        images.sent_bytes() / 1_000_000
    ));
    cold(table, &machines, &images)?;
    delta(table, &machines, &images)?;
    resident(table, &machines, &images)
}

/// What `host` took of one delivery, in three ways to look at it.
#[derive(Default)]
struct ByHost {
    counted: usize,
    steps: Samples,
    alone: Samples,
}

impl ByHost {
    /// Gives the time from the start of the program, and keeps the others where the round counts.
    fn of(&mut self, delivery: &Delivery) -> Duration {
        self.counted += 1;
        if self.counted > sample::WARM_UP {
            self.steps.push(delivery.resolve + delivery.deliver);
            self.alone.push(delivery.deliver);
        }
        delivery.until_delivered
    }

    fn rows(&self, table: &mut Table, how: &str, whole: &Samples, tunnel: &Samples) {
        let mut against = |what: &str, samples: &Samples| {
            let met = samples.ratio(tunnel) <= TUNNEL;
            table.against(&format!("{how}: {what}"), samples, tunnel, "≤ 1.1 × ssh -L and docker pull", met);
        };
        against("connection, look-up, image.deliver", &self.steps);
        against("from host's start until delivered", whole);
        table.figure("  image.deliver alone", &self.alone);
    }
}

fn cold(table: &mut Table, machines: &Machines, images: &Images<'_>) -> Result<()> {
    eprintln!("  cold, {} rounds", COLD + sample::WARM_UP);
    let image = images.base();
    machines.bring_to_d601(image)?;
    let mut by_host = ByHost::default();
    let [whole, tunnel, saved] = sample::in_turn(COLD, || {
        machines.make_cold()?;
        let whole = by_host.of(&ways::host(machines, image)?);
        machines.make_cold()?;
        let tunnel = ways::tunnel(machines, image, 0)?;
        machines.make_cold()?;
        Ok([whole, tunnel, ways::save_and_load(machines, image)?])
    })?;
    by_host.rows(table, "cold", &whole, &tunnel);
    table.figure("  ssh d601 docker save | docker load", &saved);
    Ok(())
}

fn delta(table: &mut Table, machines: &Machines, images: &Images<'_>) -> Result<()> {
    eprintln!("  one layer missing, {} rounds", DELTA + sample::WARM_UP);
    machines.make_cold()?;
    // It runs, so that its layers stay.
    ways::host(machines, images.base())?;
    let shared = images.layers() - 1;
    let mut by_host = ByHost::default();
    let mut number = 0;
    let mut next = || {
        number += 1;
        images.with_other_top(number)
    };
    let [whole, tunnel, saved] = sample::in_turn(DELTA, || {
        let image = next()?;
        let whole = by_host.of(&ways::host(machines, &image)?);
        let tunnel = ways::tunnel(machines, &next()?, shared)?;
        let image = next()?;
        machines.bring_to_d601(&image)?;
        Ok([whole, tunnel, ways::save_and_load(machines, &image)?])
    })?;
    by_host.rows(table, "5 MB of it", &whole, &tunnel);
    let met = by_host.steps.ratio(&saved) <= SAVED;
    table.against(
        "5 MB of it: connection, look-up, image.deliver",
        &by_host.steps,
        &saved,
        "≤ 0.1 × ssh d601 docker save | docker load",
        met,
    );
    Ok(())
}

/// Memory of `host` alone, for both sizes.
fn resident(table: &mut Table, machines: &Machines, images: &Images<'_>) -> Result<()> {
    let megabytes = |commit: &str| -> Result<u64> {
        machines.make_cold()?;
        Ok(memory::peak(&mut ways::deploy(machines, commit)?)? >> 10)
    };
    let small = megabytes(&images.base().commit)?;
    eprintln!("  the large image");
    let large = megabytes(&images.large()?.commit)?;
    machines.make_cold()?;
    let met = small.max(large) < MEMORY && large <= small + SAME;
    table.note(format!(
        "host's memory while it delivers: {small} MB for {} MB, {large} MB for {} MB; goal < {MEMORY} MB and the same: {}",
        WHOLE / 1_000_000,
        LARGE / 1_000_000,
        if met { "met" } else { "MISSED" }
    ));
    Ok(())
}
