//! What makes D601 the node of a cluster: programs, settings, and the scripts that start and end it there.

use crate::{D601, Error, Result, SampleImage, paths};

use super::programs;

/// The name of the node.
pub const NODE: &str = "d601";

/// Where containerd listens there, as that of k3s.
pub const SOCKET: &str = "/run/k3s/containerd/containerd.sock";

/// The administrator's kubeconfig there, as that of k3s: it reaches the API server at D601's own loopback.
pub const KUBECONFIG: &str = "/etc/rancher/k3s/k3s.yaml";

/// Its folder there, in the home of the user who logs in.
const FOLDER: &str = "k3s";

/// What is in its folder beside the programs.
const FILES: [(&str, &str); 5] = [
    ("up.sh", include_str!("node/up.sh")),
    ("down.sh", include_str!("node/down.sh")),
    ("containerd.toml", include_str!("node/containerd.toml")),
    ("kubelet.yaml", include_str!("node/kubelet.yaml")),
    ("cni/10-pods.conflist", include_str!("node/pods.conflist")),
];

/// Copies everything there. The programs stay where they are: a D601 lives with the version that it got first.
pub fn install(d601: &D601) -> Result<()> {
    if d601.ssh(&["test", "-d", FOLDER]).is_ok() {
        return Ok(());
    }
    let work = tempfile::tempdir().map_err(Error::io("make a temporary folder"))?;
    let folder = work.path().join(FOLDER);
    programs::link_into(&folder.join("bin"))?;
    for (name, content) in FILES {
        let file = folder.join(name);
        paths::make_folder(file.parent().unwrap_or(&folder))?;
        paths::write(&file, content)?;
    }
    // The rename is last, so that a folder that exists there is complete.
    let partial = format!("{FOLDER}.partial");
    d601.ssh(&["rm", "-rf", &partial])?;
    d601.copy(&folder, &partial)?;
    d601.ssh(&["mv", &partial, FOLDER]).map(drop)
}

/// Starts all parts there, once the API server answers; gives a kubeconfig of the administrator for this machine.
pub fn start(d601: &D601) -> Result<String> {
    script(d601, "up.sh", &[d601.address()])?;
    let kubeconfig = d601.ssh(&["sudo", "cat", KUBECONFIG])?;
    Ok(kubeconfig.replace("//127.0.0.1:", &format!("//{}:", d601.address())))
}

/// Ends all parts there and removes what they made; does nothing where there is none.
pub fn stop(d601: &D601) -> Result<()> {
    script(d601, "down.sh", &[])
}

fn script(d601: &D601, name: &str, arguments: &[&str]) -> Result<()> {
    let script = format!("{FOLDER}/{name}");
    d601.ssh(&[&["sudo", "sh", &script], arguments].concat()).map(drop)
}

/// What holds a pod's network: any program that does nothing for itself. This one listens where no service does.
pub fn pause() -> SampleImage {
    SampleImage::new("pause", "1").env("PORT", "65000")
}
