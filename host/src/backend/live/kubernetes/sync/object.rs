//! A Secret or `ConfigMap` as the API server has it. Both are asked in the same way, and the values of neither are read
//! into a type that could print them.

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Error;
use kube::api::{DeleteParams, GetParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroize;

use super::super::cluster::{Connected, PATIENCE};
use crate::answer::CallError;
use crate::backend::secrets::{Secret, Values};
use crate::operation::{ObjectKind, SyncObject};

/// By which name the API server remembers who wrote a field.
const MANAGER: &str = "host";
/// A value that is shorter than this, in bytes, is a part of many harmless words.
const TELLING: usize = 4;

/// One object, wherever it is.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    connected: &'a Connected,
    call: &'a SyncObject,
}

/// What is there. The values are in the form of the object: those of a Secret in base64.
#[derive(Deserialize)]
pub struct Found {
    /// Its uid and version.
    pub metadata: ObjectMeta,
    /// By key.
    #[serde(default)]
    pub data: Values,
    /// Whether nobody can change it any more.
    pub immutable: Option<bool>,
}

/// What is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    /// Only these keys; one without a value is removed.
    data: BTreeMap<&'a str, Option<&'a str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
}

impl<'a> Object<'a> {
    /// Asks nothing.
    pub fn new(connected: &'a Connected, call: &'a SyncObject) -> Self {
        Self { connected, call }
    }

    /// What is there, if anything is.
    pub async fn look(&self) -> Result<Option<Found>, CallError> {
        let request = self.requests().get(self.call.name.as_str(), &GetParams::default());
        match self.asked("looking at", request).await {
            Ok(found) => Ok(Some(found)),
            Err(CallError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes it; `rehearsed` only asks whether that would go well.
    pub async fn create(
        &self,
        data: BTreeMap<&str, Option<&str>>,
        rehearsed: bool,
    ) -> Result<Found, CallError> {
        let body = serde_json::to_vec(&self.written(None, data)).map_err(|_| unwritable(self))?;
        let params = PostParams { dry_run: rehearsed, field_manager: Some(MANAGER.to_owned()) };
        let made = self.asked("making", self.requests().create(&params, body)).await;
        made.map_err(|error| self.conflict(error))
    }

    /// Writes these keys, and no other, if it is still as it was `found`.
    pub async fn patch(
        &self,
        found: &Found,
        data: BTreeMap<&str, Option<&str>>,
        rehearsed: bool,
    ) -> Result<Found, CallError> {
        let patch = Patch::Merge(self.written(found.metadata.resource_version.as_deref(), data));
        let params = PatchParams {
            dry_run: rehearsed,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let request = self.requests().patch(self.call.name.as_str(), &params, &patch);
        self.asked("writing to", request).await.map_err(|error| self.conflict(error))
    }

    /// Removes it, if it is still as it was `found`.
    pub async fn delete(&self, found: &Found) -> Result<(), CallError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: found.metadata.uid.clone(),
                resource_version: found.metadata.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        let request = self.requests().delete(self.call.name.as_str(), &params);
        let removed: Result<IgnoredAny, _> = self.asked("removing", request).await;
        removed.map(|_| ()).map_err(|error| self.conflict(error))
    }

    /// Values of a source as they stand in such an object.
    pub fn form(&self, values: &Values) -> Result<Values, CallError> {
        let form = |value: &Secret| match self.call.kind {
            ObjectKind::ConfigMap => Some(Secret::from(value.text().to_owned())),
            ObjectKind::Secret => encoded(value),
        };
        let pair =
            |(key, value): (&String, _)| Ok((key.clone(), form(value).ok_or_else(|| unwritable(self))?));
        values.iter().map(pair).collect()
    }

    /// Length in bytes of what stands in such an object.
    pub fn length(&self, value: &Secret) -> usize {
        match self.call.kind {
            ObjectKind::ConfigMap => value.length(),
            ObjectKind::Secret => {
                let padding = value.text().bytes().rev().take_while(|byte| *byte == b'=').count();
                (value.length() / 4 * 3).saturating_sub(padding)
            }
        }
    }

    /// The same error, unless it repeats one of the values.
    pub fn discreet<'b>(&self, error: CallError, mut values: impl Iterator<Item = &'b Secret>) -> CallError {
        let told = |value: &Secret| value.length() >= TELLING && error.message().contains(value.text());
        if !values.any(told) {
            return error;
        }
        CallError::Other(format!(
            "the API server at {} does not take {self}; its reason repeats a value, so it is not shown: try the same with \
             kubectl",
            self.connected.address
        ))
    }

    /// Somebody else was faster.
    pub fn changed_meanwhile(&self, said: &str) -> CallError {
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        CallError::Mismatch(format!(
            "{self} is no longer as it was when this deploy looked at it: somebody else changed it; nothing was written, \
             run it again{said}"
        ))
    }

    /// Nobody can write to it.
    pub fn immutable(&self) -> CallError {
        CallError::Mismatch(format!(
            "{self} is immutable and holds other values than the source {}; remove it, and this deploy makes it anew: \
             `kubectl --namespace {} delete {}/{}`",
            self.call.source,
            self.call.namespace,
            self.plural(),
            self.call.name
        ))
    }

    /// Why the way back ends here.
    pub fn not_taken_back(&self, why: &str) -> CallError {
        CallError::Mismatch(format!("not taken back: {self} {why}"))
    }

    fn conflict(&self, error: CallError) -> CallError {
        match error {
            CallError::Mismatch(said) => self.changed_meanwhile(&said),
            other => other,
        }
    }

    fn written<'b>(
        &'b self,
        version: Option<&'b str>,
        data: BTreeMap<&'b str, Option<&'b str>>,
    ) -> Written<'b> {
        Written {
            api_version: "v1",
            kind: self.kind(),
            metadata: Metadata { name: self.call.name.as_str(), resource_version: version },
            data,
        }
    }

    fn requests(&self) -> Request {
        Request::new(format!("/api/v1/namespaces/{}/{}", self.call.namespace, self.plural()))
    }

    async fn asked<T: DeserializeOwned>(
        &self,
        doing: &str,
        request: Result<hyper::http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<T, CallError> {
        let what = format!("{doing} {self}");
        let answer = async { self.connected.client.request(request.map_err(Error::BuildRequest)?).await };
        self.connected.asked(&what, PATIENCE, answer).await
    }

    fn kind(&self) -> &'static str {
        match self.call.kind {
            ObjectKind::Secret => "Secret",
            ObjectKind::ConfigMap => "ConfigMap",
        }
    }

    fn plural(&self) -> &'static str {
        match self.call.kind {
            ObjectKind::Secret => "secrets",
            ObjectKind::ConfigMap => "configmaps",
        }
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SyncObject { runtime, namespace, name, .. } = self.call;
        write!(f, "the {} {namespace}/{name} of {runtime}", self.kind())
    }
}

fn unwritable(object: &Object<'_>) -> CallError {
    CallError::Other(format!("{object} cannot be written down"))
}

fn encoded(value: &Secret) -> Option<Secret> {
    let mut bytes = ByteString(value.text().as_bytes().to_vec());
    let text = serde_json::to_value(&bytes);
    bytes.0.zeroize();
    match text {
        Ok(Value::String(text)) => Some(Secret::from(text)),
        _ => None,
    }
}
