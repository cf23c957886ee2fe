//! Decision Center: a user service on D601's k3s, in dev first and then in prod.

use plugin_sdk::shape::{KubernetesService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct DecisionCenter;

const DEV: KubernetesService = KubernetesService::dev("decision-center-dev", &["decision-center-dev"]);
const PROD: KubernetesService = KubernetesService::prod("decision-center", &["decision-center"]);

impl Plugin for DecisionCenter {
    const SERVICE: &'static str = "decision-center";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        vec![DEV.environment("dev"), PROD.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        match request.environment.as_str() {
            "dev" => DEV.deploy(request),
            _ => PROD.deploy(request),
        }
    }
}

plugin_sdk::register!(DecisionCenter);
