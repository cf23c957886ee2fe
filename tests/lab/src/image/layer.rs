//! Layers: one compressed archive with one file each.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::manifest::digest;
use crate::{Error, Result};

/// One layer, ready to be sent.
pub(super) struct Layer {
    /// The digest of the compressed archive, as the manifest names it.
    pub digest: String,
    /// The digest of the archive itself, as the configuration names it.
    pub diff_id: String,
    pub data: Vec<u8>,
}

impl Layer {
    /// An executable file in the root folder.
    pub fn program(name: &str, content: &[u8]) -> Result<Self> {
        Self::of_file(name, 0o755, content)
    }

    /// A file of bytes that look random and are always the same.
    pub fn padding(size: usize) -> Result<Self> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = std::iter::repeat_with(|| {
            // xorshift: good enough to defeat compression.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        let content: Vec<u8> = words.flatten().take(size).collect();
        Self::of_file("padding", 0o644, &content)
    }

    fn of_file(name: &str, mode: u32, content: &[u8]) -> Result<Self> {
        let archive = archive(name, mode, content).map_err(Error::io(format!("archive {name}")))?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let data = encoder.write_all(&archive).and_then(|()| encoder.finish());
        let data = data.map_err(Error::io(format!("compress {name}")))?;
        Ok(Self { digest: digest(&data), diff_id: digest(&archive), data })
    }
}

fn archive(name: &str, mode: u32, content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    // Time and owner stay zero: the same input gives the same bytes.
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, name, content)?;
    builder.into_inner()
}
