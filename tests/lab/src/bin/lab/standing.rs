//! The lab that `lab up` leaves standing: where its parts are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use lab::{
    Docker, Error, Result, bench, d601,
    engine::{self, Place},
    image, paths,
};

/// The parts, whether they run or not.
pub struct Standing {
    /// Everything but what the engine needs a short path for.
    pub folder: PathBuf,
    /// Sockets of the engines.
    pub runtime: PathBuf,
    /// The engine, where one had to be started.
    pub engine: Place,
    /// The modern engine.
    pub modern: Place,
    /// The registry of this machine.
    pub registry: PathBuf,
    /// D601.
    pub d601: d601::Place,
    /// Kubernetes on it.
    pub cluster: PathBuf,
}

impl Standing {
    /// That of this checkout.
    pub fn here() -> Result<Self> {
        let target = paths::target()?;
        let folder = target.join("lab-up");
        // Two checkouts may each have one, and a path in `target` would be too long for sockets.
        let digest = image::digest(target.as_os_str().as_encoded_bytes());
        let short: String = digest.trim_start_matches("sha256:").chars().take(8).collect();
        let runtime = PathBuf::from(format!("/run/host-lab-{short}"));
        let place = |name: &str| Place {
            socket: runtime.join(name).join("docker.sock"),
            data: folder.join(name),
            runtime: runtime.join(name),
            log: folder.join(format!("{name}.log")),
        };
        Ok(Self {
            engine: place("engine"),
            modern: place("modern"),
            registry: folder.join("registry"),
            cluster: folder.join("cluster"),
            d601: d601::Place { name: "host-lab-d601".to_owned(), folder: folder.join("d601") },
            folder,
            runtime,
        })
    }

    /// The engine that it stands on, if it was ever brought up; whether it answers is another question.
    pub fn docker(&self) -> Option<Docker> {
        let endpoint = fs::read_to_string(self.record()).ok()?;
        Some(Docker::at(endpoint.trim()))
    }

    /// Writes down which engine it stands on, before anything is made in that.
    pub fn stands_on(&self, docker: &Docker) -> Result<()> {
        paths::make_folder(&self.folder)?;
        paths::write(&self.record(), docker.endpoint()?)
    }

    /// Whether the engine is one that the lab has started, and must end.
    pub fn engine_is_ours(&self) -> bool {
        let ours = format!("unix://{}", self.engine.socket.display());
        self.docker().and_then(|docker| docker.endpoint().ok()) == Some(ours)
    }

    /// The error for an engine that is not ours and is gone.
    pub fn lost_engine() -> Error {
        engine::missing("the engine that the lab stands on does not answer any more")
    }

    /// The configuration for `host`, in the folder of this machine's Compose project.
    pub fn host_toml(&self) -> PathBuf {
        self.folder.join("host.toml")
    }

    /// The list of the images that were published to be deployed.
    pub fn images(&self) -> PathBuf {
        self.folder.join("images")
    }

    /// What was brought to D601 to be deployed; it goes with D601.
    pub fn on_d601(&self) -> PathBuf {
        self.d601.folder.join("published")
    }

    fn record(&self) -> PathBuf {
        self.folder.join("engine-address")
    }
}

/// The engine that the user has, where one answers.
pub fn engine_of_the_user() -> Option<Docker> {
    let docker = env::var(bench::DOCKER_HOST).map_or_else(|_| Docker::of_the_user(), Docker::at);
    docker.answers().then_some(docker)
}

/// Removes a folder with all that is in it.
pub fn remove_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io(format!("remove {}", folder.display())))?;
    }
    Ok(())
}
