//! Code Queue Manager: the part of Code Queue that stands beside the main server's other services. It is looked at and steered
//! through it, so a supervisor approves each deploy, and no task of Code Queue deploys it.

use plugin_sdk::shape::{ComposeService, absent, unidesk_user_service};
use plugin_sdk::{
    Environment, Failure, Plugin, Request, Source, require_approval, require_outside, require_pinned,
    verified,
};

struct CodeQueueMgr;

const MAIN_SERVER: ComposeService =
    ComposeService::on_main_server("code-queue-mgr", "code-queue-mgr-backend");

/// Where those run who must not deploy it.
const INSIDE: [&str; 3] = ["code-queue-mgr-backend", "code-queue-scheduler", "code-queue-runner"];

const EXCLUDED: [&str; 5] = [
    "code-queue scheduler",
    "code-queue runner",
    "code-queue queued tasks",
    "code-queue interrupt state",
    "code-queue cancel state",
];

const STATS: &str = "/api/tasks/stats";
/// It answers health by then.
const STATS_WITHIN_SECONDS: u32 = 15;

impl Plugin for CodeQueueMgr {
    const SERVICE: &'static str = "code-queue-mgr";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        let excludes = EXCLUDED.map(str::to_owned).into();
        vec![Environment { excludes, ..MAIN_SERVER.environment("prod") }]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        require_approval(&["supervisor"])?;
        require_outside(&INSIDE)?;
        require_pinned()?;
        MAIN_SERVER.deploy(request)?;
        verified("the statistics", MAIN_SERVER.expect(STATS, &absent(&["/skipped"]), STATS_WITHIN_SECONDS)?)
    }
}

plugin_sdk::register!(CodeQueueMgr);
