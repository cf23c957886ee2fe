//! `host.retain`: of the images that deploys of one service left in an engine the newest stay, and the others go.
//!
//! An image goes name by name, as `docker image rm` takes one; it is never forced, and its untagged parents are let be. That
//! frees the disk all the same: parents are what a build on this engine leaves, and a pulled image has none. Its layers go
//! with its last name, but for those that another image has as well.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::docker::Engine;
use super::stoppable;
use crate::answer::{CallError, Retained};
use crate::gate::ask::Ask;
use crate::names::Commit;
use crate::operation::Retain;

/// One commit of the service, as the engine has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    /// Its names.
    names: Vec<String>,
    /// What the engine calls what they name: one image, unless somebody moved a name.
    images: BTreeSet<String>,
    /// When one of them last got a name; nothing where nobody knows, which counts as long ago.
    named_at: Option<Timestamp>,
}

impl Held {
    /// Whether a container holds on to it.
    fn is_in_use(&self, in_use: &BTreeSet<String>) -> bool {
        self.names.iter().chain(&self.images).any(|known| in_use.contains(known))
    }
}

/// Removes what is beyond the number that stays. What could not be removed is told, and left.
///
/// # Errors
/// The engine could not say what it has; then nothing was removed.
pub async fn retain(engine: &Engine, call: &Retain, ask: &Ask<'_>) -> Result<Retained, CallError> {
    let names = stoppable(ask, superfluous_names(engine, call)).await?;
    let mut retained = Retained::default();
    let mut left = Vec::new();
    for name in names {
        if ask.interrupt.is_raised() {
            left.push("interrupted; what is left goes after the next deploy".to_owned());
            break;
        }
        ask.watcher.note(&format!("removing {name}"));
        match engine.untag(&name).await {
            Ok(()) => retained.removed.push(name),
            Err(error) => {
                left.push(format!("{name} stays: {error}"));
                // One image that is in use says nothing of the next; an engine that is gone does.
                if !matches!(error, CallError::Mismatch(_)) {
                    break;
                }
            }
        }
    }
    retained.left = (!left.is_empty()).then(|| left.join("\n"));
    Ok(retained)
}

/// The names that go, those of the oldest commit first.
async fn superfluous_names(engine: &Engine, call: &Retain) -> Result<Vec<String>, CallError> {
    let mut held: BTreeMap<Commit, Held> = BTreeMap::new();
    for repository in &call.names {
        for (name, image) in engine.names_in(repository).await? {
            // Whatever is no commit's is somebody else's.
            let tag = name.rsplit_once(':').and_then(|(_, tag)| Commit::parse(tag).ok());
            let Some(commit) = tag else { continue };
            let one = held.entry(commit).or_default();
            one.images.insert(image);
            one.names.push(name);
        }
    }
    // Most deploys end here: there are no more than may stay.
    if held.len() <= usize::try_from(call.keep).unwrap_or(usize::MAX) {
        return Ok(Vec::new());
    }
    for one in held.values_mut() {
        for name in &one.names {
            one.named_at = one.named_at.max(engine.named_at(name).await?);
        }
    }
    let in_use = engine.images_in_use().await?;
    let gone = superfluous(call, &held, &in_use);
    Ok(gone.into_iter().filter_map(|commit| held.get(commit)).flat_map(|one| one.names.clone()).collect())
}

/// The commits that go, the oldest first. What runs and what ran before it stay and count; what another container holds on to
/// stays, and takes no other's place.
fn superfluous<'a>(
    call: &Retain,
    held: &'a BTreeMap<Commit, Held>,
    in_use: &BTreeSet<String>,
) -> Vec<&'a Commit> {
    let spared = |commit: &Commit, one: &Held| {
        call.commits.contains(commit) || call.image.as_ref().is_some_and(|image| one.images.contains(image))
    };
    let mut oldest_first: Vec<(&Commit, &Held)> = held.iter().collect();
    oldest_first.sort_by_key(|(commit, one)| (spared(commit, one), one.named_at));
    let keep = usize::try_from(call.keep).unwrap_or(usize::MAX);
    oldest_first.truncate(oldest_first.len().saturating_sub(keep));
    oldest_first.retain(|(commit, one)| !spared(commit, one) && !one.is_in_use(in_use));
    oldest_first.into_iter().map(|(commit, _)| commit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(letter: char) -> Commit {
        Commit::parse(&letter.to_string().repeat(40)).expect("a commit")
    }

    /// Commits, each a second younger than the one before it.
    fn held(letters: &str) -> BTreeMap<Commit, Held> {
        let one = |(at, letter): (usize, char)| {
            let commit = commit(letter);
            let second = i64::try_from(at).expect("few") + 1;
            let one = Held {
                names: vec![format!("unidesk/x:{commit}"), format!("x:{commit}")],
                images: [format!("sha256:{letter}")].into(),
                named_at: Timestamp::from_second(second).ok(),
            };
            (commit, one)
        };
        letters.chars().enumerate().map(one).collect()
    }

    fn call(keep: u32, spared: &str) -> Retain {
        let name = |name| crate::names::ImageName::parse(name).expect("a name");
        Retain {
            runtime: crate::names::RuntimeName::parse("here").expect("a runtime"),
            names: vec![name("unidesk/x"), name("x")],
            keep,
            commits: spared.chars().map(commit).collect(),
            image: None,
        }
    }

    fn gone(call: &Retain, held: &BTreeMap<Commit, Held>, in_use: &[&str]) -> String {
        let in_use = in_use.iter().map(|&known| known.to_owned()).collect();
        superfluous(call, held, &in_use).iter().filter_map(|commit| commit.as_str().chars().next()).collect()
    }

    #[test]
    fn the_newest_stay() {
        assert_eq!(gone(&call(2, "a"), &held("cdba"), &[]), "cd");
        assert_eq!(gone(&call(4, "a"), &held("cdba"), &[]), "");
        assert_eq!(gone(&call(9, "a"), &held("cdba"), &[]), "");
        assert_eq!(gone(&call(2, ""), &held(""), &[]), "");
    }

    #[test]
    fn what_runs_and_what_ran_before_stay_however_old_and_take_a_place() {
        assert_eq!(gone(&call(2, "ab"), &held("abcd"), &[]), "cd");
        assert_eq!(gone(&call(3, "ab"), &held("abcd"), &[]), "c");
        assert_eq!(gone(&call(0, "ab"), &held("abcd"), &[]), "cd");
        // One that is not there takes none.
        assert_eq!(gone(&call(2, "af"), &held("abcd"), &[]), "bc");
    }

    #[test]
    fn what_ran_before_stays_by_its_image_too() {
        let by_image = Retain { image: Some("sha256:a".to_owned()), ..call(2, "d") };
        assert_eq!(gone(&by_image, &held("abcd"), &[]), "bc");
    }

    #[test]
    fn what_a_container_holds_on_to_stays_and_takes_no_place() {
        let in_use = |known: &str| gone(&call(2, "d"), &held("abcd"), &[known]);
        assert_eq!(in_use("sha256:a"), "b");
        assert_eq!(in_use(&format!("x:{}", commit('a'))), "b");
        assert_eq!(in_use(&format!("other:{}", commit('a'))), "ab");
        assert_eq!(in_use("sha256:d"), "ab");
    }

    #[test]
    fn what_nobody_knows_the_age_of_is_old() {
        let mut held = held("abc");
        held.get_mut(&commit('c')).expect("there").named_at = None;
        assert_eq!(gone(&call(2, ""), &held, &[]), "c");
    }
}
