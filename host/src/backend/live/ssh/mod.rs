//! A machine behind `ssh`: one connection for a whole run, commands and forwards through it.
//!
//! It is the user's own `ssh` that connects, so the ssh configuration, agent, `known_hosts` and jump hosts are what they
//! always are; host keys are always checked. Its master is a child of this process and ends with it, however it ends: a
//! pipe of ours is its input, and a guard behind another pipe ends it where a transfer would keep it. What a killed run
//! left all the same is removed when the next connection is made.

mod arguments;
mod connection;
mod error;
mod folder;
mod forward;
mod heard;
mod program;
pub(super) mod quote;
mod said;
mod session;

use std::time::Duration;

pub use super::process::{Finished, Input};
pub use connection::Connection;
pub use error::{Place, Refusal, SshError, Trouble, Unreached};
pub use forward::{Forward, LocalEnd, Target};
pub use program::Program;
pub use quote::quote;

/// How long `ssh` may take to say why something that went through it has failed.
pub const LAST_WORDS: Duration = Duration::from_millis(500);
