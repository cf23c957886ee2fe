//! D601 as a container of an engine: image, network, and the container with its disk.

use std::path::Path;

use super::{files::INIT, rootfs::Rootfs};
use crate::{Docker, Error, Result, Say, paths};

/// The repository of its images; the tag is the key of the root filesystem.
const IMAGE: &str = "host-lab-d601";

/// systemd needs to be nearly root of the machine to make mounts and control groups of its own. What is left out would
/// reach the machine itself, or is what the machine's own root may lack, and then cannot give.
const PRIVILEGES: [&str; 11] = [
    "--cap-add=ALL",
    "--cap-drop=AUDIT_CONTROL",
    "--cap-drop=AUDIT_READ",
    "--cap-drop=SYS_MODULE",
    "--cap-drop=SYS_RESOURCE",
    "--cap-drop=SYS_TIME",
    "--security-opt=apparmor=unconfined",
    "--security-opt=seccomp=unconfined",
    "--security-opt=systempaths=unconfined",
    // Never the machine's: systemd would make and remount hierarchies of it.
    "--cgroupns=private",
    "--hostname=d601",
];

/// A reboot in there ends the first process with 129, and the engine starts it again; what the engine stops stays so.
/// The disk of the engine inside is a volume, because overlays cannot be stacked on the container's own.
const MACHINE: [&str; 12] = [
    "--restart=on-failure",
    "--stop-signal=SIGRTMIN+3",
    "--stop-timeout=30",
    "--tmpfs",
    "/run:exec",
    "--tmpfs",
    "/run/lock",
    "--tmpfs",
    "/tmp:exec,mode=1777",
    "--volume",
    "/var/lib/docker",
    // What systemd prints while it boots.
    "--tty",
];

/// Brings the image into the engine, unless it is there.
pub fn import(docker: &Docker, rootfs: &Rootfs, say: Say) -> Result<String> {
    let image = format!("{IMAGE}:{}", rootfs.key);
    if docker.run(&["image", "inspect", &image]).is_err() {
        say("bringing D601's root filesystem into the engine");
        let archive = text(&rootfs.archive)?;
        let command = format!("CMD [\"{INIT}\"]");
        let import = ["import", "--change", "ENV container=docker", "--change", &command, archive, &image];
        docker.run(&import)?;
    }
    Ok(image)
}

/// Makes the container, with `/etc/ssh` out of a folder, and starts it; gives its address.
///
/// The address stays the same over reboots: it is in a network that the engine has found free, and is chosen in it.
pub fn start(docker: &Docker, name: &str, image: &str, ssh: &Path) -> Result<String> {
    remove(docker, name)?;
    let subnet = make_network(docker, name)?;
    let address = tenth(&subnet)?;
    let place = ["create", "--name", name, "--network", name, "--ip", &address];
    docker.run(&[&place, PRIVILEGES.as_slice(), &MACHINE, &[image]].concat())?;
    let from = format!("{}/.", text(ssh)?);
    docker.run(&["cp", &from, &format!("{name}:/etc/ssh")])?;
    docker.run(&["start", name])?;
    Ok(address)
}

/// Removes container, disk and network of this name, where they are.
pub fn remove(docker: &Docker, name: &str) -> Result<()> {
    if docker.container(name)?.is_some() {
        docker.run(&["rm", "--force", "--volumes", name])?;
    }
    if !docker.run(&["network", "ls", "--quiet", "--filter", &format!("name=^{name}$")])?.is_empty() {
        docker.run(&["network", "rm", name])?;
    }
    Ok(())
}

/// Removes all its images from the engine.
pub fn remove_images(docker: &Docker) -> Result<()> {
    let names = docker.image_names(IMAGE)?;
    names.keys().try_for_each(|name| docker.run(&["image", "rm", name]).map(drop))
}

/// A network where the engine finds room. Only in a network whose subnet was asked for may a container choose its
/// address, so the engine is asked twice.
fn make_network(docker: &Docker, name: &str) -> Result<String> {
    docker.run(&["network", "create", name])?;
    let format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
    let subnets = docker.run(&["network", "inspect", "--format", format, name])?;
    docker.run(&["network", "rm", name])?;
    let subnet = subnets.split_whitespace().find(|subnet| !subnet.contains(':'));
    let subnet = subnet.ok_or_else(|| Error::unexpected("the subnet of a new network", &subnets))?;
    docker.run(&["network", "create", "--subnet", subnet, name])?;
    Ok(subnet.to_owned())
}

/// The tenth address of a subnet such as `172.18.0.0/16`.
fn tenth(subnet: &str) -> Result<String> {
    let network = subnet.split('/').next().unwrap_or(subnet);
    let network: std::net::Ipv4Addr =
        network.parse().map_err(|error| Error::unexpected(format!("the subnet {subnet}"), error))?;
    Ok(std::net::Ipv4Addr::from_bits(network.to_bits().wrapping_add(10)).to_string())
}

/// Writes what it has printed into a file: what there is to look at when it does not come up.
pub fn write_log(docker: &Docker, name: &str, log: &Path) {
    // An error is on its way to the person already; the log only explains it.
    let printed = docker.run(&["logs", "--tail", "100", name]).unwrap_or_default();
    paths::write(log, printed).unwrap_or_default();
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::unexpected(path.display().to_string(), "the path is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_from_the_beginning_of_the_subnet() -> Result<()> {
        assert_eq!(tenth("172.18.0.0/16")?, "172.18.0.10");
        assert_eq!(tenth("192.168.240.0/20")?, "192.168.240.10");
        assert!(tenth("fd00::/64").is_err());
        Ok(())
    }
}
