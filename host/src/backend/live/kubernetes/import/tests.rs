use serde_json::json;

use super::*;
use crate::config::{Chosen, KubernetesRuntime};
use crate::names::{Commit, ConfigName, Digest, ImageName, RuntimeName, ServiceName};
use crate::operation::ArtifactRef;

fn artifact() -> Artifact {
    Artifact {
        service: ServiceName::parse("decision-center").expect("a service"),
        commit: Commit::parse(&"a".repeat(40)).expect("a commit"),
        repository: ImageName::parse("unidesk/decision-center").expect("a name"),
        identity: Some(Identity {
            index: None,
            manifest: Digest::of(b"manifest"),
            config: Digest::of(b"config"),
            diff_ids: Vec::new(),
            size: 7,
        }),
        labels: Vec::new(),
    }
}

fn cluster(via: Option<&str>) -> Cluster {
    let runtime = KubernetesRuntime {
        via: via.map(|name| ConfigName::parse(name).expect("a name")),
        kubeconfig: None,
        context: None,
        containerd: "/run/k3s/containerd/containerd.sock".into(),
    };
    Cluster::new(RuntimeName::parse("d601-k3s").expect("a name"), runtime)
}

/// What an import is asked that asks nobody.
fn asked<T>(via: Option<&str>, ask: impl FnOnce(Result<Import<'_>, CallError>) -> T) -> T {
    let config = Config::load(&Chosen { file: None, base: "/".into() }).expect("defaults");
    let (channels, artifact, cluster) = (Channels::new(&config), artifact(), cluster(via));
    let call = Deliver {
        artifact: ArtifactRef::from(&artifact),
        runtime: cluster.name.clone(),
        name: artifact.repository.clone(),
    };
    ask(Import::new(&cluster, &channels, &config, &artifact, &call))
}

fn digest(of: &str) -> String {
    Digest::of(of.as_bytes()).to_string()
}

#[test]
fn both_names_are_in_the_repository_that_pods_pull_from() {
    asked(None, |import| {
        let import = import.expect("an import");
        let repository = "127.0.0.1:5000/unidesk/decision-center";
        assert_eq!(import.name, format!("{repository}:{}", "a".repeat(40)));
        assert_eq!(import.name_by_digest(), format!("{repository}@{}", digest("manifest")));
        let nothing = import.found(&BTreeMap::new());
        let wanted = import.desired(&nothing);
        assert_eq!(wanted.image, Some(digest("manifest")));
        assert!(wanted.by_digest && !wanted.by_config && wanted != nothing);
        let both = [&import.name, &import.name_by_digest()].map(|name| (name.clone(), digest("manifest")));
        assert_eq!(import.found(&both.into()), wanted);
    });
}

#[test]
fn a_node_with_the_commit_but_without_the_name_by_digest_is_not_as_wanted() {
    asked(None, |import| {
        let import = import.expect("an import");
        let found = import.found(&[(import.name.clone(), digest("manifest"))].into());
        assert!(found.image.is_some() && !found.by_digest);
        assert_ne!(import.desired(&found), found);
        let written = serde_json::to_value(&found).expect("JSON");
        assert_eq!(
            written,
            json!({ "name": import.name, "image": digest("manifest"), "byDigest": false, "byConfig": false })
        );
    });
}

#[test]
fn a_registry_on_another_machine_than_the_node_is_refused() {
    asked(Some("d601"), |import| {
        let error = import.err().expect("another machine");
        assert!(!error.retryable() && error.code() == "invalid", "{error}");
        for part in
            ["the node of d601-k3s is d601", "127.0.0.1:5000", "on this machine", "runtimes.d601-k3s.via"]
        {
            assert!(error.to_string().contains(part), "{part:?} is not in {error}");
        }
    });
}
