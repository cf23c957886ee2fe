//! A connection that cannot be made, or breaks.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use host::backend::live::ssh::{Input, SshError, Target};
use lab::Sshd;

use super::{LONG, SOON, becomes, connect, connected, echo_tcp, processes};

pub async fn refused(config: &Path) -> SshError {
    let begun = Instant::now();
    let error = connect(config).await.expect_err("no connection");
    assert!(begun.elapsed() < SOON, "{:?}: {error}", begun.elapsed());
    error
}

#[tokio::test]
async fn a_host_key_that_does_not_fit_ends_it() {
    let mut sshd = Sshd::start(&[]).expect("a server");
    // Whatever the configuration says.
    let trusting = ["StrictHostKeyChecking no", "NoHostAuthenticationForLocalhost yes"];
    let config = sshd.config_with("trusting", &trusting).expect("a configuration");
    sshd.change_host_key().expect("another key");
    let error = refused(&config).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-host-key-changed", false), "{error}");
    let known = format!("{}:1", sshd.known_hosts().display());
    for part in ["d601 (d601)", "SHA256:", &known, "ssh-keygen -f"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }

    std::fs::write(sshd.known_hosts(), "").expect("no known host");
    let error = refused(&config).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-host-key-unknown", false), "{error}");
    assert_eq!(std::fs::read(sshd.known_hosts()).expect("the file"), b"", "it was learned");
    sshd.trust_host_key().expect("trust");
    connect(&config).await.expect("a connection").close().await;
}

#[tokio::test]
async fn who_is_not_let_in_is_told_as_whom() {
    let sshd = Sshd::start(&[]).expect("a server");
    let error = refused(&sshd.config_of_a_stranger().expect("a configuration")).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-denied", false), "{error}");
    assert!(error.to_string().contains("@127.0.0.1 in (it takes publickey)"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_within_seconds() {
    let mut sshd = Sshd::start(&[]).expect("a server");
    let config = sshd.config().expect("a configuration");
    let unknown =
        sshd.config_with("unknown", &["HostName no-such-machine.invalid"]).expect("a configuration");
    let error = refused(&unknown).await;
    assert_eq!(error.code(), "ssh-unreachable", "{error}");
    // Somebody takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = format!("Port {}", silent.local_addr().expect("an address").port());
    let error = refused(&sshd.config_with("silent", &[&port]).expect("a configuration")).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-unreachable", true), "{error}");
    // Someone who hangs, on the way there.
    let proxy = sshd.config_with("proxy", &["ProxyCommand sleep 1234"]).expect("a configuration");
    let error = refused(&proxy).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-unreachable", true), "{error}");
    let error = refused(&sshd.config_with("bad", &["Prot 22"]).expect("a configuration")).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-configuration", false), "{error}");
    assert!(error.to_string().contains("line 2: Bad configuration option: prot"), "{error}");
    sshd.stop().expect("stopped");
    let error = refused(&config).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-unreachable", true), "{error}");
    assert!(error.to_string().contains("d601 (d601): ") && error.to_string().contains("refused"), "{error}");
    assert!(becomes(|| processes("sleep\u{0}1234") == 0), "the proxy command stays");
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_lost_for_all_that_uses_it() {
    let sshd = Sshd::start(&[]).expect("a server");
    for silent in [false, true] {
        let connection = connected(&sshd).await;
        let begun = Instant::now();
        let break_it = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if silent { sshd.freeze() } else { sshd.cut() }.expect("broken");
        };
        let argv = ["sleep", "60"];
        let (ran, lost, ()) =
            tokio::join!(connection.run(&argv, Input::nothing(), LONG), connection.lost(), break_it);
        for error in [ran.expect_err("broken"), lost] {
            assert_eq!((error.code(), error.retryable()), ("ssh-dropped", true), "{error}");
        }
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        let error = connection.run(&["true"], Input::nothing(), LONG).await.expect_err("no connection");
        assert_eq!(error.code(), "ssh-dropped", "{error}");
        let error = connection.forward(&Target::Tcp(echo_tcp())).await.expect_err("no connection");
        assert_eq!(error.code(), "ssh-dropped", "{error}");
        sshd.cut().expect("cut");
    }
}
