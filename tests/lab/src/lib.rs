//! The lab: real components for end-to-end tests and for the demo.
//!
//! It finds or starts a Docker Engine, Compose v2 and a registry, makes sample images without any image build, and
//! writes a Compose project that `host` can deploy to. On a machine that already has Docker it uses what is there;
//! it never touches anything that it did not make itself.
//!
//! - [`engine`], [`compose`], [`registry`]: the components.
//! - [`d601`]: a second host with an engine and a registry of its own, reached by ssh.
//! - [`cluster`]: Kubernetes on that host.
//! - [`modern`]: a current engine with the containerd image store.
//! - [`image`], [`project`]: what is pushed and what is deployed to.
//! - [`snapshot`]: what a refused deploy must leave as it was.
//! - [`faulty`]: a far side that goes wrong where a test says so.
//! - [`components`]: plugin crates made into WebAssembly components.
//! - [`faulty_docker`]: an engine that goes wrong on request.
//! - [`sshd`]: an SSH server to deploy through.
//! - [`bench`]: all of it as a test sees it.

pub mod bench;
pub mod cluster;
pub mod components;
pub mod compose;
pub mod d601;
pub mod debian;
pub mod docker;
pub mod engine;
pub mod error;
pub mod faulty;
pub mod faulty_docker;
pub mod http;
pub mod image;
pub mod lock;
pub mod modern;
pub mod paths;
pub mod process;
pub mod project;
pub mod registry;
pub mod sample;
pub mod security_key;
pub mod snapshot;
pub mod sshd;
mod through_d601;

pub use bench::Bench;
pub use d601::D601;
pub use docker::Docker;
pub use error::{Error, Result};
pub use image::{PushedImage, SampleImage};
pub use project::Project;
pub use registry::Registry;
pub use sample::Behaviour;
pub use snapshot::Snapshot;
pub use sshd::Sshd;

/// Told in one sentence what is about to happen, before it happens.
pub type Say<'a> = &'a dyn Fn(&str);
