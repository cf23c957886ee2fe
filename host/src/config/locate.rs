//! Which `host.toml` is meant, and where things are when there is none.

use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// The file that was chosen, if any, and the folder that relative paths are relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// None: the specification's defaults.
    pub file: Option<PathBuf>,
    /// Absolute.
    pub base: PathBuf,
}

/// `--config`, else `$HOST_CONFIG`, else `./host.toml`, else `host/host.toml` in the XDG directory, else none.
///
/// # Errors
/// When a file was named and is not there, or the current folder cannot be told.
pub fn choose(flag: Option<&Path>) -> Result<Chosen, Fault> {
    let here = std::env::current_dir().map_err(|error| {
        Fault::usage(
            "config-folder",
            format!("the current folder cannot be told: {error}"),
            "change to one that exists",
        )
    })?;
    let named = flag.map(Path::to_path_buf).or_else(|| variable("HOST_CONFIG"));
    if let Some(file) = named {
        let file = here.join(file);
        if !file.is_file() {
            return Err(Fault::usage(
                "config-missing",
                format!("there is no configuration file {}", file.display()),
                "name an existing host.toml with --config or $HOST_CONFIG",
            ));
        }
        return Ok(chosen(file, &here));
    }
    let local = here.join("host.toml");
    let xdg = xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("host.toml"));
    Ok([Some(local), xdg]
        .into_iter()
        .flatten()
        .find(|file| file.is_file())
        .map_or_else(|| Chosen { file: None, base: here.clone() }, |file| chosen(file, &here)))
}

fn chosen(file: PathBuf, here: &Path) -> Chosen {
    let base = file.parent().unwrap_or(here).to_path_buf();
    Chosen { file: Some(file), base }
}

/// This program's folder under an XDG base directory.
pub fn xdg(base: &str, fallback: &str) -> Option<PathBuf> {
    variable(base)
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| home.join(fallback)))
        .map(|folder| folder.join("host"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A folder that no file names: `here/<name>` if `belongs` says so, else `<prefix>/<name>` beside the `bin` folder that
/// this program was installed into.
pub fn default_folder(here: &Path, name: &str, belongs: impl Fn(&Path) -> bool) -> PathBuf {
    let local = here.join(name);
    if belongs(&local) {
        return local;
    }
    std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.join(name)))
        .filter(|folder| belongs(folder))
        .unwrap_or(local)
}
