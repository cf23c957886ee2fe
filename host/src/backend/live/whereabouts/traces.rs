//! What a process knows of where it runs: control groups, mounts, its machine's name, who connected to it.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use crate::names::ConfigName;
use crate::words::plain;

/// Names the workload that a process is part of, where whoever runs the workload says so. It can only add: nobody is outside
/// because of it.
pub const MARKER: &str = "HOST_WORKLOAD";
/// What the kernel calls the control groups' namespace that a machine begins with (Linux: `PROC_CGROUP_INIT_INO`).
const MACHINE: &str = "cgroup:[4026531835]";
/// Where an engine or a kubelet mounts files of a container's own.
const OWN_FILES: [&str; 4] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log"];
/// What begins the name of a control group that holds a container whose id is not in it.
const CONTAINERS: [&str; 6] = ["lxc", "machine-", "docker", "kubepods", "libpod", "crio"];
/// Length of a container's id, in characters.
const ID: usize = 64;
/// Longest part of a path that is told, in characters.
const SHOWN: usize = 160;
/// Most processes above this one that are looked at.
const ABOVE: usize = 64;

/// As they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// Ids of containers and pods that this process is in.
    pub ids: BTreeSet<String>,
    /// Whether something shows a container without telling which.
    pub contained: bool,
    /// Whether control groups are seen from the machine's root, so that a container would show.
    pub whole: bool,
    /// The name of the machine, which is a container's own.
    pub hostname: String,
    /// Who is logged in from elsewhere.
    pub peer: Option<IpAddr>,
    /// What [`MARKER`] says.
    pub marker: Option<String>,
    /// Where ids were found, or could have been; for people.
    pub seen: Vec<String>,
}

/// What they are read from.
#[derive(Default)]
struct Sources {
    /// `/proc/self/cgroup`.
    groups: String,
    /// The link `/proc/self/ns/cgroup`.
    namespace: String,
    /// `/proc/self/mountinfo`.
    mounts: String,
}

impl Traces {
    /// Of this process.
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/cgroup").unwrap_or_default();
        let sources = Sources {
            groups: read("/proc/self/cgroup"),
            namespace: namespace.to_string_lossy().into_owned(),
            mounts: read("/proc/self/mountinfo"),
        };
        Self {
            hostname: read("/proc/sys/kernel/hostname").trim().to_owned(),
            peer: connected(),
            marker: std::env::var(MARKER).ok().filter(|name| !name.is_empty()),
            ..Self::of(&sources)
        }
    }

    fn of(sources: &Sources) -> Self {
        let mut found = Self::default();
        let paths: BTreeSet<&str> =
            sources.groups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
        // A path that leads up is that of a process outside of what this one sees.
        let hidden = paths.is_empty() || paths.iter().any(|path| path.starts_with("/.."));
        found.whole = sources.namespace == MACHINE && !hidden;
        for path in paths.iter().filter(|path| **path != "/") {
            let before = found.ids.len();
            for part in path.split('/') {
                found.ids.extend(container_in(part).into_iter().chain(pod_in(part)));
                found.contained |= CONTAINERS.iter().any(|begin| part.starts_with(begin));
            }
            if found.ids.len() > before || found.seen.is_empty() {
                found.seen.push(format!("control group {}", plain(path, SHOWN)));
            }
        }
        for (root, point) in sources.mounts.lines().filter_map(mounted) {
            if !OWN_FILES.contains(&point) {
                continue;
            }
            let before = found.ids.len();
            let parts: Vec<&str> = root.split('/').collect();
            let ids = parts.windows(2).filter_map(|pair| match *pair {
                ["containers" | "overlay-containers", id] => container_in(id),
                ["pods", uid] => uuid(uid),
                _ => None,
            });
            found.ids.extend(ids);
            // That of a pod's sandbox is told by no API.
            found.contained |= parts.contains(&"sandboxes");
            if found.ids.len() > before {
                found.seen.push(format!("{point} is {}", plain(root, SHOWN)));
            }
        }
        found.contained |= !found.ids.is_empty();
        if found.seen.is_empty() {
            found.seen.push(if found.whole { "control group /" } else { "control groups hidden" }.to_owned());
        }
        found
    }

    /// Whether this process is in no container of this machine.
    pub fn on_machine(&self) -> bool {
        self.whole && !self.contained
    }

    /// Whether nobody else need be asked.
    pub fn suffice(&self, guarded: &[ConfigName]) -> bool {
        self.marks(guarded) || (self.on_machine() && self.peer.is_none())
    }

    /// Whether it is said that this process is part of one of them.
    pub fn marks(&self, guarded: &[ConfigName]) -> bool {
        self.marker.as_ref().is_some_and(|marker| guarded.iter().any(|name| name.as_str() == marker))
    }
}

/// `docker-<id>.scope`, `<id>`, `crio-<id>.scope`.
fn container_in(part: &str) -> Option<String> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let id = name.rsplit(['-', ':']).next()?;
    (id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// `pod<uid>`, `kubepods-besteffort-pod<uid with underscores>.slice`.
fn pod_in(part: &str) -> Option<String> {
    let name = part.strip_suffix(".slice").unwrap_or(part);
    let (_, uid) = name.rsplit_once("pod")?;
    uuid(&uid.replace('_', "-"))
}

fn uuid(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let hex = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // A pod from a file of the node has a UID without dashes.
    let static_pod = lengths == [32];
    (hex && (static_pod || lengths == [8, 4, 4, 4, 12])).then(|| text.to_owned())
}

/// Root and mount point of a line of mountinfo (proc(5)).
fn mounted(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.split(' ');
    Some((fields.nth(3)?, fields.next()?))
}

/// Who is logged in through SSH, by this process or the nearest one above it that says: a way to be root forgets.
fn connected() -> Option<IpAddr> {
    let mut pid = "self".to_owned();
    for _ in 0..ABOVE {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let said =
            environment.split(|byte| *byte == 0).find_map(|pair| pair.strip_prefix(b"SSH_CONNECTION="));
        if let Some(said) = said {
            let peer: IpAddr =
                String::from_utf8_lossy(said).split(' ').next()?.split('%').next()?.parse().ok()?;
            return Some(peer.to_canonical());
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let above = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
        if above == "0" {
            return None;
        }
        above.clone_into(&mut pid);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01";
    const POD: &str = "0f6b8f6c-3c2e-4b1a-9d57-2b7b1c0f5e11";

    fn of(groups: &str, namespace: &str, mounts: &str) -> Traces {
        let text = str::to_owned;
        Traces::of(&Sources { groups: text(groups), namespace: text(namespace), mounts: text(mounts) })
    }

    fn ids(groups: &str, mounts: &str) -> Vec<String> {
        of(groups, "cgroup:[4026532555]", mounts).ids.into_iter().collect()
    }

    #[test]
    fn a_machine_is_one_where_a_container_would_show() {
        assert!(of("0::/user.slice/user-1000.slice/session-3.scope\n", MACHINE, "").on_machine());
        assert!(of("9:name=systemd:/\n0::/\n", MACHINE, "").on_machine());
        // Another namespace of control groups, none at all, and what is beside the one that is seen.
        for (groups, namespace) in
            [("0::/\n", "cgroup:[4026532555]"), ("", MACHINE), ("0::/../../init.scope\n", MACHINE)]
        {
            assert!(!of(groups, namespace, "").whole, "{groups} {namespace}");
        }
        for groups in ["0::/lxc.payload.web/init.scope\n", "0::/machine.slice/machine-web.scope\n"] {
            assert!(!of(groups, MACHINE, "").on_machine(), "{groups}");
        }
    }

    #[test]
    fn control_groups_name_containers_and_pods() {
        let uid = POD.replace('-', "_");
        for group in [
            format!("/system.slice/docker-{CONTAINER}.scope"),
            format!("/docker/{CONTAINER}"),
            format!("/machine.slice/libpod-{CONTAINER}.scope/container"),
        ] {
            assert_eq!(ids(&format!("0::{group}\n"), ""), [CONTAINER], "{group}");
        }
        for group in [
            format!("/kubepods/besteffort/pod{POD}/{CONTAINER}"),
            format!("/kubepods.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{CONTAINER}.scope"),
        ] {
            assert_eq!(ids(&format!("4:memory:{group}\n0::/\n"), ""), [POD, CONTAINER], "{group}");
        }
    }

    #[test]
    fn files_of_its_own_name_them_where_control_groups_are_hidden() {
        let docker = format!(
            "640 617 8:1 /var/lib/docker/containers/{CONTAINER}/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
        );
        assert_eq!(ids("0::/\n", &docker), [CONTAINER]);
        let pod =
            format!("640 617 8:1 /var/lib/kubelet/pods/{POD}/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n");
        assert_eq!(ids("0::/\n", &pod), [POD]);
        // What a node has of its pods is beside these, and makes it no pod.
        let node = format!(
            "640 617 8:1 / /var/lib/kubelet/pods/{POD}/volumes/token rw - tmpfs tmpfs rw\n641 617 8:1 \
             /pods/{POD}/volumes/a /srv/a rw - ext4 /dev/sda1 rw\n"
        );
        assert_eq!(ids("0::/\n", &node), [""; 0]);
    }
}
