//! `[approvals]`: whose signature counts as what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::approval::OUTSIDE;
use crate::names::ConfigName;
use crate::policy::Approvers;

/// Whose signature counts, and as what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalsConfig {
    /// Identities and their keys, as `ssh-keygen` reads them (ssh-keygen(1), "ALLOWED SIGNERS").
    pub allowed_signers: Option<PathBuf>,
    /// Keys that no longer count: an OpenSSH key revocation list.
    pub revoked: Option<PathBuf>,
    /// The identities of each role.
    pub roles: BTreeMap<ConfigName, BTreeSet<String>>,
}

/// As it is written.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ApprovalsTable {
    allowed_signers: Option<PathBuf>,
    revoked: Option<PathBuf>,
    roles: BTreeMap<ConfigName, BTreeSet<String>>,
}

impl ApprovalsTable {
    /// What it stands for; relative paths are relative to `base`.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(super) fn approvals(self, base: &Path) -> Result<ApprovalsConfig, (String, String)> {
        let Self { allowed_signers, revoked, roles } = self;
        // Those that policy knows, and the one for where that is unknown which a guard asks for.
        let nobody_yet = Approvers::default();
        let known: Vec<&str> =
            nobody_yet.by_role().into_iter().map(|(role, _)| role).chain([OUTSIDE]).collect();
        if let Some(role) = roles.keys().find(|role| !known.contains(&role.as_str())) {
            let why = format!("there is no such role; there are: {}", known.join(", "));
            return Err((format!("roles.{role}"), why));
        }
        let nobody = |name: &String| {
            name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',')
        };
        for (role, names) in &roles {
            if let Some(name) = names.iter().find(|name| nobody(name)) {
                return Err((format!("roles.{role}"), format!("{name:?} is no identity of a signer")));
            }
        }
        if allowed_signers.is_none() && !roles.is_empty() {
            return Err((
                "allowed-signers".to_owned(),
                "roles without the keys of those who have them".to_owned(),
            ));
        }
        let at = |path: PathBuf| base.join(path);
        Ok(ApprovalsConfig { allowed_signers: allowed_signers.map(at), revoked: revoked.map(at), roles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<ApprovalsConfig, (String, String)> {
        toml::from_str::<ApprovalsTable>(text).expect("a table").approvals(Path::new("/srv"))
    }

    #[test]
    fn roles_are_those_that_policy_knows_and_have_keys() {
        let sound =
            told("allowed-signers = \"signers\"\nroles.supervisor = [\"ann@example\"]").expect("sound");
        assert_eq!(sound.allowed_signers, Some("/srv/signers".into()));
        for (key, text) in [
            ("roles.boss", "allowed-signers = \"a\"\nroles.boss = [\"ann\"]"),
            ("roles.operator", "allowed-signers = \"a\"\nroles.operator = [\"ann bob\"]"),
            ("allowed-signers", "roles.supervisor = [\"ann\"]"),
        ] {
            assert_eq!(told(text).expect_err(key).0, key);
        }
    }
}
