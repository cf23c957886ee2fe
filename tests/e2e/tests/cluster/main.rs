//! Deploys to a real Kubernetes on D601. What came of it is seen with kubectl and ctr. `lab run` prepares D601 and the
//! cluster's programs for tests whose names begin with `cluster_`.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a scene that cannot be set is a failed test"
)]

mod approved;
mod asked;
mod deploys;
mod doctor;
mod drift;
mod first;
mod import;
mod inside;
mod lease;
mod patch;
mod proxied;
mod rights;
mod rollout;
mod services;
mod sync;
