//! k3sctl adapter: the bridge by which k3s is controlled. It stands outside of what it controls, in D601's own Compose project,
//! and nobody replaces it in passing.

use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source, hold, require_approval};

struct K3sctlAdapter;

const D601: ComposeService = ComposeService::on_d601("k3sctl-adapter", "k3sctl-adapter-backend");

const HELD: &str = "a production deploy of the bridge to k3s needs a supervisor's separate confirmation, so it is only planned \
                    and dry-run";

impl Plugin for K3sctlAdapter {
    const SERVICE: &'static str = "k3sctl-adapter";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        vec![D601.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        require_approval(&["supervisor"])?;
        hold(HELD)?;
        D601.deploy(request)
    }
}

plugin_sdk::register!(K3sctlAdapter);
