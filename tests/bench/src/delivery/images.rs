//! The images: one of 390 MB in six layers, others of which only the topmost layer differs, and a large one.

use lab::image::{self, Bulk, Filling, PushedImage, SampleImage};
use lab::project::FRONTEND;

use super::machines::Machines;
use crate::Result;

const MB: u64 = 1_000_000;
/// The layers below the topmost, beside the program's own.
const BELOW: [u64; 4] = [160 * MB, 110 * MB, 70 * MB, 45 * MB];
const TOP: u64 = 5 * MB;

/// Bytes of the image, unpacked.
pub const WHOLE: u64 = BELOW[0] + BELOW[1] + BELOW[2] + BELOW[3] + TOP;

/// Bytes of the large image, unpacked.
pub const LARGE: u64 = 4 * LARGE_LAYER;
const LARGE_LAYER: u64 = 1000 * MB;

/// An image in D601's registry.
pub struct Published {
    /// Its commit.
    pub commit: String,
    /// What the registry has.
    pub pushed: PushedImage,
}

/// What is delivered.
pub struct Images {
    below: Vec<Bulk>,
    base: Published,
}

impl Images {
    /// Makes the layers, and publishes the image that the cold ways deliver.
    pub fn make(machines: &Machines) -> Result<Self> {
        eprintln!("  making an image of {} MB", WHOLE / MB);
        let make = |(seed, bytes)| Bulk::new(seed, bytes, Filling::Mixed);
        let below = (1..).zip(BELOW).map(make).collect::<lab::Result<Vec<_>>>()?;
        let base = publish(machines, &below, 0)?;
        Ok(Self { below, base })
    }

    /// The image that all others share their layers with.
    pub fn base(&self) -> &Published {
        &self.base
    }

    /// How many layers an image has.
    pub fn layers(&self) -> usize {
        // The program, what is below, and the topmost.
        self.below.len() + 2
    }

    /// Bytes of the image as they are sent.
    pub fn sent_bytes(&self) -> u64 {
        self.base.pushed.size
    }

    /// Publishes one that has a topmost layer of its own; `number` is not 0.
    pub fn with_other_top(&self, machines: &Machines, number: u32) -> Result<Published> {
        publish(machines, &self.below, number)
    }
}

/// Publishes the large one. What it is full of is small when it is compressed, so that it can be sent.
pub fn large(machines: &Machines) -> Result<Published> {
    let commit = image::commit("bench delivery, large");
    let mut sample = SampleImage::new(FRONTEND.name, &commit);
    for seed in 1..=u32::try_from(LARGE / LARGE_LAYER)? {
        sample = sample.bulk(&Bulk::new(seed, LARGE_LAYER, Filling::Repeated)?);
    }
    Ok(Published { commit, pushed: machines.d601.push(&sample)? })
}

fn publish(machines: &Machines, below: &[Bulk], number: u32) -> Result<Published> {
    let commit = image::commit(&format!("bench delivery {number}"));
    let top = Bulk::new(1000 + number, TOP, Filling::Mixed)?;
    let sample = SampleImage::new(FRONTEND.name, &commit);
    let sample = below.iter().chain([&top]).fold(sample, SampleImage::bulk);
    Ok(Published { commit, pushed: machines.d601.push(&sample)? })
}
