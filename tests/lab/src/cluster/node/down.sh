#!/bin/sh
# Ends the cluster on D601, as root, and removes what it made, also where it was killed half-way.
set -u
units='k3s-kubelet k3s-kube-controller-manager k3s-kube-scheduler k3s-kube-apiserver k3s-containerd k3s-etcd'
# Nothing in it is worth a goodbye. The shims of pods end with containerd: they are in its control group.
for unit in $units; do
    systemctl kill --signal=KILL "$unit" 2>/dev/null
done
for unit in $units; do
    systemctl stop "$unit" 2>/dev/null
done

# Pods, in whichever hierarchies of control groups they are.
groups() {
    find /sys/fs/cgroup -depth -type d -path '*/kubepods*' 2>/dev/null
}
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    groups | sed 's|$|/cgroup.procs|' | xargs -r cat 2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null
    groups | xargs -r rmdir 2>/dev/null
    [ -z "$(groups)" ] && break
    sleep 0.1
done

mounts() {
    awk '{ print $2 }' /proc/self/mounts |
        grep -E '^(/run/k3s|/var/lib/docker/k3s|/run/netns/cni-|/proc/sys/(vm|kernel)/)' | sort -r
}
mounts | xargs -r umount --lazy
rm -f /run/netns/cni-*
ip link delete cni0 2>/dev/null
left="$(mounts)$(groups)"
[ -z "$left" ] || { echo "still there: $left" >&2; exit 1; }
rm -rf /run/k3s /var/lib/docker/k3s /etc/rancher /usr/local/bin/ctr /var/log/pods /var/log/containers
