//! Where a container's own health endpoint is.

use serde_json::{Map, Value};

use super::channels::Channels;
use super::container;
use super::docker::Engine;
use super::health::{HealthSource, Locate};
use crate::answer::CallError;
use crate::names::{ConfigName, ContainerName};

/// A health endpoint inside a container's network. Where this machine cannot reach that network, the operator names an
/// endpoint after the container.
pub struct Inside<'a> {
    /// That runs it.
    pub engine: &'a Engine,
    /// To its network.
    pub way: Way<'a>,
    /// Which one.
    pub container: &'a ContainerName,
    /// Inside it.
    pub port: u16,
    /// Of the endpoint.
    pub path: &'a str,
    /// What the keys of its stamp begin with, where that is to be told as a part of its payload.
    pub prefix: Option<String>,
    /// The endpoint that the operator named.
    pub configured: Option<HealthSource>,
}

/// How the network of a runtime's containers is reached.
pub struct Way<'a> {
    /// The ways to other machines.
    pub channels: &'a Channels,
    /// The machine whose network it is; this one's where there is none.
    pub via: Option<&'a ConfigName>,
}

impl Way<'_> {
    async fn to(&self, authority: &str) -> Result<String, CallError> {
        self.channels.authority(self.via, authority).await
    }
}

impl Locate for Inside<'_> {
    async fn locate(&self) -> Result<HealthSource, CallError> {
        let mut source = match &self.configured {
            Some(source) => source.clone(),
            None => HealthSource {
                authority: self
                    .way
                    .to(&container::address(self.engine, self.container, self.port).await?)
                    .await?,
                path: self.path.to_owned(),
                deploy: None,
            },
        };
        if let Some(prefix) = &self.prefix {
            source.deploy = Some(self.stamp(prefix).await?);
        }
        Ok(source)
    }
}

impl Inside<'_> {
    /// The container's own stamp as a payload's `deploy` object.
    async fn stamp(&self, prefix: &str) -> Result<Value, CallError> {
        let found = self.engine.container(self.container).await?;
        let mut deploy = Map::new();
        for (field, suffix) in
            [("commit", "COMMIT"), ("requestedCommit", "REQUESTED_COMMIT"), ("serviceId", "SERVICE_ID")]
        {
            let value = found.as_ref().and_then(|container| container.env(&format!("{prefix}{suffix}")));
            if let Some(value) = value {
                deploy.insert(field.to_owned(), Value::from(value));
            }
        }
        Ok(Value::Object(deploy))
    }
}
