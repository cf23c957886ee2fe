//! What the containerd of the node has.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::cluster::Cluster;

use crate::Result;

/// How long containerd and kubelet may take to remove what nothing uses any more.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(200);

/// Names of images, and what is kept of them: blobs by digest, unpacked layers by what they add up to.
#[derive(Debug, PartialEq, Eq)]
struct Inventory {
    names: BTreeSet<String>,
    blobs: BTreeSet<String>,
    layers: BTreeSet<String>,
}

/// A containerd, and what it has when nothing is in it but what runs.
pub struct Store<'a> {
    cluster: &'a Cluster<'a>,
    empty: Inventory,
}

impl<'a> Store<'a> {
    /// Removes all images but those that have a name in `running`, under whatever other name they are there as well.
    pub fn emptied(cluster: &'a Cluster<'a>, running: &[&str]) -> Result<Self> {
        let listed = cluster.ctr(&["images", "ls"])?;
        // Name, type and digest are the first words of a line, below the heads of the columns.
        let images: Vec<(&str, &str)> = listed
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                Some((words.next()?, words.nth(1)?))
            })
            .collect();
        let run: BTreeSet<&str> =
            images.iter().filter(|(name, _)| running.contains(name)).map(|(_, digest)| *digest).collect();
        let others = images.iter().filter(|(_, digest)| !run.contains(digest));
        let others: Vec<&str> = others.map(|(name, _)| *name).collect();
        if !others.is_empty() {
            cluster.ctr(&[&["images", "rm", "--sync"], others.as_slice()].concat())?;
        }
        Ok(Self { cluster, empty: inventory(cluster)? })
    }

    /// Removes every image that has come since, and fails where anything of them is left: a layer that is still there is
    /// not pulled at all.
    pub fn make_cold(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let now = inventory(self.cluster)?;
            if now == self.empty {
                // What the kernel has not written yet must not slow the next one down.
                return Ok(lab::process::run(&mut std::process::Command::new("sync"))?);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("containerd is not as it was: {}", now.difference(&self.empty)).into());
            }
            let come: Vec<&str> = now.names.difference(&self.empty.names).map(String::as_str).collect();
            if come.is_empty() {
                std::thread::sleep(PAUSE);
            } else {
                self.cluster.ctr(&[&["images", "rm", "--sync"], come.as_slice()].concat())?;
            }
        }
    }
}

impl Inventory {
    /// What is in one of the two only.
    fn difference(&self, other: &Self) -> String {
        let all = [(&self.names, &other.names), (&self.blobs, &other.blobs), (&self.layers, &other.layers)];
        let only: Vec<&str> =
            all.iter().flat_map(|(a, b)| a.symmetric_difference(b)).map(String::as_str).collect();
        only.join(", ")
    }
}

fn inventory(cluster: &Cluster<'_>) -> Result<Inventory> {
    let lines = |verb: &[&str]| -> Result<BTreeSet<String>> {
        Ok(cluster.ctr(verb)?.lines().map(str::to_owned).collect())
    };
    // Of a container, what it wrote is kept under its own name.
    let snapshots = lines(&["snapshots", "ls"])?;
    let keys = snapshots.iter().filter_map(|line| line.split_whitespace().next());
    Ok(Inventory {
        names: lines(&["images", "ls", "--quiet"])?,
        blobs: lines(&["content", "ls", "--quiet"])?,
        layers: keys.filter(|key| key.starts_with("sha256:")).map(str::to_owned).collect(),
    })
}
