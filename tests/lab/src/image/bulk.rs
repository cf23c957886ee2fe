//! Layers as large as real ones, for measurements. They are made once and shared by images; the same seed gives the same
//! bytes.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::layer::Layer;
use crate::Result;

/// Words that the text is made of.
const WORDS: usize = 256;

/// Bytes that are made at once. Of repeated ones the whole is within reach of the compression.
const CHUNK: usize = 4096;

/// Of 32 chunks, how many are noise: together with the text it gets a little more than half as large.
const NOISY: u64 = 6;

/// What a layer is full of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// Text and noise, which compress about as well as programs and their data.
    Mixed,
    /// The same text over and over: a thirtieth of it when it is compressed.
    Repeated,
}

/// A layer that several images can have.
#[derive(Clone, Debug)]
pub struct Bulk(pub(super) Arc<Layer>);

impl Bulk {
    /// A layer with one file of this many bytes.
    pub fn new(seed: u32, bytes: u64, filling: Filling) -> Result<Self> {
        let content = Content::new(seed, filling).take(bytes);
        Layer::of_content(&format!("bulk-{seed}"), bytes, content).map(|layer| Self(Arc::new(layer)))
    }

    /// Its bytes as they are sent.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.0.data.len() as u64
    }
}

/// Bytes without an end.
struct Content {
    words: Vec<Vec<u8>>,
    state: u64,
    filling: Filling,
    chunk: Vec<u8>,
    read: usize,
}

impl Content {
    fn new(seed: u32, filling: Filling) -> Self {
        let state = 0x9e37_79b9_7f4a_7c15 ^ (u64::from(seed) << 16);
        let mut content = Self { words: Vec::new(), state, filling, chunk: Vec::new(), read: 0 };
        content.words = (0..WORDS).map(|_| content.word()).collect();
        content
    }

    fn word(&mut self) -> Vec<u8> {
        let letters = self.random().to_le_bytes();
        let length = 3 + usize::try_from(self.random() % 6).unwrap_or_default();
        letters.into_iter().take(length).map(|byte| b'a' + byte % 26).chain([b' ']).collect()
    }

    /// xorshift: good enough to defeat compression.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn next_chunk(&mut self) {
        self.read = 0;
        if self.filling == Filling::Repeated && !self.chunk.is_empty() {
            return;
        }
        let noise = self.filling == Filling::Mixed && self.random() >> 32 & 31 < NOISY;
        self.chunk.clear();
        while self.chunk.len() < CHUNK {
            let random = self.random();
            if noise {
                self.chunk.extend(random.to_le_bytes());
            } else {
                let word = usize::try_from(random >> 32).unwrap_or_default() % self.words.len();
                self.chunk.extend_from_slice(&self.words[word]);
            }
        }
    }
}

impl Read for Content {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() {
            self.next_chunk();
        }
        let read = (&self.chunk[self.read..]).read(into)?;
        self.read += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn it_compresses_as_it_says_and_is_always_the_same() -> Result<()> {
        let mixed = Bulk::new(1, 8 * MIB, Filling::Mixed)?;
        let share = mixed.sent_bytes() * 100 / (8 * MIB);
        assert!((53..59).contains(&share), "{share} %");
        assert_eq!(mixed.0.digest, Bulk::new(1, 8 * MIB, Filling::Mixed)?.0.digest);
        assert_ne!(mixed.0.diff_id, Bulk::new(2, 2 * MIB, Filling::Mixed)?.0.diff_id);
        let repeated = Bulk::new(1, 2 * MIB, Filling::Repeated)?.sent_bytes();
        assert!(repeated < 2 * MIB / 30, "{repeated} bytes");
        Ok(())
    }
}
