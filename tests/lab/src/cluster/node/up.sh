#!/bin/sh
# Starts the cluster on D601, as root: up.sh ADDRESS-OF-D601. Beside it are its programs and settings.
set -eu
cd "$(dirname "$0")"
address=$1
node=$(hostname)
state=/var/lib/docker/k3s
api=https://127.0.0.1:6443

# A kubelet writes these settings of the kernel, which is the machine's: here it finds them as it wants them.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    name=${setting%=*}
    mkdir -p "/run/k3s/kernel/${name%/*}"
    echo "${setting#*=}" >"/run/k3s/kernel/$name"
    mount --bind "/run/k3s/kernel/$name" "/proc/sys/$name"
done
# It wants to read the kernel's log for processes that ran out of memory, and a container has none.
[ -e /dev/kmsg ] || ln -s /dev/null /dev/kmsg

# Where sudo looks for it.
ln -sf "$PWD/bin/ctr" /usr/local/bin/ctr

# Keys as k3s makes them: elliptic curves.
mkdir -p pki
key() {
    openssl ecparam -genkey -noout -name prime256v1 -out "pki/$1.key"
}
certificate() {
    key "$1"
    openssl req -new -key "pki/$1.key" -subj "$2" |
        openssl x509 -req -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 2 -extfile pki/names \
            -out "pki/$1.crt" 2>/dev/null
}
# kubeconfig WHO SERVER FILE
kubeconfig() {
    cat >"$3" <<END
apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    server: $2
    certificate-authority-data: $(base64 -w0 pki/ca.crt)
users:
- name: default
  user:
    client-certificate-data: $(base64 -w0 "pki/$1.crt")
    client-key-data: $(base64 -w0 "pki/$1.key")
contexts:
- name: default
  context: {cluster: default, user: default}
current-context: default
END
}
key ca
openssl req -x509 -new -key pki/ca.key -subj /CN=k3s-server-ca -days 2 -out pki/ca.crt
echo "subjectAltName=IP:127.0.0.1,IP:$address,IP:10.43.0.1,DNS:$node" >pki/names
certificate server /CN=kube-apiserver
certificate admin /O=system:masters/CN=system:admin
certificate kubelet "/O=system:nodes/CN=system:node:$node"
certificate scheduler /CN=system:kube-scheduler
key accounts
openssl ec -in pki/accounts.key -pubout -out pki/accounts.pub 2>/dev/null
mkdir -p /etc/rancher/k3s
kubeconfig admin "$api" /etc/rancher/k3s/k3s.yaml
kubeconfig kubelet "$api" kubelet.conf
kubeconfig scheduler "$api" scheduler.conf

# unit NAME COMMAND…
unit() {
    name=$1
    shift
    systemd-run --quiet --collect --unit="k3s-$name" --working-directory="$PWD" "$@"
}
mkdir -p "$state"
unit etcd bin/etcd --data-dir "$state/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
unit containerd containerd --config containerd.toml
# Debian's etcd is too old for watches that begin with a list: with this one off, the API server serves them by itself.
unit kube-apiserver bin/kube kube-apiserver --feature-gates=WatchList=false \
    --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address="$address" \
    --tls-cert-file=pki/server.crt --tls-private-key-file=pki/server.key --client-ca-file=pki/ca.crt \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file=pki/accounts.pub --service-account-signing-key-file=pki/accounts.key \
    --service-cluster-ip-range=10.43.0.0/16 --authorization-mode=Node,RBAC \
    --kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key

# What runs before the API server answers would wait ever longer between its attempts.
patience=600
until [ "$(curl --silent --cacert pki/ca.crt --cert pki/admin.crt --key pki/admin.key $api/readyz)" = ok ]; do
    patience=$((patience - 1))
    if [ "$patience" = 0 ]; then
        journalctl --quiet --lines=15 --output=cat --unit=k3s-kube-apiserver >&2
        exit 1
    fi
    sleep 0.1
done
unit kubelet bin/kube kubelet --config=kubelet.yaml --kubeconfig=kubelet.conf --hostname-override="$node" \
    --root-dir="$state/kubelet"
unit kube-controller-manager bin/kube kube-controller-manager --kubeconfig=/etc/rancher/k3s/k3s.yaml \
    --service-account-private-key-file=pki/accounts.key --root-ca-file=pki/ca.crt \
    --leader-elect=false --secure-port=0
unit kube-scheduler bin/kube kube-scheduler --kubeconfig=scheduler.conf --leader-elect=false --secure-port=0
