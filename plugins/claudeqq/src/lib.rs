//! `ClaudeQQ`: a user service on D601's k3s, in dev first and then in prod.

use plugin_sdk::shape::{KubernetesService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct ClaudeQq;

const DEV: KubernetesService = KubernetesService::dev("claudeqq-dev", &["claudeqq-dev"]);
const PROD: KubernetesService = KubernetesService::prod("claudeqq", &["claudeqq"]);

impl Plugin for ClaudeQq {
    const SERVICE: &'static str = "claudeqq";

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

plugin_sdk::register!(ClaudeQq);
