//! The sample service as a Deployment with a Service, as a team would have it on the cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Where the sample service listens.
const PORT: u16 = 8080;

/// What the Service calls this port.
const PORT_NAME: &str = "http";

/// A Deployment of one container, and a Service in front of its pods; all of them have the same name.
#[derive(Clone, Debug)]
pub struct Workload {
    namespace: String,
    name: String,
    image: String,
    replicas: u32,
    labels: BTreeMap<String, String>,
    env: Vec<Value>,
    container: Value,
    pod: Value,
    spec: Value,
}

impl Workload {
    /// One replica of an image, which is ready as soon as `/health` is well.
    #[must_use]
    pub fn new(namespace: &str, name: &str, image: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            image: image.to_owned(),
            replicas: 1,
            labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            env: Vec::new(),
            container: json!({
                "readinessProbe": { "httpGet": { "path": "/health", "port": PORT }, "periodSeconds": 1 },
            }),
            // The service does not listen to signals, and has nothing to bring to an end.
            pod: json!({ "terminationGracePeriodSeconds": 0 }),
            spec: json!({}),
        }
    }

    /// How many pods it has.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets a label of the Deployment and of its pods.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets an environment variable of the container.
    #[must_use]
    pub fn env(self, key: &str, value: &str) -> Self {
        self.env_from(key, json!({ "value": value }))
    }

    /// Sets an environment variable of the container to what comes from elsewhere, such as
    /// `{"valueFrom": {"secretKeyRef": …}}`.
    #[must_use]
    pub fn env_from(mut self, key: &str, mut source: Value) -> Self {
        source["name"] = json!(key);
        self.env.push(source);
        self
    }

    /// Sets a field of the container, such as `readinessProbe`; null leaves it out.
    #[must_use]
    pub fn container(mut self, field: &str, value: Value) -> Self {
        self.container[field] = value;
        self
    }

    /// Sets a field of the pods, such as `initContainers`.
    #[must_use]
    pub fn pod(mut self, field: &str, value: Value) -> Self {
        self.pod[field] = value;
        self
    }

    /// Sets a field of the Deployment's own, such as `paused` or `progressDeadlineSeconds`.
    #[must_use]
    pub fn spec(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    /// The namespace that it is in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of its Deployment, of its container and of its Service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the API server forwards a request for its `/health` to one of its pods.
    #[must_use]
    pub fn health_path(&self) -> String {
        let Self { namespace, name, .. } = self;
        format!("/api/v1/namespaces/{namespace}/services/{name}:{PORT_NAME}/proxy/health")
    }

    /// Namespace, Deployment and Service.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let Self { namespace, name, labels, .. } = self;
        let selector = json!({ "app": name });
        let mut container = self.container.clone();
        container["name"] = json!(name);
        container["image"] = json!(self.image);
        container["env"] = json!(self.env);
        container["ports"] = json!([{ "name": PORT_NAME, "containerPort": PORT }]);
        let mut pod = self.pod.clone();
        pod["containers"] = json!([container]);
        let mut spec = self.spec.clone();
        spec["replicas"] = json!(self.replicas);
        spec["selector"] = json!({ "matchLabels": selector });
        spec["template"] = json!({ "metadata": { "labels": labels }, "spec": pod });
        let metadata = json!({ "namespace": namespace, "name": name, "labels": labels });
        let ports = json!([{ "name": PORT_NAME, "port": 80, "targetPort": PORT_NAME }]);
        json!({
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } },
                { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec },
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": metadata,
                    "spec": { "selector": selector, "ports": ports },
                },
            ],
        })
    }
}
