//! Which services, and which of their commits, several are asked for.

use clap::{ArgAction, Args};

use crate::commands::arguments::{commit, environment, service};
use crate::config::Desired;
use crate::fault::Fault;
use crate::journal::OnFailure;
use crate::names::{Commit, Environment, ServiceName};
use crate::report::Mode;
use crate::run::{Host, Request};
use crate::words::nearest;

/// Commits come from the desired state, or from the command line.
#[derive(Args)]
pub(super) struct ChosenArgs {
    /// Only this service; may be said several times
    #[arg(long, value_name = "SERVICE", conflicts_with = "all")]
    service: Vec<String>,
    /// Everything that the desired state names; the same as naming no service
    #[arg(long, action = ArgAction::SetTrue)]
    all: bool,
    /// This commit and not the desired one
    #[arg(long, value_name = "SHA", requires = "service")]
    commit: Option<String>,
}

impl ChosenArgs {
    /// What is asked for, sorted by environment and service.
    pub(super) fn requests(&self, env: Option<&str>, host: &Host, mode: Mode) -> Result<Vec<Request>, Fault> {
        let environment = env.map(environment).transpose()?;
        let commit = self.commit.as_deref().map(commit).transpose()?;
        let mut services = self.service.iter().map(|name| service(name)).collect::<Result<Vec<_>, _>>()?;
        services.sort();
        services.dedup();
        let desired = host.desired()?;
        let wanted = Wanted { environment, services, commit };
        let request = |(environment, service, commit)| Request {
            service,
            environment,
            commit,
            mode,
            wait: false,
            on_failure: OnFailure::Leave,
            override_desired: None,
            artifact: None,
            compare: false,
            keep: false,
        };
        Ok(wanted.triples(desired)?.into_iter().map(request).collect())
    }

    /// Whether somebody said this service's name.
    pub(super) fn names(&self, service: &ServiceName) -> bool {
        self.service.iter().any(|name| name == service.as_str())
    }
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
