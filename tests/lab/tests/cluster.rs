//! A cluster on D601. The names of tests that need it begin with `cluster_`: `lab run` looks for that.

use std::fmt::Write as _;

use lab::{
    Bench, D601, PushedImage, Result, SampleImage,
    cluster::{self, Cluster, Workload},
    d601, image, process,
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

    // The log of a pod is asked from the node.
    let log = cluster.kubectl(&["logs", "--namespace", NAMESPACE, &deployment])?;
    assert!(log.contains("listening on 0.0.0.0:8080"), "{log}");
    Ok(())
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

    // What an operator has on D601 reaches the API server there, and only there.
    let there = format!("sudo cat {}", cluster::KUBECONFIG);
    let there = d601.ssh(&["sh", "-c", &there])?;
    assert!(there.contains("server: https://127.0.0.1:6443"), "{}", there.lines().count());
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

    // The next one knows nothing of it, and works.
    let cluster = Cluster::start(&d601)?;
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
