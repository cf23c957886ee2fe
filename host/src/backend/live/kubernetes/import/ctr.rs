//! containerd's own command line on the node, run as a user who may use containerd's socket.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::containerd::{Found, addressed};
use super::told;
use crate::answer::CallError;
use crate::backend::live::machine::{Machine, Unrun};
use crate::backend::live::process::{Finished, Unfinished};
use crate::progress::Interrupt;
use crate::words::plain;

/// Longest that anything but a pull may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much longer a pull is waited for than it may take by itself: its own deadline ends it on the node.
const LONGER: Duration = Duration::from_secs(5);
/// Longest part of what it says that a message repeats, in characters.
const SHOWN: usize = 300;

/// The command line, up to what is to be done.
#[derive(Debug)]
pub struct Ctr {
    machine: Machine,
    place: String,
    words: Vec<String>,
    /// Whose rights are missing, where some are.
    user: String,
}

impl Ctr {
    /// That of `machine`, which is called `place`, out of what was found there, for the containerd at `socket`.
    ///
    /// # Errors
    /// `Other` with what is missing there.
    pub fn new(machine: Machine, place: &str, found: &Found<'_>, socket: &str) -> Result<Self, CallError> {
        let (user, words) = words(found, place, socket)?;
        Ok(Self { machine, place: place.to_owned(), words, user })
    }

    /// Where it is.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What stands before what is to be done.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// What each of `names` means, which `filters` find; those that mean nothing are left out.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub async fn targets(
        &self,
        names: &[&str],
        filters: &[String],
    ) -> Result<BTreeMap<String, String>, CallError> {
        let verb: Vec<&str> =
            ["images", "ls"].into_iter().chain(filters.iter().map(String::as_str)).collect();
        let said = self.done("looking for an image", &verb, PATIENCE, std::future::pending()).await?;
        Ok(listed(&said, names))
    }

    /// Pulls and unpacks `by_digest`, which is then a name of the image.
    ///
    /// # Errors
    /// Why not; nothing but that name can be left behind.
    pub async fn pull(
        &self,
        by_digest: &str,
        within: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), CallError> {
        let what = format!("pulling {by_digest}");
        let bound = format!("--timeout={}s", within.as_secs().max(1));
        // An option of the whole program: it stands before what is to be done.
        let verb = [&bound, "images", "pull", "--plain-http", by_digest];
        let begun = Instant::now();
        let pulled = self.done(&what, &verb, within.saturating_add(LONGER), interrupt.raised()).await;
        match pulled {
            Err(_) if interrupt.is_raised() => Err(told::interrupted(&what, &self.place)),
            // What it says at its deadline depends on what it was doing.
            Err(_) if begun.elapsed() >= within => Err(told::late(&what, &self.place, within)),
            pulled => pulled.map(drop),
        }
    }

    /// Gives what is called `from` another name, which nothing has yet.
    ///
    /// # Errors
    /// Why not; also where something has the name.
    pub async fn tag(&self, from: &str, name: &str) -> Result<(), CallError> {
        let what = format!("naming {from} {name}");
        self.done(&what, &["images", "tag", from, name], PATIENCE, std::future::pending()).await.map(drop)
    }

    /// Takes names away.
    ///
    /// # Errors
    /// Why not.
    pub async fn remove(&self, names: &[&str]) -> Result<(), CallError> {
        let verb: Vec<&str> = ["images", "rm"].into_iter().chain(names.iter().copied()).collect();
        self.done("removing image names", &verb, PATIENCE, std::future::pending()).await.map(drop)
    }

    async fn done(
        &self,
        what: &str,
        verb: &[&str],
        within: Duration,
        stopped: impl Future<Output = ()>,
    ) -> Result<String, CallError> {
        let words = self.words.iter().map(String::as_str).chain(verb.iter().copied());
        let argv: Vec<OsString> = words.map(OsString::from).collect();
        let finished = self
            .machine
            .run_unless(&argv, &[], None, within, stopped)
            .await
            .map_err(|unrun| broken(&self.place, what, unrun))?;
        if finished.success {
            return Ok(String::from_utf8_lossy(&finished.stdout).into_owned());
        }
        Err(self.failed(what, &finished))
    }

    fn failed(&self, what: &str, finished: &Finished) -> CallError {
        let said = String::from_utf8_lossy(&finished.stderr);
        let said = said.trim();
        let place = &self.place;
        if let Some(refused) = said.lines().find(|line| line.starts_with("sudo:")) {
            let program = self.words.iter().find(|word| word.starts_with('/') && !word.ends_with("/sudo"));
            return CallError::Other(format!(
                "{what}: {} may not use the containerd of {place} ({}); give it the right there, with `visudo -f \
                 /etc/sudoers.d/host`: {} ALL=(root) NOPASSWD: {}",
                self.user,
                plain(refused, SHOWN),
                self.user,
                program.map_or("ctr", String::as_str)
            ));
        }
        let shown =
            if said.is_empty() { format!("it {}", finished.ending) } else { plain(tail(said), SHOWN) };
        if ["failed to dial", "connection error", "is containerd running"]
            .iter()
            .any(|words| said.contains(words))
        {
            return told::silent(&format!("{what}: the containerd of {place} says: {shown}"));
        }
        told::failed(what, place, said, &shown)
    }
}

/// The end of what was said: the cause comes last.
fn tail(said: &str) -> &str {
    said.lines().next_back().unwrap_or(said).trim_start_matches("ctr: ")
}

/// Why a program did not run at `place`.
pub fn broken(place: &str, what: &str, unrun: Unrun) -> CallError {
    match unrun {
        Unrun::Machine(error) => error,
        Unrun::Program(Unfinished::Late) => CallError::Unavailable(format!(
            "{what}: containerd's `ctr` on {place} does not end and was stopped"
        )),
        Unrun::Program(Unfinished::Stopped) => CallError::Other("interrupted".to_owned()),
        Unrun::Program(Unfinished::Missing) => {
            CallError::Other(format!("{what}: containerd's `ctr` on {place} is not there any more"))
        }
        Unrun::Program(Unfinished::Broken(error)) => {
            CallError::Other(format!("{what}: containerd's `ctr` cannot be run on {place}: {error}"))
        }
    }
}

/// Who asks, and the words that reach containerd.
fn words(found: &Found<'_>, place: &str, socket: &str) -> Result<(String, Vec<String>), CallError> {
    let user = plain(found.value("user").unwrap_or("the user"), SHOWN);
    let Some(program) = found.program() else {
        return Err(CallError::Other(format!(
            "{place} has no `ctr` and no `k3s`, so no image can be brought into its containerd; it is no k3s node, or they \
             are not in PATH: put a link to `ctr` into /usr/local/bin there"
        )));
    };
    // Whoever may write to the socket needs nobody's help: root, above all.
    let before = match (found.may_use_socket(), found.value("sudo")) {
        (true, _) => Vec::new(),
        (false, Some(sudo)) => vec![sudo, "-n"],
        (false, None) => {
            return Err(CallError::Other(format!(
                "{user} may not use {socket} on {place}, and there is no `sudo` there; install sudo with the right to run `{}`, \
                 or log in as root",
                program.join(" ")
            )));
        }
    };
    Ok((user, addressed(&[before, program].concat(), socket)))
}

/// The digests of `names` out of a list of images: name, type and digest are the first words of a line.
fn listed(said: &str, names: &[&str]) -> BTreeMap<String, String> {
    said.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, digest) = (words.next()?, words.nth(1)?);
            (names.contains(&name) && digest.starts_with("sha256:"))
                .then(|| (name.to_owned(), digest.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
