//! The images: one of 390 MB in six layers, others of which only the topmost layer differs, and a large one.

use lab::D601;
use lab::image::{self, Bulk, Filling, PushedImage, SampleImage};

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
pub struct Images<'a> {
    d601: &'a D601,
    service: &'static str,
    below: Vec<Bulk>,
    base: Published,
}

impl<'a> Images<'a> {
    /// Makes the layers of a service's images, and publishes the one that the cold ways deliver.
    pub fn make(d601: &'a D601, service: &'static str) -> Result<Self> {
        eprintln!("  making an image of {} MB", WHOLE / MB);
        let make = |(seed, bytes)| Bulk::new(seed, bytes, Filling::Mixed);
        let below = (1..).zip(BELOW).map(make).collect::<lab::Result<Vec<_>>>()?;
        let base = publish(d601, service, &below, 0)?;
        Ok(Self { d601, service, below, base })
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
    pub fn with_other_top(&self, number: u32) -> Result<Published> {
        publish(self.d601, self.service, &self.below, number)
    }

    /// Publishes the large one. What it is full of is small when it is compressed, so that it can be sent.
    pub fn large(&self) -> Result<Published> {
        let commit = image::commit("bench delivery, large");
        let mut sample = SampleImage::new(self.service, &commit);
        for seed in 1..=u32::try_from(LARGE / LARGE_LAYER)? {
            sample = sample.bulk(&Bulk::new(seed, LARGE_LAYER, Filling::Repeated)?);
        }
        Ok(Published { commit, pushed: self.d601.push(&sample)? })
    }
}

fn publish(d601: &D601, service: &str, below: &[Bulk], number: u32) -> Result<Published> {
    let commit = image::commit(&format!("bench delivery {number}"));
    let top = Bulk::new(1000 + number, TOP, Filling::Mixed)?;
    let sample = SampleImage::new(service, &commit);
    let sample = below.iter().chain([&top]).fold(sample, SampleImage::bulk);
    Ok(Published { commit, pushed: d601.push(&sample)? })
}
