//! The statements beside a plan, and which of them count.

use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;

use super::{Counted, OUTSIDE, REQUESTER, Statement};
use crate::backend::live::signing::{self, Signers};
use crate::config::ApprovalsConfig;
use crate::fault::Fault;
use crate::file::open_regular;
use crate::names::Digest;

/// Largest statement, in bytes.
const LARGEST: u64 = 64 << 10;
/// Most files beside a plan that are looked at.
const MOST: usize = 200;

/// Everything that was found beside a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvals {
    /// What counts.
    pub counted: Counted,
    /// What does not: the file's name, and why.
    pub refused: Vec<(String, String)>,
}

/// A statement whose signature is good.
struct Signed {
    name: String,
    signer: String,
    statement: Statement,
}

impl Approvals {
    /// Those beside the plan called `plan` in `file`, which is about `services` services.
    ///
    /// # Errors
    /// A [`Fault`] for a folder that cannot be read.
    pub async fn of(
        file: &Path,
        plan: &Digest,
        services: usize,
        config: &ApprovalsConfig,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut found = Self::default();
        let mut good = Vec::new();
        for path in beside(file)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match read(&path, config).await {
                Ok((signer, statement)) => good.push(Signed { name, signer, statement }),
                Err(why) => found.refused.push((name, why)),
            }
        }
        let (asked, approved): (Vec<_>, Vec<_>) =
            good.into_iter().partition(|one| one.statement.role.as_str() == REQUESTER);
        for one in asked {
            match one.sound(plan, now) {
                Ok(()) if found.counted.requester.as_ref().is_some_and(|known| *known != one.signer) => {
                    found.refused.push((one.name, "somebody else signed for having asked, too".to_owned()));
                }
                Ok(()) => found.counted.requester = Some(one.signer),
                Err(why) => found.refused.push((one.name, why)),
            }
        }
        for one in approved {
            let judged = one.sound(plan, now).and_then(|()| one.counts(services, config, &found.counted));
            match judged {
                Ok(()) if one.statement.role.as_str() == OUTSIDE => {
                    found.counted.vouched.extend([one.signer]);
                }
                Ok(()) => found.counted.approvers.add(one.statement.role.as_str(), one.signer),
                Err(why) => found.refused.push((one.name, why)),
            }
        }
        Ok(found)
    }
}

impl Signed {
    /// Whether it is about this plan, and still holds.
    fn sound(&self, plan: &Digest, now: Timestamp) -> Result<(), String> {
        if self.statement.plan != *plan {
            return Err(format!("it is about another plan, {}", self.statement.plan));
        }
        if now > self.statement.expires {
            return Err(format!("it expired at {}", self.statement.expires));
        }
        Ok(())
    }

    /// Whether it is an approval by somebody who may, and who is somebody else than whoever asked.
    fn counts(&self, services: usize, config: &ApprovalsConfig, known: &Counted) -> Result<(), String> {
        let Statement { role, requester, .. } = &self.statement;
        let signer = &self.signer;
        if services != 1 {
            return Err(format!(
                "the plan is about {services} services; an approval counts on a plan of one"
            ));
        }
        if !config.roles.get(role).is_some_and(|names| names.contains(signer)) {
            return Err(format!("{signer} is not in roles.{role} under [approvals] in host.toml"));
        }
        match &known.requester {
            None => Err(format!(
                "nobody signed for having asked for the plan, so it cannot be told that {signer} is somebody else; plan \
                 with --key"
            )),
            Some(asked) if asked == signer => {
                Err(format!("{signer} asked for the plan; somebody else approves it"))
            }
            Some(asked) if asked != requester => {
                Err(format!("it says that {requester} asked for the plan, and {asked} did"))
            }
            Some(_) => Ok(()),
        }
    }
}

/// Statements beside the plan, by name.
fn beside(file: &Path) -> Result<Vec<PathBuf>, Fault> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!("{}.", file.file_name().unwrap_or_default().to_string_lossy());
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Fault::usage(
            "approvals",
            format!("{} cannot be read: {error}", folder.display()),
            "approvals are files beside the plan",
        )
    })?;
    let is_statement = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with(&prefix) && path.extension().is_some_and(|end| end == "json")
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_statement).collect();
    paths.sort();
    paths.truncate(MOST);
    Ok(paths)
}

/// A statement and who signed it; otherwise why it is none, or nobody's.
async fn read(path: &Path, config: &ApprovalsConfig) -> Result<(String, Statement), String> {
    let mut text = String::new();
    let read = open_regular(path, OFlags::empty())
        .and_then(|(file, _)| file.take(LARGEST + 1).read_to_string(&mut text));
    let length = read.map_err(|error| format!("it cannot be read: {error}"))?;
    if length as u64 > LARGEST {
        return Err("it is too large for a statement".to_owned());
    }
    let statement: Statement =
        serde_json::from_str(&text).map_err(|error| format!("it is no statement: {error}"))?;
    let Some(allowed) = &config.allowed_signers else {
        return Err("host.toml names no allowed-signers under [approvals]".to_owned());
    };
    let signers = Signers { allowed, revoked: config.revoked.as_deref() };
    let mut signature = path.as_os_str().to_owned();
    signature.push(".sig");
    let signer = signing::verified(&signers, Path::new(&signature), text.as_bytes()).await?;
    Ok((signer, statement))
}
