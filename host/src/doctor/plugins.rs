//! Whether each component loads, is what its name says, and may do what it would do.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::catalogue::{self, Published};
use super::{Area, Check};
use crate::answer::Answer;
use crate::backend::secrets::Sources;
use crate::config::Config;
use crate::diagnosis::Finding;
use crate::engine::{Descriptor, Engine, EnvironmentFacts, Loaded};
use crate::fault::Fault;
use crate::names::ServiceName;
use crate::operation::{Activate, Operation};
use crate::policy::{Policy, other_writer};
use crate::run::Trial;
use crate::words::{counted, listed, quoted};

/// Most names that a finding lists.
const NAMED: usize = 5;
/// Longest file name that a finding repeats, in characters.
const SHOWN: usize = 80;

/// What is needed to try plugins out.
pub struct Bench {
    pub config: Arc<Config>,
    pub secrets: Arc<Sources>,
    pub policy: Arc<Policy>,
    /// Whether the policies could be loaded. Where they could not, what they say of a plugin is not worth telling.
    pub judged: bool,
    pub requester: String,
    pub runtime: tokio::runtime::Handle,
}

impl Bench {
    /// A check of the folder and one of each plugin; and what the plugins would do to Compose projects.
    pub fn look(&self) -> (Vec<Check>, Vec<Activate>) {
        let folder = &self.config.plugins;
        let whole = |findings| Check::new(Area::Plugins, "plugins", findings);
        let Config { state, cache, limits, .. } = &*self.config;
        let engine = match Engine::that_writes_nothing(state, cache, limits) {
            Ok(engine) => engine,
            Err(fault) => {
                return (vec![whole(vec![Finding::problem(fault.message, fault.help)])], Vec::new());
            }
        };
        let (names, strange) = match components(folder) {
            Ok(found) => found,
            Err(error) => {
                let evidence = format!("the plugin folder {} cannot be read: {error}", folder.display());
                let action = "set `plugins` in host.toml to the folder of the components";
                return (vec![whole(vec![Finding::problem(evidence, action)])], Vec::new());
            }
        };
        let mut findings = vec![Finding::ok(format!(
            "{}, {}",
            folder.display(),
            counted(names.len(), "component", "components")
        ))];
        if names.is_empty() {
            findings.push(Finding::problem(
                format!("{} holds no component, so nothing can be deployed", folder.display()),
                "put the plugins there as <service>.wasm, or set `plugins` in host.toml",
            ));
        }
        findings.extend(foreign(&strange));
        findings.extend(self.without_component(&names));
        let published = Published::read(&self.config);
        findings.extend(published.as_ref().map(Published::look));
        if self.judged {
            findings.extend(catalogue::desired(&self.config, &self.policy, &names));
        }
        let mut checks = vec![whole(findings)];
        let mut activations = Vec::new();
        for name in &names {
            let (found, activated) = self.plugin(&engine, name, published.as_ref());
            checks.push(Check::new(Area::Plugins, &format!("plugin/{name}"), found));
            activations.extend(activated);
        }
        (checks, activations)
    }

    /// Services that policy knows and nobody can deploy.
    fn without_component(&self, names: &[ServiceName]) -> Option<Finding> {
        let missing: Vec<String> = self
            .policy
            .plugins()
            .iter()
            .filter(|known| !names.contains(known))
            .map(|name| format!("{name}.wasm"))
            .collect();
        (!missing.is_empty()).then(|| {
            Finding::warning(
                format!("policies name services whose component is not there: {}", listed(&missing, NAMED)),
                "put the components there, or remove the blocks from entities.json",
            )
        })
    }

    fn plugin(
        &self,
        engine: &Engine,
        name: &ServiceName,
        published: Option<&Published<'_>>,
    ) -> (Vec<Finding>, Vec<Activate>) {
        let path = self.config.component(name);
        let described = engine.load(name, &path).and_then(|loaded| {
            engine.describe(&loaded, self.runtime.clone()).map(|descriptor| (loaded, descriptor))
        });
        let (loaded, descriptor) = match described {
            Ok(described) => described,
            Err(fault) => {
                let fault = Fault::from(fault);
                return (vec![Finding::problem(fault.message, fault.help)], Vec::new());
            }
        };
        let places: Vec<_> =
            descriptor.environments.iter().map(|one| format!("{} on {}", one.name, one.runtime)).collect();
        let version = &descriptor.version;
        let mut findings = vec![Finding::ok(format!("version {version}, {}", listed(&places, NAMED)))];
        findings.extend(writable(&path));
        findings.extend(self.unconfigured(&descriptor));
        findings.extend(published.and_then(|published| published.against(name, &descriptor)));
        if self.judged && !self.policy.knows(name) {
            findings.push(Finding::problem(
                "policies do not know this service, so everything that it asks for is denied",
                "add a block for it to entities.json of the policies",
            ));
        }
        let mut activations = Vec::new();
        for environment in &descriptor.environments {
            let (found, activated) = self.tried(engine, &loaded, environment);
            if self.judged && self.policy.knows(name) {
                findings.extend(found);
            }
            activations.extend(activated);
        }
        (findings, activations)
    }

    /// Runtimes that the plugin needs and the configuration does not have.
    fn unconfigured(&self, descriptor: &Descriptor) -> Option<Finding> {
        let mut missing: Vec<String> = descriptor
            .environments
            .iter()
            .filter(|one| !self.config.has_runtime(&one.runtime))
            .map(|one| format!("[runtimes.{}]", one.runtime))
            .collect();
        missing.sort();
        missing.dedup();
        (!missing.is_empty()).then(|| {
            Finding::warning(
                format!("it deploys to what host.toml does not have: {}", missing.join(", ")),
                "add it there, if that is to be deployed to from here",
            )
        })
    }

    /// A dry run, which reaches nothing and of which nothing is kept: what policy denies, and what it would do to a
    /// Compose project.
    fn tried(
        &self,
        engine: &Engine,
        loaded: &Loaded,
        environment: &EnvironmentFacts,
    ) -> (Vec<Finding>, Vec<Activate>) {
        let Self { config, policy, secrets, requester, runtime, .. } = self;
        let steps = Trial { config, policy, secrets, requester, runtime }.steps(engine, loaded, environment);
        let environment = &environment.name;
        let denied = steps.iter().find_map(|step| step.verdict.reason.as_ref()).map(|reason| {
            Finding::problem(
                format!("in {environment}, {reason}"),
                "change the policies, if it is to be permitted; `host deploy … --dry-run` shows every step",
            )
        });
        let secrets = steps.iter().filter_map(|step| match &step.outcome {
            Ok(Answer::Gate(state)) if !state.met && state.secrets.is_some() => Some(Finding::warning(
                format!("in {environment}, {}", state.reason),
                "a live deploy is blocked until they are there; a dry run shows them again",
            )),
            _ => None,
        });
        let findings = denied.into_iter().chain(secrets).collect();
        let activations = steps
            .iter()
            .filter_map(|step| match &step.operation {
                Operation::Activate(call) => Some(call.clone()),
                _ => None,
            })
            .collect();
        (findings, activations)
    }
}

/// The services that have a component in `folder`, and the names of all that is none.
fn components(folder: &Path) -> std::io::Result<(Vec<ServiceName>, Vec<String>)> {
    let (mut names, mut strange) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        match file.strip_suffix(".wasm").map(ServiceName::parse) {
            Some(Ok(name)) => names.push(name),
            _ if file.starts_with('.') => {}
            _ => strange.push(file),
        }
    }
    names.sort();
    strange.sort();
    Ok((names, strange))
}

fn foreign(strange: &[String]) -> Option<Finding> {
    let shown: Vec<_> = strange.iter().map(|name| quoted(name, SHOWN)).collect();
    (!shown.is_empty()).then(|| {
        Finding::warning(
            format!("the folder holds what is no plugin, and is never read: {}", listed(&shown, NAMED)),
            "name components <service>.wasm, and keep other files elsewhere",
        )
    })
}

/// Policy bounds what a component can do, not what it says of a deploy.
fn writable(path: &Path) -> Option<Finding> {
    let metadata = std::fs::metadata(path).ok()?;
    let (who, flags) = other_writer(metadata.mode(), metadata.uid(), metadata.gid())?;
    Some(Finding::warning(
        format!("{} may be replaced by {who}", path.display()),
        format!("`chmod {flags} {}`", path.display()),
    ))
}
