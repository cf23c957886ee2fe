//! Layers: compressed archives.

use std::io::{self, Read, Write};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use super::{
    Format,
    manifest::{digest, shown},
};
use crate::{Error, Result};

/// One layer, ready to be sent.
#[derive(Debug)]
pub(super) struct Layer {
    /// The digest of the compressed archive, as the manifest names it.
    pub digest: String,
    /// The digest of the archive itself, as the configuration names it.
    pub diff_id: String,
    pub data: Vec<u8>,
}

impl Layer {
    /// An executable file in the root folder.
    pub fn program(name: &str, content: &[u8], format: Format) -> Result<Self> {
        Self::of_file(name, 0o755, content, format)
    }

    /// A file of bytes that look random and are always the same.
    pub fn padding(size: usize, format: Format) -> Result<Self> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = std::iter::repeat_with(|| {
            // xorshift: good enough to defeat compression.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        let content: Vec<u8> = words.flatten().take(size).collect();
        Self::of_file("padding", 0o644, &content, format)
    }

    /// Files and links whose names are written as they are, wherever they lead.
    pub fn of_entries(entries: &[Entry], format: Format) -> Result<Self> {
        let archive = raw_archive(entries).map_err(Error::io("archive entries"))?;
        Self::of_archive("entries", &archive, format)
    }

    /// One file whose content is never in memory as a whole, compressed with gzip.
    pub fn of_content(name: &str, size: u64, content: impl Read) -> Result<Self> {
        let compressed = GzEncoder::new(Vec::new(), Compression::fast());
        let mut archive = Hashed { hash: Sha256::new(), inner: compressed };
        let data =
            write_archive(name, 0o644, size, content, &mut archive).and_then(|()| archive.inner.finish());
        let data = data.map_err(Error::io(format!("archive {name}")))?;
        Ok(Self { digest: digest(&data), diff_id: shown(archive.hash), data })
    }

    fn of_file(name: &str, mode: u32, content: &[u8], format: Format) -> Result<Self> {
        let mut archive = Vec::new();
        write_archive(name, mode, content.len() as u64, content, &mut archive)
            .map_err(Error::io(format!("archive {name}")))?;
        Self::of_archive(name, &archive, format)
    }

    fn of_archive(name: &str, archive: &[u8], format: Format) -> Result<Self> {
        let data = match format {
            Format::Oci | Format::Docker => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(archive).and_then(|()| encoder.finish())
            }
            Format::OciZstd => Ok(zstd(archive)),
        };
        let data = data.map_err(Error::io(format!("compress {name}")))?;
        Ok(Self { digest: digest(&data), diff_id: digest(archive), data })
    }
}

/// A frame of Zstandard (RFC 8878) whose blocks are as they were: for whoever unpacks it a frame like any other.
fn zstd(content: &[u8]) -> Vec<u8> {
    /// The largest block, and with it the window.
    const BLOCK: usize = 128 << 10;
    // Magic number; eight bytes of content size and no checksum; a window of 2^(10 + 7) bytes.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xc0, 7 << 3];
    frame.extend((content.len() as u64).to_le_bytes());
    let last = content.len().div_ceil(BLOCK).saturating_sub(1);
    for (number, block) in content.chunks(BLOCK).enumerate() {
        let header = (block.len() << 3) | usize::from(number == last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}

/// A file with its name as content, or a symbolic link.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: String,
    pub target: Option<String>,
}

fn raw_archive(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for Entry { name, target } in entries {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        // The library's own way refuses names that lead out of the archive.
        let fields = header.as_old_mut();
        let cut = name.len().min(fields.name.len());
        fields.name[..cut].copy_from_slice(&name.as_bytes()[..cut]);
        let content = match target {
            Some(target) => {
                let cut = target.len().min(fields.linkname.len());
                fields.linkname[..cut].copy_from_slice(&target.as_bytes()[..cut]);
                header.set_entry_type(tar::EntryType::Symlink);
                ""
            }
            None => name,
        };
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_bytes())?;
    }
    builder.into_inner()
}

fn write_archive(
    name: &str,
    mode: u32,
    size: u64,
    content: impl Read,
    into: &mut impl Write,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(mode);
    // Time and owner stay zero: the same input gives the same bytes.
    let mut builder = tar::Builder::new(into);
    builder.append_data(&mut header, name, content)?;
    builder.finish()
}

/// Passes on what is written, and takes the hash of it.
struct Hashed<W> {
    hash: Sha256,
    inner: W,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(data)?;
        self.hash.update(&data[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
