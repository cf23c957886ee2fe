//! Frontend: the web interface. What people use is in the main server's Compose project; dev is on D601's k3s, where its
//! pods read who may log in from a Secret and a `ConfigMap`.

use plugin_sdk::shape::{ComposeService, KubernetesService, ObjectKind, Synced, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct Frontend;

const MAIN_SERVER: ComposeService = ComposeService {
    stable_name: "unidesk-frontend",
    ..ComposeService::on_main_server("frontend", "unidesk-frontend")
};
const DEV: KubernetesService = KubernetesService::dev("frontend-dev", &["frontend-dev"]);

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
        vec![DEV.environment("dev"), MAIN_SERVER.environment("prod")]
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
