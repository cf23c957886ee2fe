//! Which machine an image was built for.

use std::fmt;

use serde::Deserialize;

use crate::words::plain;

/// Characters of a platform's part that a message repeats.
const SHOWN: usize = 40;

/// Operating system, architecture and its variant, in the words of the OCI image specification (`GOOS`, `GOARCH`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `v8`; often left out.
    #[serde(default)]
    pub variant: Option<String>,
}

impl Platform {
    /// What this machine's engine runs: `linux` on this architecture.
    pub fn of_this_machine() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    /// What builders give the entries of an index that are no images but statements about one (attestations).
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// Whether both name the same platform. The variant is left out too often to count.
    pub fn is_like(&self, other: &Self) -> bool {
        self.os == other.os && self.architecture == other.architecture
    }

    /// Whether every machine of the architecture runs it: `v1` and `v8` are what amd64 and arm64 began with.
    pub fn is_baseline(&self) -> bool {
        match self.variant.as_deref() {
            None | Some("") => true,
            Some("v1") => self.architecture == "amd64",
            Some("v8") => self.architecture == "arm64",
            Some(_) => false,
        }
    }
}

/// The one of `images` that a machine of the platform `ours` runs. Among equals it is the first one, as engines do it.
pub fn best<T>(images: Vec<(T, Platform)>, ours: &Platform) -> Option<T> {
    let fitting = images.into_iter().filter(|(_, platform)| platform.is_like(ours));
    fitting.min_by_key(|(_, platform)| !platform.is_baseline()).map(|(image, _)| image)
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", plain(&self.os, SHOWN), plain(&self.architecture, SHOWN))?;
        match &self.variant {
            Some(variant) if !variant.is_empty() => write!(f, "/{}", plain(variant, SHOWN)),
            _ => Ok(()),
        }
    }
}
