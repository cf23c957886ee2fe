//! D601 as a host of its own. The names of tests that need it begin with `d601_`: `lab run` looks for that.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use lab::{
    Bench, D601, Error, Result, SampleImage, d601, image, process,
    project::{NEIGHBOUR_IMAGE, PROJECT_MANAGER},
};

/// Whether something accepts connections there.
fn listens(address: &str, port: u16) -> Result<bool> {
    let address =
        address.parse().map_err(|error| Error::unexpected(format!("the address {address}"), error))?;
    Ok(TcpStream::connect_timeout(&SocketAddr::new(address, port), Duration::from_secs(2)).is_ok())
}

#[test]
fn d601_is_a_host_of_its_own() -> Result<()> {
    let bench = Bench::from_environment()?;
    let d601 = D601::start(&bench)?;
    assert_eq!(d601.ssh(&["cat", "/proc/1/comm"])?, "systemd");
    assert_eq!(d601.ssh(&["systemctl", "--failed", "--no-legend"])?, "");
    assert_eq!(d601.ssh(&["id", "-un"])?, d601::USER);
    assert_eq!(d601.ssh(&["sudo", "id", "-u"])?, "0");
    assert_eq!(
        d601.ssh(&["printf", "%s|", "it's", "$HOME", ""])?,
        "it's|$HOME||",
        "each word arrives as it is"
    );

    // The registry is seen by D601 itself and by nobody else, sshd by both.
    let registry = format!("http://{}/v2/", d601::REGISTRY);
    assert_eq!(d601.ssh(&["curl", "--silent", "--fail", &registry])?, "{}");
    assert!(listens(d601.address(), 22)?);
    assert!(!listens(d601.address(), 5000)?);

    // What was published there is pulled there, and stays over a reboot.
    let commit = image::commit("published on D601");
    let pushed = d601.push(&SampleImage::new(PROJECT_MANAGER.name, &commit))?;
    let repository = pushed.reference.strip_suffix(&format!(":{commit}")).unwrap_or_default();
    assert_eq!(repository, "127.0.0.1:5000/unidesk/project-manager");
    let by_digest = format!("{repository}@{}", pushed.digest);
    let id = ["docker", "image", "inspect", "--format", "{{.Id}}", &by_digest];
    d601.ssh(&["docker", "pull", "--quiet", &by_digest])?;
    assert_eq!(d601.ssh(&id)?, pushed.config_digest);
    d601.reboot()?;
    assert_eq!(d601.ssh(&id)?, pushed.config_digest);

    // A project there, as a person would bring it up.
    let project = d601.project("lab", &[PROJECT_MANAGER])?;
    d601.ssh(&["docker", "tag", &by_digest, PROJECT_MANAGER.name])?;
    d601.ssh(&["docker", "tag", &by_digest, NEIGHBOUR_IMAGE])?;
    let key = format!("{}COMMIT", PROJECT_MANAGER.stamp_prefix());
    project.write_env_file(format!("{key}={commit}\n"))?;
    assert_eq!(d601.ssh(&["stat", "--format", "%a %U", &project.env_file()])?, "600 deploy");
    project.compose(&["up", "--detach", "--no-build"])?;
    let container = project.container(PROJECT_MANAGER.container)?.unwrap_or_default();
    let environment = container["Config"]["Env"].as_array().cloned().unwrap_or_default();
    assert!(environment.iter().any(|line| *line == format!("{key}={commit}")), "{container:#}");
    assert_eq!(project.health(PROJECT_MANAGER.container)?["deploy"]["commit"], commit.as_str());
    project.remove()?;
    assert!(project.container(PROJECT_MANAGER.container)?.is_none());

    // Outages: silent, gone, back.
    d601.pause()?;
    let mut ssh = Command::new("timeout");
    let ssh = ssh.args(["2", "ssh", "-F"]).arg(d601.ssh_config()).args([d601::HOST, "true"]);
    assert!(process::run(ssh).is_err());
    d601.unpause()?;
    d601.cut_power()?;
    assert!(d601.ssh(&["true"]).is_err());
    d601.restore_power()?;
    assert_eq!(d601.ssh(&id)?, pushed.config_digest);
    Ok(())
}

#[test]
fn d601_leaves_nothing_and_the_next_one_has_another_key() -> Result<()> {
    let bench = Bench::from_environment()?;
    let known = |d601: &D601| {
        let file = d601.known_hosts();
        fs::read_to_string(&file).map_err(Error::io(format!("read {}", file.display())))
    };
    let first = D601::start(&bench)?;
    let (name, key) = (d601::Place::of_tests()?.name, known(&first)?);
    drop(first);
    assert!(bench.docker().container(&name)?.is_none());
    assert!(!bench.docker().run(&["network", "ls"])?.contains(&name));
    assert_ne!(known(&D601::start(&bench)?)?, key);
    Ok(())
}
