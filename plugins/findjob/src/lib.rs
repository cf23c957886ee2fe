//! Findjob: a user service of D601's own Compose project.

use plugin_sdk::shape::{ComposeService, UNIDESK_URL, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source, hold};

struct Findjob;

const D601: ComposeService = ComposeService {
    runtime: "d601",
    service: "findjob",
    container: "findjob-backend",
    stable_names: &["findjob"],
    source_url: UNIDESK_URL,
    health_port: 8080,
    health_path: "/health",
    health_flags: &["/ok"],
    healthy_within_seconds: 60,
};

impl Plugin for Findjob {
    const SERVICE: &'static str = "findjob";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        vec![D601.d601("dev"), D601.d601("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        if request.environment == "dev" {
            hold("dev only validates: findjob runs in prod, so its deploy to dev is a dry run")?;
        }
        D601.deploy(request)
    }
}

plugin_sdk::register!(Findjob);
