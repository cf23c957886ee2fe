//! `host deploy plan`.

use std::sync::Arc;

use clap::{ArgAction, Args};

use super::listen;
use crate::commands::arguments::{commit, environment, service};
use crate::commands::{Global, Output, print, print_json};
use crate::config::Desired;
use crate::console;
use crate::fault::Fault;
use crate::gate::{Audience, Unheard};
use crate::journal::OnFailure;
use crate::names::{Commit, Environment, ServiceName};
use crate::progress::Interrupt;
use crate::report::{Mode, Several, Style};
use crate::run::{Host, Request};
use crate::words::nearest;

/// How many services are looked at together where that means waiting for far sides.
const LOOKED_AT: usize = 16;

/// Show what deploying several services would do; nothing is changed
///
/// Commits come from the desired state, `desired` under `[catalog]` in host.toml, or from --commit.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host deploy plan
  host deploy plan --env prod --offline
  host deploy plan --env prod --service project-manager --commit $(git rev-parse HEAD)")]
pub struct PlanArgs {
    /// Only this environment
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    /// Only this service; may be said several times
    #[arg(long, value_name = "SERVICE", conflicts_with = "all")]
    service: Vec<String>,
    /// Everything that the desired state names; the same as naming no service
    #[arg(long, action = ArgAction::SetTrue)]
    all: bool,
    /// Plan this commit and not the desired one
    #[arg(long, value_name = "SHA", requires = "service")]
    commit: Option<String>,
    /// Ask nobody: what would be done, not how things are
    #[arg(long, action = ArgAction::SetTrue)]
    offline: bool,
}

impl PlanArgs {
    pub fn offline(&self) -> bool {
        self.offline
    }
}

pub async fn run(args: &PlanArgs, global: &Global) -> Result<u8, Fault> {
    let host = Arc::new(global.host()?);
    let requests = requests(args, &host)?;
    // Offline two for each core: a run changes threads, and its core must not stand idle meanwhile.
    let at_once = if args.offline {
        std::thread::available_parallelism().map_or(1, usize::from) * 2
    } else {
        LOOKED_AT
    };
    let interrupt = if args.offline { Interrupt::pair().1 } else { listen() };
    let audience: Arc<dyn Audience> = Arc::new(Unheard);
    let done = host.deploy_each(requests, at_once, &audience, &interrupt).await;
    let fault = done.iter().find_map(|one| one.journal.clone());
    let several = Several::new(done.into_iter().map(|one| one.report).collect());
    match global.output {
        Output::Json => print_json(&several)?,
        Output::Text => {
            print(&several.render(Style { colour: console::colour_on_stdout(), steps: false }))?;
        }
    }
    let code = several.decision.exit_code();
    Ok(super::unkept(fault.as_ref(), code))
}

/// What is asked for, sorted by environment and service.
fn requests(args: &PlanArgs, host: &Host) -> Result<Vec<Request>, Fault> {
    let environment = args.env.as_deref().map(environment).transpose()?;
    let commit = args.commit.as_deref().map(commit).transpose()?;
    let mut services = args.service.iter().map(|name| service(name)).collect::<Result<Vec<_>, _>>()?;
    services.sort();
    services.dedup();
    let desired = match &host.config.desired {
        Some(file) => Some(Desired::load(file, &host.service_names()?, host.policy.environments())?),
        None => None,
    };
    let wanted = Wanted { environment, services, commit };
    let mode = if args.offline { Mode::DryRun } else { Mode::Plan };
    let request = |(environment, service, commit)| Request {
        service,
        environment,
        commit,
        mode,
        wait: false,
        on_failure: OnFailure::Leave,
    };
    Ok(wanted.triples(desired.as_ref())?.into_iter().map(request).collect())
}

/// What the flags say.
struct Wanted {
    environment: Option<Environment>,
    services: Vec<ServiceName>,
    commit: Option<Commit>,
}

type Triple = (Environment, ServiceName, Commit);

impl Wanted {
    fn triples(&self, desired: Option<&Desired>) -> Result<Vec<Triple>, Fault> {
        match (desired, &self.environment, &self.commit) {
            // Nothing else has to be known.
            (_, Some(environment), Some(commit)) => {
                let triple = |service: &ServiceName| (environment.clone(), service.clone(), commit.clone());
                Ok(self.services.iter().map(triple).collect())
            }
            (Some(desired), ..) => self.of(desired),
            (None, ..) => Err(Fault::usage(
                "desired-state",
                "there is no desired state to plan from: host.toml names no `desired` file under [catalog]",
                "name that file, or what to plan: --env ENV --service SERVICE --commit SHA",
            )),
        }
    }

    fn of(&self, desired: &Desired) -> Result<Vec<Triple>, Fault> {
        if let Some(wanted) = &self.environment
            && !desired.environments().any(|one| one == wanted)
        {
            let known: Vec<&str> = desired.environments().map(Environment::as_str).collect();
            let near = nearest(wanted.as_str(), known.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            return Err(Fault::usage(
                "desired-state",
                format!("--env: the desired state has no environment {wanted}{near}"),
                format!(
                    "it has {}; add the environment there, or name --service and --commit",
                    known.join(", ")
                ),
            ));
        }
        let environments = || {
            desired.environments().filter(|one| self.environment.as_ref().is_none_or(|wanted| wanted == *one))
        };
        for service in &self.services {
            if !environments().any(|environment| desired.commit(environment, service).is_some()) {
                let place = self.environment.as_ref().map_or_else(String::new, |one| format!(" for {one}"));
                return Err(Fault::usage(
                    "desired-state",
                    format!("--service: the desired state names no commit of {service}{place}"),
                    "add it there, or say --env and --commit (`host services` lists the services)",
                ));
            }
        }
        let named = |service: &ServiceName| self.services.is_empty() || self.services.contains(service);
        Ok(environments()
            .flat_map(|environment| {
                desired.of(environment).filter(|(service, _)| named(service)).map(|(service, commit)| {
                    let commit = self.commit.as_ref().unwrap_or(commit);
                    (environment.clone(), service.clone(), commit.clone())
                })
            })
            .collect())
    }
}
