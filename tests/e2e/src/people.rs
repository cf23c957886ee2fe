//! People with keys: who may ask for a plan, and who may approve it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Ann and Bob are supervisors, Otto is an operator, Eve is known and nothing else, Mallory is not known.
pub struct People {
    folder: PathBuf,
}

impl People {
    /// What `host.toml` says of them.
    pub const TABLE: &str = "\n[approvals]\nallowed-signers = \"allowed_signers\"\n\
        roles.supervisor = [\"bob@example\", \"ann@example\"]\nroles.operator = [\"otto@example\"]\n\
        roles.outside = [\"bob@example\"]\n";

    /// Makes their keys in the folder of `host.toml`, and the file that knows them.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        let people = Self { folder: folder.to_owned() };
        let known: Vec<String> = ["ann", "bob", "otto", "eve"].map(|name| people.comes(name)).to_vec();
        people.comes("mallory");
        fs::write(folder.join("allowed_signers"), known.concat()).expect("allowed_signers");
        people
    }

    /// Somebody's private key.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A new key; its line of `allowed_signers`.
    fn comes(&self, name: &str) -> String {
        assert!(keygen(&["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &self.key(name)], None));
        self.line(name)
    }

    /// The line of `allowed_signers` that somebody's public key makes.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        let public = fs::read_to_string(self.folder.join(format!("{name}.pub"))).expect("a public key");
        format!("{name}@example {public}")
    }
}

/// Runs `ssh-keygen`; whether it went well.
#[must_use]
pub fn keygen(arguments: &[&str], input: Option<&Path>) -> bool {
    let stdin = input.map_or_else(Stdio::null, |path| fs::File::open(path).expect("a file").into());
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("ssh-keygen").success()
}
