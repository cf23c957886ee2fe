//! What can be wrong with a plugin, each with the plugin's name and digest.

use std::path::PathBuf;

use crate::fault::Fault;
use crate::names::{Digest, ServiceName};

/// Which plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Its name.
    pub name: ServiceName,
    /// SHA-256 of the component.
    pub digest: Digest,
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "plugin {} ({})", self.name, self.digest)
    }
}

/// Something is wrong with a plugin file, or a plugin went wrong while it ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginFault {
    /// No file, or none that can be read.
    #[error("plugin {name}: {} {why}", path.display())]
    File {
        /// Which.
        name: ServiceName,
        /// Where it was looked for.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// The file is no component.
    #[error("{which} is no WebAssembly component: {why}")]
    NotAComponent {
        /// Which.
        which: Which,
        /// In words.
        why: String,
    },
    /// It was built against another version of the contract.
    #[error("{which} was built for {found}; this host speaks {expected}")]
    ContractVersion {
        /// Which.
        which: Which,
        /// The interface it names.
        found: String,
        /// The package this host implements.
        expected: String,
    },
    /// It wants something that no host gives.
    #[error(
        "{which} imports {import}, which is outside the contract: a plugin reaches deploy:consumer and nothing else"
    )]
    ForeignImport {
        /// Which.
        which: Which,
        /// What it imports.
        import: String,
    },
    /// It lacks what the contract asks of it, or has it with another type.
    #[error("{which} does not fit the contract: {why}")]
    Contract {
        /// Which.
        which: Which,
        /// In words.
        why: String,
    },
    /// What it says of itself makes no sense.
    #[error("{which} describes itself wrongly: {why}")]
    Description {
        /// Which.
        which: Which,
        /// In words.
        why: String,
    },
    /// A bug in it.
    #[error("{which} trapped: {why}{backtrace}")]
    Trap {
        /// Which.
        which: Which,
        /// Wasm's own words.
        why: String,
        /// Function names, innermost first; empty or beginning with a line break.
        backtrace: String,
    },
    /// It used up a limit of host.toml.
    #[error("{which} exhausted a limit: {why}")]
    Limit {
        /// Which.
        which: Which,
        /// Names the key and the limit.
        why: String,
    },
}

impl PluginFault {
    /// Stable, for scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "plugin-file",
            Self::NotAComponent { .. } => "plugin-not-a-component",
            Self::ContractVersion { .. } => "plugin-contract-version",
            Self::ForeignImport { .. } => "plugin-foreign-import",
            Self::Contract { .. } => "plugin-contract",
            Self::Description { .. } => "plugin-description",
            Self::Trap { .. } => "plugin-trap",
            Self::Limit { .. } => "plugin-limit",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::File { .. } => "put the component there as <service>.wasm, or set `plugins` in host.toml",
            Self::NotAComponent { .. } => {
                "build it with the SDK; a core module must be made a component first"
            }
            Self::ContractVersion { .. } => "rebuild the plugin against this host's wit/ folder",
            Self::ForeignImport { .. } => {
                "build it for wasm32-unknown-unknown with the SDK, so that it imports the contract only"
            }
            Self::Contract { .. } | Self::Description { .. } => "rebuild the plugin with this host's SDK",
            Self::Trap { .. } => "this is a bug in the plugin; send its owner this text",
            Self::Limit { .. } => {
                "ask the plugin's owner; raise the limit in host.toml only if the need is real"
            }
        }
    }
}

impl From<PluginFault> for Fault {
    fn from(fault: PluginFault) -> Self {
        Self::usage(fault.code(), fault.to_string(), fault.help())
    }
}
