//! An SSH server on loopback, with keys and an ssh configuration of its own. It lets in the user who runs it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use tempfile::TempDir;

use crate::{Error, Result, Say, debian, paths, process};

const PATIENCE: Duration = Duration::from_secs(10);

/// What the ssh configuration calls it.
pub const NAME: &str = "d601";

/// Where OpenSSH wants an empty folder when root runs it.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// A server that answers; stopped when dropped, with all its sessions.
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    process: Child,
}

/// Gets the server where Debian has it and this process may install it.
pub fn ensure(say: Say) -> Result<()> {
    if paths::program(&["sshd"]).is_none() && debian::has_apt() && debian::is_root() {
        debian::install(&["openssh-server"], say)?;
    }
    program().map(drop)
}

impl Sshd {
    /// Starts one with these lines of `sshd_config` before its own.
    pub fn start(options: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(Error::io("make a folder for an SSH server"))?;
        for key in ["host_key", "client_key", "other_key"] {
            generate(&folder.path().join(key))?;
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = port.map_err(Error::io("find a free port on 127.0.0.1"))?.port();
        let options: Vec<String> = options.iter().map(|&line| line.to_owned()).collect();
        let process = serve(folder.path(), port, &options)?;
        let sshd = Self { folder, port, options, process };
        sshd.trust_host_key()?;
        Ok(sshd)
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of known host keys.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.folder().join("known_hosts")
    }

    /// An ssh configuration that gets in as [`NAME`].
    pub fn config(&self) -> Result<PathBuf> {
        self.config_with("ssh_config", &[])
    }

    /// One with a key that is not let in.
    pub fn config_of_a_stranger(&self) -> Result<PathBuf> {
        let key = self.folder().join("other_key");
        self.write_config("ssh_config_of_a_stranger", &key, &[])
    }

    /// One with these lines before the others: the first value of an option wins.
    pub fn config_with(&self, name: &str, options: &[&str]) -> Result<PathBuf> {
        self.write_config(name, &self.folder().join("client_key"), options)
    }

    fn write_config(&self, name: &str, key: &Path, options: &[&str]) -> Result<PathBuf> {
        let file = self.folder().join(name);
        let options: String = options.iter().flat_map(|line| ["  ", line, "\n"]).collect();
        let text = format!(
            "Host {NAME}\n{options}  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n",
            port = self.port,
            key = key.display(),
            known = self.known_hosts().display()
        );
        paths::write(&file, text)?;
        Ok(file)
    }

    /// Writes down its present host key as the only known one.
    pub fn trust_host_key(&self) -> Result<()> {
        let file = self.folder().join("host_key.pub");
        let key = fs::read_to_string(&file).map_err(Error::io(format!("read {}", file.display())))?;
        paths::write(&self.known_hosts(), format!("[127.0.0.1]:{} {key}", self.port))
    }

    /// Stops it, sessions and all, and starts it with another host key.
    pub fn change_host_key(&mut self) -> Result<()> {
        self.stop()?;
        for file in ["host_key", "host_key.pub"] {
            let file = self.folder().join(file);
            fs::remove_file(&file).map_err(Error::io(format!("remove {}", file.display())))?;
        }
        generate(&self.folder().join("host_key"))?;
        self.process = serve(self.folder.path(), self.port, &self.options)?;
        Ok(())
    }

    /// Stops it, sessions and all.
    pub fn stop(&mut self) -> Result<()> {
        process::stop_child(&mut self.process, PATIENCE).map_err(Error::io("stop the SSH server"))?;
        self.signal_sessions("KILL")
    }

    /// Ends all sessions at once, as a line that breaks.
    pub fn cut(&self) -> Result<()> {
        self.signal_sessions("KILL")
    }

    /// Lets all sessions fall silent, as a line that is dead.
    pub fn freeze(&self) -> Result<()> {
        self.signal_sessions("STOP")
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.session_processes().len()
    }

    fn signal_sessions(&self, signal: &str) -> Result<()> {
        let ids: Vec<String> = self.session_processes().iter().map(u32::to_string).collect();
        if ids.is_empty() {
            return Ok(());
        }
        // One that ended by itself meanwhile is no failure.
        let script = format!("kill -{signal} {} 2>/dev/null; true", ids.join(" "));
        process::run(Command::new("sh").args(["-c", &script]))
    }

    /// Those that the server started for connections, which write into its log as it does, and what these started.
    fn session_processes(&self) -> Vec<u32> {
        let log = log(self.folder.path());
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(|id| {
            *id != self.process.id()
                && is_sshd(*id)
                && fs::read_dir(format!("/proc/{id}/fd")).is_ok_and(|mut open| {
                    open.any(|file| {
                        file.is_ok_and(|file| fs::read_link(file.path()).is_ok_and(|to| to == log))
                    })
                })
        })
        .collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Nobody is left to tell; what could not be stopped shows in the list of processes.
        self.stop().unwrap_or_default();
    }
}

fn is_sshd(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.starts_with("sshd"))
}

fn program() -> Result<PathBuf> {
    paths::program(&["sshd"]).ok_or_else(|| Error::Missing {
        what: "the SSH server of OpenSSH",
        why: "there is no program sshd".to_owned(),
        remedy: "install openssh-server".to_owned(),
    })
}

fn log(folder: &Path) -> PathBuf {
    folder.join("sshd.log")
}

fn serve(folder: &Path, port: u16, options: &[String]) -> Result<Child> {
    let program = program()?;
    if debian::is_root() {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o755).create(PRIVILEGE_SEPARATION);
        made.map_err(Error::io(format!("make {PRIVILEGE_SEPARATION}")))?;
    }
    let options: String = options.iter().flat_map(|line| [line, "\n"]).collect();
    let file = folder.join("sshd_config");
    let text = format!(
        "{options}Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n\
         AuthorizedKeysFile {folder}/client_key.pub\nPidFile none\nUsePAM no\nStrictModes no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         AcceptEnv *\nPrintMotd no\nPrintLastLog no\nMaxStartups 100\n",
        folder = folder.display()
    );
    paths::write(&file, text)?;
    let log = log(folder);
    let mut child = process::start(Command::new(program).arg("-D").arg("-e").arg("-f").arg(&file), &log)?;
    let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let waited = process::wait_until("the SSH server", &mut child, &log, PATIENCE, answers);
    if waited.is_err() {
        process::stop_child(&mut child, PATIENCE).unwrap_or_default();
    }
    waited.map(|()| child)
}

fn generate(key: &Path) -> Result<()> {
    process::run(
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]).arg(key),
    )
}
