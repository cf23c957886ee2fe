//! Code Queue: what runs tasks, among them those that deploy. Only its slice in dev can be deployed, as a whole, by somebody
//! outside of it whom a supervisor or an operator has approved; there is nothing to plan or approve for prod.

use plugin_sdk::shape::{KubernetesService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source, require_approval, require_outside};

struct CodeQueue;

const DEV: KubernetesService = KubernetesService::dev(
    "code-queue-scheduler-dev",
    &[
        "code-queue-scheduler-dev",
        "code-queue-read-dev",
        "code-queue-write-dev",
        "code-queue-provider-egress-proxy-dev",
    ],
);

/// Where those run who must not deploy it: its tasks, in dev and in prod.
const INSIDE: [&str; 4] =
    ["code-queue-scheduler-dev", "code-queue-runner-dev", "code-queue-scheduler", "code-queue-runner"];

const EXCLUDED: [&str; 5] = [
    "production code-queue scheduler",
    "production code-queue runner",
    "production code-queue active tasks",
    "production code-queue interrupt",
    "production code-queue cancel",
];

impl Plugin for CodeQueue {
    const SERVICE: &'static str = "code-queue";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        let excludes = EXCLUDED.map(str::to_owned).into();
        vec![Environment { excludes, ..DEV.environment("dev") }]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        require_approval(&["supervisor", "operator"])?;
        require_outside(&INSIDE)?;
        DEV.deploy(request)
    }
}

plugin_sdk::register!(CodeQueue);
