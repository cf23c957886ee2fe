//! What is put into D601's root filesystem beside Debian's packages.

/// Debian's packages: systemd as the first process, sshd, an engine, a registry, and what a person would look with.
pub const PACKAGES: [&str; 13] = [
    "ca-certificates",
    "curl",
    "dbus",
    "docker-registry",
    "docker.io",
    "iproute2",
    "iptables",
    "libpam-systemd",
    "openssh-server",
    "procps",
    "sudo",
    "systemd",
    "systemd-sysv",
];

/// What nobody reads in there; a smaller image is imported sooner.
pub const SUPERFLUOUS: [&str; 10] = [
    "usr/bin/containerd-shim",
    "usr/bin/containerd-shim-runc-v1",
    "usr/bin/ctr",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log/bootstrap.log",
];

/// Units that would reach through to the machine's own kernel (its settings, its debugging file systems), or that are
/// of no use in a machine that lives for an hour.
pub const MASKED: [&str; 17] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-journald-audit.socket",
    "systemd-modules-load.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
];

/// The first process: it prepares what a container has otherwise than a machine, and becomes systemd.
pub const INIT: &str = "/usr/sbin/d601-init";

/// Where the Compose plugin goes.
pub const COMPOSE_PLUGIN: &str = "usr/local/lib/docker/cli-plugins/docker-compose";

/// A file of text.
pub struct File {
    /// Below the root, without a leading slash.
    pub path: &'static str,
    /// Its permissions.
    pub mode: u32,
    /// What is in it.
    pub content: &'static str,
}

/// All of them; each replaces what a package may have put there.
pub const FILES: [File; 8] = [
    File { path: "usr/sbin/d601-init", mode: 0o755, content: INIT_SCRIPT },
    File { path: "etc/machine-id", mode: 0o444, content: "" },
    File { path: "etc/default/locale", mode: 0o644, content: "LANG=C.UTF-8\n" },
    // Without CAP_SYS_RESOURCE sudo cannot lift the limit again, and says so on every call.
    File { path: "etc/sudo.conf", mode: 0o644, content: "Set disable_coredump false\n" },
    File { path: "etc/sudoers.d/deploy", mode: 0o440, content: "deploy ALL=(ALL) NOPASSWD:ALL\n" },
    File { path: "etc/ssh/sshd_config.d/lab.conf", mode: 0o644, content: SSHD },
    File { path: "etc/docker/daemon.json", mode: 0o644, content: DOCKERD },
    File { path: "etc/docker/registry/config.yml", mode: 0o644, content: REGISTRY },
];

/// Control groups: an engine gives a container without all privileges a read-only view of them. Only the view is
/// remounted (`bind`), because a remount of the file system itself would be the machine's. systemd mounts each
/// controller that the kernel calls enabled; one that the machine has not mounted would become a new hierarchy of the
/// machine's kernel, so only those in use are left in the list.
const INIT_SCRIPT: &str = r#"#!/bin/sh
set -u
for view in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if mountpoint -q "$view"; then
        mount -o remount,bind,rw,nosuid,nodev,noexec "$view"
    fi
done
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    awk -v OFS='\t' 'NR > 1 && $2 == 0 { $4 = 0 } { print }' /proc/cgroups > /run/cgroups
    mount --bind /run/cgroups /proc/cgroups
fi
# The engine in here needs to see mounts that appear later.
mount --make-rshared /
exec /lib/systemd/systemd
"#;

/// The key of the machine and those that may log in are new with each start. Twenty deploys at once must not be turned
/// away at random.
const SSHD: &str = "\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
PasswordAuthentication no
PermitRootLogin no
UseDNS no
MaxStartups 100
";

/// Addresses that no engine gives to networks by itself, so that those inside differ from the one outside.
const DOCKERD: &str = r#"{
  "storage-driver": "overlay2",
  "bip": "10.253.0.1/24",
  "default-address-pools": [{ "base": "10.254.0.0/16", "size": 24 }]
}
"#;

/// The unit `docker-registry.service` of the package reads this.
const REGISTRY: &str = "\
version: 0.1
log:
  accesslog:
    disabled: true
  level: warn
storage:
  filesystem:
    rootdirectory: /var/lib/docker-registry
  delete:
    enabled: true
http:
  addr: 127.0.0.1:5000
";

/// What the image is made of must name each file once, and none outside of the root.
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_path_is_below_the_root_and_named_once() {
        let paths = FILES.iter().map(|file| file.path).chain(SUPERFLUOUS).chain([COMPOSE_PLUGIN]);
        let paths: Vec<_> = paths.collect();
        assert!(paths.iter().all(|path| !path.starts_with('/') && !path.contains("..")), "{paths:?}");
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
        assert!(FILES.iter().any(|file| INIT.strip_prefix('/') == Some(file.path)));
    }
}
