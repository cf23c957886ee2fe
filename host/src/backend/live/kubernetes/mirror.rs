//! Objects of a namespace as they are now: read once, and kept up to date by what the API server tells of them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use super::cluster::Connected;
use crate::answer::CallError;

/// For an answer of the API server to one question.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Between two beginnings: an API server that is starting again, or that ends every watch at once, is not flooded.
const PAUSE: Duration = Duration::from_millis(500);

/// Those of one kind that a selector finds.
pub struct Mirror<'a, K> {
    connected: &'a Connected,
    api: Api<K>,
    watched: Api<K>,
    list: ListParams,
    watch: WatchParams,
    /// For messages: `watching the pods of unidesk-dev`.
    what: String,
    objects: BTreeMap<String, K>,
    /// Nothing before the first look, and after what was told broke off.
    events: Option<BoxStream<'static, kube::Result<WatchEvent<K>>>>,
    begun: Instant,
}

/// Which objects.
pub enum Selected<'a> {
    /// The one of this name.
    Named(&'a str),
    /// Those with labels that this selector takes.
    Labelled(&'a str),
}

impl<'a, K> Mirror<'a, K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    /// Reads what is there, and is told from then on.
    ///
    /// # Errors
    /// As for [`Connected::asked`].
    pub async fn begin(
        connected: &'a Connected,
        namespace: &str,
        selected: Selected<'_>,
    ) -> Result<Self, CallError> {
        let (list, watch) = (ListParams::default(), WatchParams::default());
        let (list, watch) = match selected {
            Selected::Named(name) => {
                let field = format!("metadata.name={name}");
                (list.fields(&field), watch.fields(&field))
            }
            Selected::Labelled(labels) => (list.labels(labels), watch.labels(labels)),
        };
        let mut mirror = Self {
            connected,
            api: Api::namespaced(connected.client.clone(), namespace),
            watched: Api::namespaced(connected.watching.clone(), namespace),
            list,
            watch,
            what: format!("watching the {} of {namespace}", K::plural(&())),
            objects: BTreeMap::new(),
            events: None,
            begun: Instant::now(),
        };
        mirror.again().await?;
        Ok(mirror)
    }

    /// What is there, by name.
    pub fn objects(&self) -> impl Iterator<Item = &K> {
        self.objects.values()
    }

    /// Reads everything anew. Nothing of what happens between the answer and what is told next is missed.
    ///
    /// # Errors
    /// As for [`Connected::asked`].
    pub async fn again(&mut self) -> Result<(), CallError> {
        self.begun = Instant::now();
        self.events = None;
        let listed = self.connected.asked(&self.what, PATIENCE, self.api.list(&self.list)).await?;
        let version = listed.metadata.resource_version.unwrap_or_default();
        self.objects = listed.items.into_iter().map(|object| (name(&object), object)).collect();
        let events = self.connected.asked(&self.what, PATIENCE, self.watched.watch(&self.watch, &version));
        self.events = Some(events.await?.boxed());
        Ok(())
    }

    /// Waits until something may have changed. May be dropped at any time.
    ///
    /// # Errors
    /// What keeps the objects from being read; one that may pass is waited for.
    pub async fn changed(&mut self) -> Result<(), CallError> {
        loop {
            let Some(events) = &mut self.events else {
                // Also for one who was told `gone`, or an error of the server's storage: what was missed cannot be told.
                sleep_until(self.begun + PAUSE).await;
                match self.again().await {
                    Err(CallError::Unavailable(_)) => continue,
                    read => return read,
                }
            };
            match events.next().await {
                Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                    self.objects.insert(name(&object), object);
                    return Ok(());
                }
                Some(Ok(WatchEvent::Deleted(object))) => {
                    self.objects.remove(&name(&object));
                    return Ok(());
                }
                Some(Ok(WatchEvent::Bookmark(_))) => {}
                Some(Ok(WatchEvent::Error(_)) | Err(_)) | None => self.events = None,
            }
        }
    }
}

fn name<K: Resource>(object: &K) -> String {
    object.meta().name.clone().unwrap_or_default()
}
