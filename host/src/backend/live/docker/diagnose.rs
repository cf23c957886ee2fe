//! Is there an engine that a deploy can work with?

use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use bollard::models::{SystemInfo, SystemVersion};
use jiff::Timestamp;
use rustix::fs::{Access, access};

use super::Engine;
use crate::answer::CallError;
use crate::config::Limits;
use crate::diagnosis::Finding;
use crate::words::plain;

/// Longest name or version that a finding repeats, in characters.
const SHOWN: usize = 60;
/// Oldest protocol version that this program was tried with: that of Docker 20.10.
const OLDEST: (u32, u32) = (1, 41);
/// How far the engine's clock may be from this one, in seconds: logs and journal are read side by side.
const SKEW: i64 = 5;

/// What is to be said of the engine at `address`.
pub async fn diagnose(address: &str, limits: &Limits) -> Vec<Finding> {
    if let Some(problem) = address.strip_prefix("unix://").and_then(|path| socket(Path::new(path))) {
        return vec![problem];
    }
    let asked = async { asked(&Engine::connect(address, limits).await?).await };
    told(asked.await)
}

/// The same, of an engine that is reached already, on another machine.
pub async fn diagnose_there(engine: Result<&Engine, CallError>) -> Vec<Finding> {
    let asked = async { asked(engine?).await };
    told(asked.await)
}

fn told(asked: Result<(SystemInfo, SystemVersion), CallError>) -> Vec<Finding> {
    match asked {
        Ok((info, version)) => judged(&info, &version),
        Err(error) => vec![Finding::told(
            error.message(),
            "see what the engine says (`journalctl -u docker`), and `docker` of this runtime in host.toml",
        )],
    }
}

/// What keeps this user from the socket. The engine's own library only says that there is no connection.
fn socket(path: &Path) -> Option<Finding> {
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Some(Finding::problem(
                format!("there is no engine at {shown}: {error}"),
                "start Docker (`systemctl start docker`), or say in host.toml where its socket is: `docker` of this runtime",
            ));
        }
    };
    if !metadata.file_type().is_socket() {
        return Some(Finding::problem(
            format!("{shown} is no socket"),
            "say in host.toml where the engine's socket is: `docker` of this runtime",
        ));
    }
    access(path, Access::READ_OK | Access::WRITE_OK).err().map(|error| {
        Finding::problem(
            format!("this user may not use the socket {shown}: {error}"),
            "run `host` as root, or as a member of the group that owns the socket (`usermod -aG docker <user>`)",
        )
    })
}

async fn asked(engine: &Engine) -> Result<(SystemInfo, SystemVersion), CallError> {
    let info = engine.call("asking for its state", engine.docker.info()).await?;
    let version = engine.call("asking for its version", engine.docker.version()).await?;
    Ok((info, version))
}

fn judged(info: &SystemInfo, version: &SystemVersion) -> Vec<Finding> {
    let word = |text: Option<&String>| text.map_or_else(|| "?".to_owned(), |text| plain(text, SHOWN));
    let api = word(version.api_version.as_ref());
    let first = Finding::ok(format!(
        "Docker {}, API {api}, images in {}, {}/{}",
        word(version.version.as_ref()),
        word(info.driver.as_ref()),
        word(info.os_type.as_ref()),
        word(info.architecture.as_ref()),
    ));
    [Some(first), old(&api), foreign(info), rootless(info), copies(info), skewed(info, Timestamp::now())]
        .into_iter()
        .flatten()
        .collect()
}

fn old(api: &str) -> Option<Finding> {
    let (major, minor) = api.split_once('.')?;
    let found: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    (found < OLDEST).then(|| {
        let (major, minor) = OLDEST;
        Finding::warning(
            format!("the engine speaks API {api}, which deploys were never tried with"),
            format!("update Docker to 20.10 (API {major}.{minor}) or newer"),
        )
    })
}

/// Images are looked for that fit this machine, not the engine's.
fn foreign(info: &SystemInfo) -> Option<Finding> {
    let (os, architecture) = (info.os_type.as_deref()?, info.architecture.as_deref()?);
    (os != "linux" || architecture != std::env::consts::ARCH).then(|| {
        Finding::problem(
            format!(
                "the engine runs {}/{} containers, and this program looks for images of linux/{}",
                plain(os, SHOWN),
                plain(architecture, SHOWN),
                std::env::consts::ARCH
            ),
            "run `host` on the machine that the engine runs on",
        )
    })
}

/// It lives in a network of its own, whose loopback is not the registry's.
fn rootless(info: &SystemInfo) -> Option<Finding> {
    let rootless = info.security_options.iter().flatten().any(|option| option == "name=rootless");
    rootless.then(|| {
        Finding::warning(
            "the engine is rootless: 127.0.0.1 is its own there, so it may not reach the registry on this machine",
            "let the rootless engine share the loopback (`--disable-host-loopback=false` of its network driver), or use \
             the machine's engine",
        )
    })
}

fn copies(info: &SystemInfo) -> Option<Finding> {
    (info.driver.as_deref() == Some("vfs")).then(|| {
        Finding::warning(
            "the engine keeps every image whole (vfs): deliveries are slow and fill the disk",
            "let the engine use overlay2 (`storage-driver` in /etc/docker/daemon.json)",
        )
    })
}

fn skewed(info: &SystemInfo, now: Timestamp) -> Option<Finding> {
    let theirs: Timestamp = info.system_time.as_deref()?.parse().ok()?;
    let apart = theirs.as_second().abs_diff(now.as_second());
    (apart > SKEW.unsigned_abs()).then(|| {
        Finding::warning(
            format!("the engine's clock is {apart} s away from this machine's"),
            "synchronise both (`timedatectl set-ntp true`): logs and journal are read side by side",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Severity;

    fn found(change: impl FnOnce(&mut SystemInfo, &mut SystemVersion)) -> Vec<Severity> {
        let mut info = SystemInfo {
            driver: Some("overlay2".to_owned()),
            os_type: Some("linux".to_owned()),
            architecture: Some(std::env::consts::ARCH.to_owned()),
            system_time: Some(Timestamp::now().to_string()),
            ..SystemInfo::default()
        };
        let mut version = SystemVersion { api_version: Some("1.47".to_owned()), ..SystemVersion::default() };
        change(&mut info, &mut version);
        judged(&info, &version).iter().map(|finding| finding.severity).collect()
    }

    /// What no engine of the lab can be made to show.
    #[test]
    fn what_an_engine_says_of_itself_is_judged() {
        use Severity::{Ok, Problem, Warning};
        assert_eq!(found(|_, _| {}), [Ok]);
        assert_eq!(found(|_, version| version.api_version = Some("1.40".to_owned())), [Ok, Warning]);
        assert_eq!(found(|_, version| version.api_version = None), [Ok], "what is not said is not judged");
        assert_eq!(found(|info, _| info.os_type = Some("windows".to_owned())), [Ok, Problem]);
        assert_eq!(found(|info, _| info.architecture = Some("s390x".to_owned())), [Ok, Problem]);
        assert_eq!(found(|info, _| info.driver = Some("vfs".to_owned())), [Ok, Warning]);
        assert_eq!(
            found(|info, _| info.security_options = Some(vec!["name=rootless".to_owned()])),
            [Ok, Warning]
        );
        assert_eq!(
            found(|info, _| info.system_time = Some("2001-01-01T00:00:00Z".to_owned())),
            [Ok, Warning]
        );
        assert_eq!(found(|info, _| info.system_time = Some("soon".to_owned())), [Ok]);
    }

    #[test]
    fn a_socket_that_cannot_be_used_is_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("docker.sock");
        assert!(socket(&path).expect("gone").evidence.contains("there is no engine at"));
        std::fs::write(&path, "").expect("a file");
        assert!(socket(&path).expect("no socket").evidence.ends_with("is no socket"));
        std::fs::remove_file(&path).expect("removed");
        let _listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        assert_eq!(socket(&path), None);
    }
}
