//! Decision center: a user service on D601's k3s.

use plugin_sdk::shape::{KubernetesService, UNIDESK_URL, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct DecisionCenter;

const DEV: KubernetesService = KubernetesService {
    runtime: "d601-k3s",
    namespace: "unidesk-dev",
    deployments: &[("decision-center-dev", "decision-center-dev")],
    source_url: UNIDESK_URL,
    service: "decision-center-dev",
    port: "http",
    health_path: "/health",
    health_flags: &["/ok"],
    rolled_out_within_seconds: 120,
    healthy_within_seconds: 30,
};

const PROD: KubernetesService = KubernetesService {
    namespace: "unidesk",
    deployments: &[("decision-center", "decision-center")],
    service: "decision-center",
    ..DEV
};

impl Plugin for DecisionCenter {
    const SERVICE: &'static str = "decision-center";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        vec![DEV.d601_k3s("dev"), PROD.d601_k3s("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        match request.environment.as_str() {
            "dev" => DEV.deploy(request),
            _ => PROD.deploy(request),
        }
    }
}

plugin_sdk::register!(DecisionCenter);
