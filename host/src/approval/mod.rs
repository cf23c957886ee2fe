//! Signed statements about plans: who asked for one, and who approves it. A statement is a small JSON file beside the plan; its
//! signature, as `ssh-keygen -Y sign` makes it, is the file of the same name with `.sig`.

mod beside;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::fault::Fault;
use crate::names::{ConfigName, Digest};
use crate::policy::Approvers;

pub use beside::Approvals;

/// What a signature is for: one that was made for something else counts for nothing (ssh-keygen(1), `-n`).
pub const NAMESPACE: &str = "host-approval";
/// The role of whoever asked for a plan.
pub const REQUESTER: &str = "requester";

/// Who asked for a plan where nobody signed for that.
pub const UNKNOWN: &str = "unknown";
/// The role of whoever says that a plan is applied from outside of what it deploys, where that does not show.
pub const OUTSIDE: &str = "outside";

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Statement {
    /// The name of the plan.
    pub plan: Digest,
    /// As what: `requester`, `operator`, `supervisor`, `outside`.
    pub role: ConfigName,
    /// Who asked for the plan, by the identity of their key; `unknown` where nobody signed for that.
    pub requester: String,
    /// Until when it counts.
    pub expires: Timestamp,
    /// Tells statements apart that say the same.
    pub nonce: String,
    /// In the signer's own words.
    pub comment: String,
}

impl Statement {
    /// That somebody asks for the plan called `plan`.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn asked(plan: &Digest, expires: Timestamp) -> Result<Self, Fault> {
        let role = ConfigName::parse(REQUESTER).map_err(|error| unmade(&error))?;
        Self::new(plan, role, None, expires, String::new())
    }

    /// That somebody says something of the plan called `plan`, which `requester` asked for.
    ///
    /// # Errors
    /// A [`Fault`] where the system has no random numbers.
    pub fn new(
        plan: &Digest,
        role: ConfigName,
        requester: Option<String>,
        expires: Timestamp,
        comment: String,
    ) -> Result<Self, Fault> {
        let mut random = [0; 8];
        File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut random))
            .map_err(|error| unmade(&error))?;
        let nonce = format!("{:016x}", u64::from_le_bytes(random));
        let requester = requester.unwrap_or_else(|| UNKNOWN.to_owned());
        Ok(Self { plan: plan.clone(), role, requester, expires, nonce, comment })
    }

    /// As it is signed.
    ///
    /// # Errors
    /// For one that JSON cannot hold; none of our types is such a one.
    pub fn text(&self) -> Result<String, Fault> {
        canonical::json(self).map(|text| text + "\n").map_err(|error| unmade(&error))
    }

    /// Its file, beside the plan in `plan`.
    #[must_use]
    pub fn file(&self, plan: &Path) -> PathBuf {
        let mut name = plan.as_os_str().to_owned();
        name.push(format!(".{}-{}.json", self.role, self.nonce));
        name.into()
    }
}

fn unmade(error: &dyn std::fmt::Display) -> Fault {
    Fault::internal("approval", format!("a statement cannot be made: {error}"), "report this as a bug")
}

/// Who said what of a plan, as far as it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Who asked for it, by the identity of their key; nothing where nobody signed for that.
    pub requester: Option<String>,
    /// Who approved it.
    pub approvers: Approvers,
    /// Who said that it is applied from outside of what it deploys.
    pub vouched: BTreeSet<String>,
}
