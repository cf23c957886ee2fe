//! Met Nonlinear: a user service of D601's own Compose project that cannot be deployed yet.

use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source, hold};

struct MetNonlinear;

const D601: ComposeService = ComposeService::on_d601("met-nonlinear", "met-nonlinear-backend");

const HELD: &str = "the registered Dockerfile and the long-running service contract disagree, so it is only planned and dry-run \
                    until they agree";

impl Plugin for MetNonlinear {
    const SERVICE: &'static str = "met-nonlinear";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        vec![D601.environment("dev"), D601.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        hold(HELD)?;
        D601.deploy(request)
    }
}

plugin_sdk::register!(MetNonlinear);
