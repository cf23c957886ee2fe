//! Which machines, engines, projects and clusters are behind the names of a configuration.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use super::compose::Compose;
use super::{Connections, kubernetes};
use crate::answer::CallError;
use crate::identity::{Identities, MachineIdentity, RegistryIdentity, RuntimeIdentity, Scope};
use crate::names::{ComposeService, ConfigName, RuntimeName};

/// All that is in `scope`, and the registry.
///
/// # Errors
/// That of the first that cannot be asked.
pub async fn identify(to: &Connections, scope: &Scope) -> Result<Identities, CallError> {
    let registry = async {
        let config = &to.config.registry;
        Ok::<_, CallError>(RegistryIdentity {
            url: config.url.to_string(),
            via: machine(to, config.via.as_ref()).await?,
        })
    };
    let engines = scope.engines.iter().map(async |(name, services)| {
        let services: Vec<&ComposeService> = services.iter().collect();
        Ok::<_, CallError>((name.clone(), engine(to, name, &services).await?))
    });
    let clusters =
        scope.clusters.iter().map(async |name| Ok::<_, CallError>((name.clone(), cluster(to, name).await?)));
    let (registry, engines, clusters) =
        tokio::try_join!(registry, try_join_all(engines), try_join_all(clusters))?;
    let secrets = scope
        .secrets
        .iter()
        .filter_map(|(source, runtime)| Some((source.clone(), to.secrets.words(source, runtime)?)));
    Ok(Identities {
        registry,
        runtimes: engines.into_iter().chain(clusters).collect(),
        secrets: secrets.collect(),
    })
}

async fn machine(to: &Connections, via: Option<&ConfigName>) -> Result<Option<MachineIdentity>, CallError> {
    match via {
        None => Ok(None),
        Some(name) => {
            let (destination, host_key) = to.channels.identity(name).await?;
            Ok(Some(MachineIdentity { name: name.clone(), destination, host_key }))
        }
    }
}

async fn engine(
    to: &Connections,
    name: &RuntimeName,
    services: &[&ComposeService],
) -> Result<RuntimeIdentity, CallError> {
    let (site, engine) = (to.site(name)?, to.engine(name).await?);
    let via = machine(to, site.runtime.via.as_ref()).await?;
    let hashes = if services.is_empty() {
        BTreeMap::new()
    } else {
        let env_file = site.env_file(&to.channels).await?;
        let machine = site.machine(&to.channels).await?.clone();
        Compose::new(machine, &site.runtime, env_file, &to.config.limits).hashes(services).await?
    };
    Ok(RuntimeIdentity::Compose {
        via,
        engine: engine.id()?.to_owned(),
        project: site.runtime.project.clone(),
        directory: site.runtime.directory.display().to_string(),
        services: hashes,
    })
}

async fn cluster(to: &Connections, name: &RuntimeName) -> Result<RuntimeIdentity, CallError> {
    let connected = to.connected(name).await?;
    let via = to.cluster(name)?.runtime.via.as_ref();
    let (via, cluster) = tokio::try_join!(machine(to, via), kubernetes::uid(connected))?;
    Ok(RuntimeIdentity::Kubernetes {
        via,
        context: connected.context.clone(),
        server: connected.address.clone(),
        cluster,
    })
}
