//! The command lines of `ssh`. What is given here wins over the user's configuration, which stands for all the rest.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::config::SshHost;

/// What `ssh` needs of the caller's environment: where programs, settings and agents are, and whose they are. Nothing
/// else, so that no `SendEnv` carries anything to the other side.
const PASSED_ON: [&str; 9] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "SSH_AUTH_SOCK",
    "SSH_SK_PROVIDER",
    "XDG_RUNTIME_DIR",
    "KRB5CCNAME",
];
/// What the other side says once the connection stands.
pub const READY: &str = "host: the connection stands";
/// A dead line is noticed after three of these without an answer.
const ALIVE: Duration = Duration::from_secs(2);
/// Stands for the machine where only the control socket matters.
pub const BEHIND_SOCKET: &str = "behind-the-socket";

/// Exactly what is around each `ssh`. Its words and those of the other side are in English, because they are read.
pub fn environment() -> Vec<(OsString, OsString)> {
    let passed = PASSED_ON.iter().filter_map(|key| Some((OsString::from(key), std::env::var_os(key)?)));
    passed.chain([("LC_ALL".into(), "C".into())]).collect()
}

/// The master: it holds the connection, listens on `socket`, and waits for the end of its input.
pub fn master(host: &SshHost, socket: &Path, connect_seconds: u64) -> Vec<OsString> {
    let mut argv: Vec<OsString> = vec!["ssh".into()];
    if let Some(config) = &host.config {
        argv.extend(["-F".into(), config.into()]);
    }
    argv.extend(["-M".into(), "-S".into(), socket.into(), "-T".into()]);
    let alive = format!("ServerAliveInterval={}", ALIVE.as_secs());
    let timeout = format!("ConnectTimeout={}", connect_seconds.max(1));
    for option in [
        // Nobody is there to answer a question.
        "BatchMode=yes",
        timeout.as_str(),
        "ConnectionAttempts=1",
        alive.as_str(),
        "ServerAliveCountMax=3",
        // Its life is ours.
        "ControlPersist=no",
        // An unknown or changed key ends it, whatever the configuration says.
        "StrictHostKeyChecking=yes",
        "NoHostAuthenticationForLocalhost=no",
        // Nothing that the configuration wants for people's own sessions.
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "ForwardX11=no",
        "GatewayPorts=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
        "Tunnel=no",
        // What went wrong is read from what it says, and so is the key that the other side has.
        "LogLevel=DEBUG1",
        "FingerprintHash=sha256",
        "VisualHostKey=no",
    ] {
        argv.extend(["-o".into(), option.into()]);
    }
    argv.extend(["--".into(), host.destination.as_str().into()]);
    argv.push(format!("echo '{READY}'; exec cat >/dev/null").into());
    argv
}

/// A question to the master behind `socket`, `-O check`.
pub fn control(socket: &Path, verb: &[&str]) -> Vec<OsString> {
    let mut argv = client(socket);
    argv.push("-O".into());
    argv.extend(verb.iter().map(OsString::from));
    argv.extend(["--".into(), BEHIND_SOCKET.into()]);
    argv
}

/// A session through the master behind `socket`; what this `ssh` itself says goes into `log`, and the rest is the other
/// side's.
pub fn session(socket: &Path, log: &Path, command: &str) -> Vec<OsString> {
    let mut argv = client(socket);
    argv.extend(["-E".into(), log.into(), "-T".into()]);
    argv.extend(["--".into(), BEHIND_SOCKET.into(), command.into()]);
    argv
}

/// The configuration is the master's business. Where that is gone, this must not connect by itself.
fn client(socket: &Path) -> Vec<OsString> {
    let mut argv: Vec<OsString> = ["ssh", "-F", "none", "-S"].map(OsString::from).into();
    argv.push(socket.into());
    for option in ["ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "LogLevel=ERROR"] {
        argv.extend(["-o".into(), option.into()]);
    }
    argv
}

/// The guard of the master behind `socket`: once its input has ended it asks the master to end. That is when this process
/// is gone, even if it was killed and a transfer through the connection still goes on, for which the master would stay.
/// `xargs` runs what it was given when its input ends; its only word is [`BEHIND_SOCKET`].
pub fn guard(socket: &Path) -> Vec<OsString> {
    let mut argv = vec!["xargs".into()];
    argv.extend(client(socket));
    argv.extend(["-O", "exit", "--"].map(OsString::from));
    argv
}
