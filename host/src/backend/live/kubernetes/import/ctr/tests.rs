use super::*;

const SOCKET: &str = "/run/k3s/containerd/containerd.sock";
/// What containerd is asked with, after the program.
const AFTER: &str = "--address /run/k3s/containerd/containerd.sock --namespace k8s.io";

fn found(said: &str) -> Result<String, String> {
    words(&Found(said), "d601", SOCKET).map(|(_, words)| words.join(" ")).map_err(|error| error.to_string())
}

#[test]
fn it_is_run_as_somebody_who_may_use_the_socket() {
    let ubuntu = "user ubuntu\nsudo /usr/bin/sudo\nctr /usr/local/bin/ctr\nk3s /usr/local/bin/k3s\n";
    assert_eq!(found(ubuntu), Ok(format!("/usr/bin/sudo -n /usr/local/bin/ctr {AFTER}")));
    let only_k3s = "user ubuntu\nsudo /usr/bin/sudo\nk3s /usr/local/bin/k3s\n";
    assert_eq!(found(only_k3s), Ok(format!("/usr/bin/sudo -n /usr/local/bin/k3s ctr {AFTER}")));
    let root = "user root\nsocket /run/k3s\nsudo /usr/bin/sudo\nctr /usr/bin/ctr\n";
    assert_eq!(found(root), Ok(format!("/usr/bin/ctr {AFTER}")));
}

#[test]
fn what_is_missing_is_named() {
    let error = found("user ubuntu\nsudo /usr/bin/sudo\n").expect_err("no program");
    assert!(error.contains("d601 has no `ctr` and no `k3s`"), "{error}");
    let error = found("user ubuntu\nctr /usr/bin/ctr\n").expect_err("no sudo");
    assert!(error.contains("ubuntu may not use /run/k3s/containerd/containerd.sock on d601"), "{error}");
}

#[test]
fn only_names_that_were_asked_for_are_read() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let said = format!(
        "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
         127.0.0.1:5000/unidesk/x:a application/vnd.oci.image.manifest.v1+json {digest} 4.9 MiB linux/amd64 io.cri-containerd.image=managed \n\
         other:a application/vnd.oci.image.manifest.v1+json {digest} 4.9 MiB - - \n\
         127.0.0.1:5000/unidesk/x:b\n"
    );
    let names = ["127.0.0.1:5000/unidesk/x:a", "127.0.0.1:5000/unidesk/x:b"];
    assert_eq!(listed(&said, &names), [(names[0].to_owned(), digest)].into());
    assert_eq!(listed("", &names), BTreeMap::new());
}

fn told(stderr: &str) -> CallError {
    let said = "user ubuntu\nsudo /usr/bin/sudo\nctr /usr/local/bin/ctr\n";
    let (user, words) = words(&Found(said), "d601", SOCKET).expect("words");
    let ctr = Ctr { machine: Machine::Here, place: "d601".to_owned(), words, user };
    let stderr = stderr.as_bytes().to_vec();
    let ending = "ended with 1".to_owned();
    ctr.failed("pulling x", &Finished { success: false, code: Some(1), ending, stdout: Vec::new(), stderr })
}

#[test]
fn what_it_says_is_sorted_by_what_helps() {
    let right = told("sudo: a password is required\n");
    assert!(!right.retryable(), "{right}");
    let line = "ubuntu ALL=(root) NOPASSWD: /usr/local/bin/ctr";
    assert!(right.to_string().contains(line), "{right}");

    let away =
        told("ctr: failed to dial \"/run/k3s/containerd/containerd.sock\": context deadline exceeded\n");
    assert!(away.retryable() && away.to_string().contains("check that Kubernetes runs there"), "{away}");
    let refused = "time=\"…\" level=info msg=\"trying next host\"\nctr: failed to resolve reference \"x\": failed to do request: \
                   Head \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused\n";
    let refused = told(refused);
    assert!(refused.retryable() && refused.to_string().contains("check that the registry runs"), "{refused}");
    assert!(!refused.to_string().contains("trying next host"), "{refused}");

    let full = told("ctr: failed to extract layer: write /var/lib/x: no space left on device\n");
    assert!(!full.retryable() && full.to_string().contains("no space left on device"), "{full}");
    assert!(told("").to_string().ends_with("the containerd of d601 says: it ended with 1"));
}
