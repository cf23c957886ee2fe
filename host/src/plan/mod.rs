//! A saved plan: what was found and what would be done, kept so that exactly this is done later or nothing.
//!
//! The file is canonical JSON (RFC 8785) and is named by its SHA-256. No value of a secret is in it: states and answers hold none.

pub mod shown;

use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::canonical;
use crate::fault::Fault;
use crate::file::{open_regular, write_whole};
use crate::identity::Identities;
use crate::names::{Commit, Digest, Environment, ServiceName};
use crate::policy::{Context, Principal};
use crate::recording::Recording;
use crate::step::Step;

/// Version of these fields.
const SCHEMA: u32 = 1;
/// Largest plan that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// What was planned for several services; each of them is applied, and refused, by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Plan {
    schema_version: u32,
    /// Each.
    pub services: Vec<ServicePlan>,
}

/// What was planned for one service in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServicePlan {
    /// Which service.
    pub service: ServiceName,
    /// Where.
    pub environment: Environment,
    /// Which commit.
    pub commit: Commit,
    /// Whether done changes are taken back when a later step fails.
    pub rollback: bool,
    /// Why this commit though the desired state names another one.
    pub override_desired: Option<String>,
    /// Who planned it.
    pub requester: String,
    /// The plugin's own version, for people; its digest is in `principal`.
    pub plugin_version: String,
    /// As whom policy was asked.
    pub principal: Principal,
    /// In which circumstances policy was asked.
    pub context: Context,
    /// Digest of the policy set.
    pub policy: Digest,
    /// Version of the program that planned it.
    pub host_version: String,
    /// When.
    pub made: Timestamp,
    /// Until when it may be applied.
    pub expires: Timestamp,
    /// Where it would be applied.
    pub identities: Identities,
    /// The operations with what was decided, found and wanted.
    pub steps: Vec<PlannedStep>,
    /// What the host itself would do: the failure path, and what comes after a proved deploy.
    pub foreseen: Vec<PlannedStep>,
}

/// A step, and what policy was asked about it: as `principal`, in the `context` of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStep {
    /// What was decided, found and wanted.
    pub step: Step,
    /// One for each thing that it touches.
    pub requests: Vec<Access>,
}

impl PlannedStep {
    /// Without how long it took, which is no part of a plan.
    #[must_use]
    pub fn of(step: &Step) -> Self {
        Self { step: Step { duration_ms: 0, ..step.clone() }, requests: step.operation.accesses() }
    }
}

/// As it is in a file: whoever changes a byte of it by accident is told.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    plan: Plan,
    sha256: Digest,
}

impl Plan {
    /// Of what was planned together, and may be applied until then.
    #[must_use]
    pub fn new(mut services: Vec<ServicePlan>, expires: Timestamp) -> Self {
        for plan in &mut services {
            plan.expires = expires;
        }
        Self { schema_version: SCHEMA, services }
    }

    /// Its name: the SHA-256 of its canonical form.
    ///
    /// # Errors
    /// For one that JSON cannot hold; none of our types is such a one.
    pub fn name(&self) -> Result<Digest, Fault> {
        canonical::json(self).map(|text| Digest::of(text.as_bytes())).map_err(|error| unwritable(&error))
    }

    /// Writes it, whole or not at all; gives its name.
    ///
    /// # Errors
    /// A usage fault that names the file.
    pub fn write(self, path: &Path) -> Result<Digest, Fault> {
        let sha256 = self.name()?;
        let kept = Kept { plan: self, sha256: sha256.clone() };
        let text = canonical::json(&kept).map_err(|error| unwritable(&error))? + "\n";
        write_whole(path, text.as_bytes()).map_err(|error| {
            Fault::usage(
                "plan-file",
                format!("{} cannot be written: {error}", path.display()),
                "name a file in a folder that you may write to with --out",
            )
        })?;
        Ok(sha256)
    }

    /// Reads one; gives it with its name.
    ///
    /// # Errors
    /// A usage fault for a file that cannot be read or is no plan of this version; a stale one for a plan that was changed.
    pub fn read(path: &Path) -> Result<(Self, Digest), Fault> {
        let wrong = |why: String| {
            Fault::usage(
                "plan-file",
                format!("{} {why}", path.display()),
                "`host deploy plan … --out FILE` writes a plan",
            )
        };
        let mut text = String::new();
        let read = open_regular(path, OFlags::empty())
            .and_then(|(file, _)| file.take(LARGEST + 1).read_to_string(&mut text));
        let length = read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if length as u64 > LARGEST {
            return Err(wrong(format!("is larger than {} MiB, and no plan", LARGEST >> 20)));
        }
        let changed = |how: &str| {
            Fault::stale(
                "plan-changed",
                format!("{} is not as it was written: {how}", path.display()),
                "nothing was done; take the file that was reviewed, or plan again",
            )
        };
        let Kept { plan, sha256 } =
            serde_json::from_str(&text).map_err(|error| changed(&error.to_string()))?;
        let name = plan.name()?;
        if name != sha256 {
            return Err(changed(&format!("its content is {name}, and it says {sha256}")));
        }
        if plan.schema_version != SCHEMA {
            let version = plan.schema_version;
            return Err(wrong(format!("has version {version} of a plan's fields; this host knows {SCHEMA}")));
        }
        Ok((plan, name))
    }
}

impl ServicePlan {
    /// What a live run is bound to.
    #[must_use]
    pub fn recording(&self) -> Recording {
        Recording::new(self.steps.iter().map(|one| one.step.clone()).collect())
    }
}

fn unwritable(error: &serde_json::Error) -> Fault {
    Fault::internal("plan-file", format!("a plan cannot be written: {error}"), "report this as a bug")
}
