//! A cluster on D601. The names of tests that need it begin with `cluster_`: `lab run` looks for that.

use std::{
    fmt::Write as _,
    net::{TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use lab::{
    Bench, D601, Error, PushedImage, Result, SampleImage,
    cluster::{self, Cluster, Workload},
    d601, image, paths, process,
};

const NAMESPACE: &str = "unidesk-dev";
const NAME: &str = "decision-center-dev";
const SERVICE: &str = "decision-center";

/// The right to look at Deployments, and no other.
const ROLE: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: onlooker }
rules:
- { apiGroups: [apps], resources: [deployments], verbs: [get] }
";

fn publish(cluster: &Cluster, text: &str) -> Result<(String, PushedImage)> {
    let commit = image::commit(text);
    let pushed = cluster.push(&SampleImage::new(SERVICE, &commit))?;
    Ok((commit, pushed))
}

/// Its name by digest, in the registry as the node sees it.
fn by_digest(pushed: &PushedImage) -> String {
    format!("{}/unidesk/{SERVICE}@{}", d601::REGISTRY, pushed.digest)
}

#[test]
fn cluster_runs_what_is_published_on_its_node() -> Result<()> {
    let bench = Bench::from_environment()?;
    let d601 = D601::start(&bench)?;
    let cluster = Cluster::start(&d601)?;
    let version = cluster.kubectl(&["version", "--output=json"])?;
    assert_eq!(version.matches(&format!("\"v{}\"", cluster::VERSION)).count(), 2, "{version}");

    let (commit, pushed) = publish(&cluster, "on the cluster")?;
    let workload = Workload::new(NAMESPACE, NAME, &by_digest(&pushed)).replicas(2).label("tier", "backend");
    let workload = workload.env("UNIDESK_DECISION_CENTER_DEPLOY_REQUESTED_COMMIT", "asked-for");
    cluster.run(&workload)?;
    cluster.rolled_out(&workload)?;
    let health = cluster.health(&workload)?;
    assert_eq!(health["deploy"]["commit"], commit.as_str(), "{health:#}");
    assert_eq!(health["deploy"]["requestedCommit"], "asked-for", "{health:#}");
    let pods = cluster.get(NAMESPACE, "pods")?;
    let pods = pods["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(pods.len(), 2);
    for pod in &pods {
        assert_eq!(pod["metadata"]["labels"]["tier"], "backend");
        let id = pod["status"]["containerStatuses"][0]["imageID"].as_str().unwrap_or_default();
        assert!(id.ends_with(&format!("@{}", pushed.digest)), "{id}");
    }

    // As a person does it: into containerd on the node, under the commit's name, and then into the Deployment.
    let (next, pushed) = publish(&cluster, "on the cluster, next")?;
    cluster.ctr(&["images", "pull", "--plain-http", &by_digest(&pushed)])?;
    cluster.ctr(&["images", "tag", &by_digest(&pushed), &pushed.reference])?;
    let names = cluster.ctr(&["images", "list", "--quiet"])?;
    assert!(names.lines().any(|name| name == pushed.reference), "{names}");
    assert!(names.lines().any(|name| name == by_digest(&pushed)), "{names}");
    let (deployment, image) = (format!("deployment/{NAME}"), format!("{NAME}={}", pushed.reference));
    cluster.kubectl(&["set", "image", "--namespace", NAMESPACE, &deployment, &image])?;
    cluster.rolled_out(&workload)?;
    assert_eq!(cluster.health(&workload)?["deploy"]["commit"], next.as_str());

    // A watch that begins with what there is.
    let watch = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments?watch=1&timeoutSeconds=1");
    for from in ["", "&resourceVersion=0"] {
        let events = cluster.kubectl(&["get", "--raw", &format!("{watch}{from}")])?;
        assert!(events.starts_with(r#"{"type":"ADDED""#), "{events}");
    }

    // The log of a pod is asked from the node.
    let log = cluster.kubectl(&["logs", "--namespace", NAMESPACE, &deployment])?;
    assert!(log.contains("listening on 0.0.0.0:8080"), "{log}");
    assert_eq!(nodes_through_ssh(&d601, &cluster)?, format!("node/{}", cluster::NODE));
    Ok(())
}

/// The nodes as an operator sees them who has a copy of D601's own kubeconfig, and the API server forwarded.
fn nodes_through_ssh(d601: &D601, cluster: &Cluster) -> Result<String> {
    let folder = tempfile::tempdir().map_err(Error::io("make a temporary folder"))?;
    let kubeconfig = folder.path().join("k3s.yaml");
    let operator = d601.ssh(&["sudo", "cat", cluster::KUBECONFIG])?;
    let api = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let api = api.map_err(Error::io("find a free port"))?;
    paths::write(&kubeconfig, operator.replace("127.0.0.1:6443", &api.to_string()))?;

    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(d601.ssh_config()).args(["-N", "-L", &format!("{api}:127.0.0.1:6443"), d601::HOST]);
    let log = folder.path().join("ssh.log");
    let mut forward = process::start(&mut ssh, &log)?;
    let patience = Duration::from_secs(20);
    let opened = process::wait_until("the forward to the API server", &mut forward, &log, patience, || {
        TcpStream::connect(api).is_ok()
    });
    let mut kubectl = cluster.kubectl_with(&kubeconfig);
    let nodes = opened.and_then(|()| process::output(kubectl.args(["get", "nodes", "--output=name"])));
    process::stop_child(&mut forward, patience).map_err(Error::io("stop ssh"))?;
    nodes
}

#[test]
fn cluster_gives_an_account_the_rights_of_its_role_only() -> Result<()> {
    let bench = Bench::from_environment()?;
    let d601 = D601::start(&bench)?;
    let cluster = Cluster::start(&d601)?;
    let (_, pushed) = publish(&cluster, "looked at")?;
    cluster.run(&Workload::new(NAMESPACE, NAME, &by_digest(&pushed)))?;

    let kubeconfig = cluster.kubeconfig_of_account(NAMESPACE, "onlooker", ROLE)?;
    let as_account = |arguments: &[&str]| process::output(cluster.kubectl_with(&kubeconfig).args(arguments));
    let found = as_account(&["get", "deployment", NAME, "--output=name"])?;
    assert_eq!(found, format!("deployment.apps/{NAME}"));
    for refused in [
        ["scale", "deployment", NAME, "--replicas=2"].as_slice(),
        &["get", "pods"],
        &["get", "deployment", NAME, "--namespace=default"],
    ] {
        let error = as_account(refused).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("Error from server (Forbidden)"), "{refused:?}: {error}");
    }
    Ok(())
}

#[test]
fn cluster_leaves_nothing_behind() -> Result<()> {
    let bench = Bench::from_environment()?;
    let d601 = D601::start(&bench)?;
    let before = traces(&d601)?;

    // Killed in full swing, with pods that run on.
    let killed = Cluster::start(&d601)?;
    let (_, pushed) = publish(&killed, "killed")?;
    let workload = Workload::new(NAMESPACE, NAME, &by_digest(&pushed));
    killed.run(&workload)?;
    killed.rolled_out(&workload)?;
    killed.kill()?;
    let left = traces(&d601)?;
    assert!(left.contains("sample-service") && left.contains("cni0"), "{left}");
    drop(killed.leave_running());
    let folder = cluster::folder_of_tests()?;
    assert!(Cluster::left_running(&d601, &folder)?.is_none());

    // The next one knows nothing of it, works, and is found again.
    drop(Cluster::start(&d601)?.leave_running());
    let cluster = Cluster::left_running(&d601, &folder)?;
    let cluster = cluster.ok_or_else(|| Error::unexpected("a cluster that was left running", "is gone"))?;
    assert!(cluster.kubectl(&["get", "namespace", NAMESPACE]).is_err());
    cluster.run(&workload)?;
    cluster.rolled_out(&workload)?;
    cluster.stop()?;
    assert_eq!(traces(&d601)?, before);

    // And so it is where nobody stops it.
    drop(Cluster::start(&d601)?);
    assert_eq!(traces(&d601)?, before);
    Ok(())
}

/// What there is on D601 that a cluster could leave behind: programs, sockets, mounts, control groups, devices and
/// namespaces of the network.
fn traces(d601: &D601) -> Result<String> {
    let mut all = String::new();
    for (what, command) in [
        ("programs", "ps -e -o args= | grep -E 'kube|etcd|k3s|sample-service' | grep -v grep | sort"),
        ("units", "systemctl list-units --all --plain --no-legend 'k3s-*'"),
        ("sockets", "grep -E 'k3s|kube' /proc/net/unix; ls /run/k3s"),
        // Those of sessions and of units come and go.
        ("mounts", "grep -Ev ' /run/(user|credentials)/' /proc/self/mounts"),
        ("control groups", "find /sys/fs/cgroup -type d -name '*kube*'"),
        ("network", "ip -oneline link | cut -d' ' -f2; ls /run/netns"),
    ] {
        let found = d601.ssh(&["sudo", "sh", "-c", &format!("{{ {command}; }} 2>/dev/null; true")])?;
        writeln!(all, "{what}:\n{found}").unwrap_or_default();
    }
    Ok(all)
}
