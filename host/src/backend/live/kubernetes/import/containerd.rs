//! The containerd of a node, by the better of two ways: its own socket, where whoever asks may use that; otherwise its own
//! command line, run there as somebody who may.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::cri::Cri;
use super::ctr::{Ctr, broken};
use crate::answer::CallError;
use crate::backend::live::machine::Machine;
use crate::progress::Interrupt;
use crate::words::shell;

/// Longest that the look around may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Kubernetes' part of containerd.
pub const NAMESPACE: &str = "k8s.io";

/// Says who asks and what there is, a word and its value in each line. `$1` the socket. Administrators' folders are looked
/// through as well: `sudo` runs what is in them, and not everybody has them in PATH.
const FIND: &str = r#"
PATH=$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin
echo "user $(id -un)"
[ ! -w "$1" ] || echo "socket $1"
for program in sudo ctr k3s; do
  path=$(command -v "$program") && echo "$program $path"
done
exit 0
"#;

/// A way to containerd.
#[derive(Debug)]
pub enum Containerd {
    /// Its command line.
    Ctr(Ctr),
    /// Its socket.
    Cri(Cri),
}

impl Containerd {
    /// Looks on `machine`, which is called `place`, for a way to the containerd that listens on `socket`.
    ///
    /// # Errors
    /// `Other` with what is missing there.
    pub async fn find(machine: &Machine, place: &str, socket: &Path) -> Result<Self, CallError> {
        let address = socket.display().to_string();
        let look = ["sh", "-c", FIND, "sh", &address].map(OsString::from);
        let said = match machine.run(&look, &[], None, PATIENCE).await {
            Ok(finished) => String::from_utf8_lossy(&finished.stdout).into_owned(),
            Err(unrun) => return Err(broken(place, "a shell", unrun)),
        };
        let found = Found(&said);
        let ctr = Ctr::new(machine.clone(), place, &found, &address);
        if !found.may_use_socket() {
            return ctr.map(Self::Ctr);
        }
        let words = found.as_typed(&address);
        match Cri::connect(machine, place, socket, words).await {
            Ok(cri) => Ok(Self::Cri(cri)),
            // An SSH server may forward no sockets, and a containerd may have no CRI. What may write to the socket there can
            // be done by `ctr` as well.
            Err(error) => {
                tracing::debug!(%error, "containerd is not asked by its socket");
                ctr.map(Self::Ctr).map_err(|_| error)
            }
        }
    }

    /// Where it is.
    pub fn place(&self) -> &str {
        match self {
            Self::Ctr(ctr) => ctr.place(),
            Self::Cri(cri) => cri.place(),
        }
    }

    /// How it is asked, in a word.
    pub fn way(&self) -> &'static str {
        match self {
            Self::Ctr(_) => "ctr",
            Self::Cri(_) => "CRI",
        }
    }

    /// A command as an administrator types it there.
    pub fn command(&self, verb: &[&str]) -> String {
        let words = match self {
            Self::Ctr(ctr) => ctr.words(),
            Self::Cri(cri) => cri.words(),
        };
        let words = words.iter().map(String::as_str).chain(verb.iter().copied());
        words.map(shell).collect::<Vec<_>>().join(" ")
    }

    /// What each of `names` means; those that mean nothing are left out.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub async fn targets(&self, names: &[&str]) -> Result<BTreeMap<String, String>, CallError> {
        let filters: Vec<String> = names.iter().map(|name| format!("name=={name:?}")).collect();
        match self {
            Self::Ctr(ctr) => ctr.targets(names, &filters).await,
            Self::Cri(cri) => cri.targets(filters).await,
        }
    }

    /// Pulls and unpacks `by_digest`, which is then a name of the image.
    ///
    /// # Errors
    /// Why not; nothing but that name and the one after the configuration can be left behind.
    pub async fn pull(
        &self,
        by_digest: &str,
        within: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), CallError> {
        match self {
            Self::Ctr(ctr) => ctr.pull(by_digest, within, interrupt).await,
            Self::Cri(cri) => cri.pull(by_digest, within, interrupt).await,
        }
    }

    /// Gives what is called `from` another name, which nothing has yet.
    ///
    /// # Errors
    /// Why not; also where something has the name.
    pub async fn tag(&self, from: &str, name: &str) -> Result<(), CallError> {
        match self {
            Self::Ctr(ctr) => ctr.tag(from, name).await,
            Self::Cri(cri) => cri.tag(from, name).await,
        }
    }

    /// Takes names away.
    ///
    /// # Errors
    /// Why not.
    pub async fn remove(&self, names: &[&str]) -> Result<(), CallError> {
        match self {
            Self::Ctr(ctr) => ctr.remove(names).await,
            Self::Cri(cri) => cri.remove(names).await,
        }
    }
}

/// What [`FIND`] said.
pub struct Found<'s>(pub &'s str);

impl<'s> Found<'s> {
    /// The value after a word.
    pub fn value(&self, wanted: &str) -> Option<&'s str> {
        self.0
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find_map(|(word, value)| (word == wanted).then_some(value))
    }

    /// Whether the socket is there and whoever asks may write to it.
    pub fn may_use_socket(&self) -> bool {
        self.value("socket").is_some()
    }

    /// containerd's own command line, without what is to be done, if there is one.
    pub fn program(&self) -> Option<Vec<&'s str>> {
        match (self.value("ctr"), self.value("k3s")) {
            (Some(ctr), _) => Some(vec![ctr]),
            (None, Some(k3s)) => Some(vec![k3s, "ctr"]),
            (None, None) => None,
        }
    }

    /// What an administrator types before what is to be done; whoever asks may use the socket.
    fn as_typed(&self, socket: &str) -> Vec<String> {
        addressed(&self.program().unwrap_or_else(|| vec!["ctr"]), socket)
    }
}

/// `program`, told which containerd is meant, and which part of it.
pub fn addressed(program: &[&str], socket: &str) -> Vec<String> {
    let after = ["--address", socket, "--namespace", NAMESPACE];
    program.iter().copied().chain(after).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_read_line_by_line() {
        let found = Found("user root\nsocket /run/k3s\nk3s /usr/bin/k3s\n");
        assert!(found.may_use_socket());
        assert_eq!(found.program(), Some(vec!["/usr/bin/k3s", "ctr"]));
        assert_eq!(found.value("sudo"), None);
        let bare = Found("user root\nsocket /run/k3s\n");
        assert_eq!(bare.as_typed("/run/k3s").join(" "), "ctr --address /run/k3s --namespace k8s.io");
        assert!(!Found("user socket\n").may_use_socket());
    }
}
