//! Who is who: the key of D601 itself, the key of those who log in, and the `ssh_config` that puts both to use.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::rootfs::USER;
use crate::{Error, Result, Say, debian, paths, process};

/// The name of the host for ssh.
pub const HOST: &str = "d601";

/// Where sshd listens.
pub const PORT: u16 = 22;

/// Keys in a folder, all of them new and of no use elsewhere.
#[derive(Clone, Debug)]
pub struct Identity {
    folder: PathBuf,
}

impl Identity {
    /// What is kept in this folder.
    #[must_use]
    pub fn kept_in(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes keys for D601 and for its user.
    pub fn make(&self) -> Result<()> {
        let accepted = self.for_sshd().join("authorized_keys");
        paths::make_folder(&accepted)?;
        let (own, user) = (self.for_sshd().join("ssh_host_ed25519_key"), self.user_key());
        generate(&own, HOST)?;
        generate(&user, "lab")?;
        let accepted_key = accepted.join(USER);
        paths::write(&accepted_key, read(&public(&user))?)?;
        // As sshd wants them, whatever the umask of this process is.
        let modes = [
            (self.for_sshd(), 0o755),
            (accepted, 0o755),
            (accepted_key, 0o644),
            (public(&own), 0o644),
            (own, 0o600),
        ];
        modes.into_iter().try_for_each(|(path, mode)| {
            fs::set_permissions(&path, Permissions::from_mode(mode))
                .map_err(Error::io(format!("set the permissions of {}", path.display())))
        })
    }

    /// Writes the `ssh_config` for D601 at this address, and what is known of its key.
    pub fn introduce(&self, address: &str) -> Result<()> {
        let key = read(&public(&self.for_sshd().join("ssh_host_ed25519_key")))?;
        paths::write(&self.known_hosts(), format!("{HOST},{address} {key}"))?;
        // Of the agent's keys none fits, and sshd ends the connection after a handful that do not.
        let config = format!(
            "Host {HOST}\n\
             \x20   HostName {address}\n\
             \x20   Port {PORT}\n\
             \x20   User {USER}\n\
             \x20   IdentityFile \"{}\"\n\
             \x20   IdentitiesOnly yes\n\
             \x20   UserKnownHostsFile \"{}\"\n\
             \x20   GlobalKnownHostsFile none\n\
             \x20   StrictHostKeyChecking yes\n",
            self.user_key().display(),
            self.known_hosts().display(),
        );
        paths::write(&self.ssh_config(), config)
    }

    /// The files that belong into D601's `/etc/ssh`.
    #[must_use]
    pub fn for_sshd(&self) -> PathBuf {
        self.folder.join("sshd")
    }

    /// The configuration for `ssh -F`.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.folder.join("ssh_config")
    }

    /// The keys of hosts that its `UserKnownHostsFile` names.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }

    fn user_key(&self) -> PathBuf {
        self.folder.join("id_ed25519")
    }

    /// `ssh` or `scp` with this configuration; it never asks anybody, and gives up soon where nobody answers.
    #[must_use]
    pub fn client(&self, program: &str) -> Command {
        let mut client = Command::new(program);
        client.arg("-F").arg(self.ssh_config()).args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]);
        client
    }
}

/// Makes sure that there are `ssh`, `scp` and `ssh-keygen`.
pub fn install_client(say: Say) -> Result<()> {
    let is_there = |program: &str| paths::program(&[program]).is_some();
    if ["ssh", "scp", "ssh-keygen"].into_iter().all(is_there) {
        return Ok(());
    }
    if debian::has_apt() && debian::is_root() {
        return debian::install(&["openssh-client"], say);
    }
    Err(Error::Missing {
        what: "the OpenSSH client",
        why: "ssh, scp or ssh-keygen is not installed".to_owned(),
        remedy: "install the OpenSSH client".to_owned(),
    })
}

fn generate(key: &Path, comment: &str) -> Result<()> {
    let mut keygen = Command::new("ssh-keygen");
    process::run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(key))
}

fn public(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(Error::io(format!("read {}", file.display())))
}
