//! Frontend: the web interface. What people use is in the main server's Compose project; dev is on D601's k3s, where its
//! pods read who may log in from a Secret and a `ConfigMap`.

use plugin_sdk::shape::{
    ComposeService, KubernetesService, ObjectKind, Synced, UNIDESK_URL, unidesk_user_service,
};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct Frontend;

const MAIN_SERVER: ComposeService = ComposeService {
    runtime: "main-server",
    service: "frontend",
    container: "unidesk-frontend",
    stable_names: &["unidesk-frontend"],
    source_url: UNIDESK_URL,
    health_port: 8080,
    health_path: "/health",
    health_flags: &["/ok"],
    healthy_within_seconds: 60,
};

const DEV: KubernetesService = KubernetesService {
    runtime: "d601-k3s",
    namespace: "unidesk-dev",
    deployments: &[("frontend-dev", "frontend-dev")],
    source_url: UNIDESK_URL,
    service: "frontend-dev",
    port: "http",
    health_path: "/health",
    health_flags: &["/ok"],
    rolled_out_within_seconds: 120,
    healthy_within_seconds: 30,
};

/// Where the operator has `config.json` → `auth`.
const AUTH: &str = "frontend";

const SECRET: Synced = Synced {
    kind: ObjectKind::Secret,
    name: "frontend-dev-auth",
    source: AUTH,
    entries: &[("/password", "password"), ("/sessionSecret", "session-secret")],
};

const CONFIG_MAP: Synced = Synced {
    kind: ObjectKind::ConfigMap,
    name: "frontend-dev-auth",
    source: AUTH,
    entries: &[("/username", "username")],
};

impl Plugin for Frontend {
    const SERVICE: &'static str = "frontend";

    fn source() -> Source {
        unidesk_user_service(Some("src/components/frontend/Dockerfile"))
    }

    fn environments() -> Vec<Environment> {
        vec![DEV.d601_k3s("dev"), MAIN_SERVER.main_server("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        match request.environment.as_str() {
            "dev" => DEV.deploy_after(request, || {
                DEV.sync(&SECRET)?;
                DEV.sync(&CONFIG_MAP)
            }),
            _ => MAIN_SERVER.deploy(request),
        }
    }
}

plugin_sdk::register!(Frontend);
