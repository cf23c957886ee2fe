//! Old images of the service that was deployed. The host removes them itself, through the gate as `BuiltIn::"retention"`:
//! decided before the first change like everything else, done when the deploy is proved. Whatever comes of it, the deploy
//! stands as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Passed, Run};
use crate::answer::CallError;
use crate::backend::Backend;
use crate::gate::halt::Halt;
use crate::gate::{Gate, Subject};
use crate::names::{Commit, RuntimeName};
use crate::operation::{Operation, Retain};
use crate::policy::{BuiltIn, Principal};
use crate::recording::Recording;
use crate::report::{previous_commit, retention_part};
use crate::step::{Pass, Step};

/// Commits that stay at least: what is deployed and what ran before it, also where the run cannot tell which that was.
const LEAST: u32 = 2;

/// What is to be done about old images wherever `steps` bring one; `kept` is the configured number.
pub(super) fn operations(steps: &[Step], kept: u32) -> Vec<Operation> {
    let mut all: BTreeMap<&RuntimeName, Retain> = BTreeMap::new();
    for step in steps {
        let (artifact, runtime, names) = match &step.operation {
            Operation::Deliver(call) => (&call.artifact, &call.runtime, std::slice::from_ref(&call.name)),
            Operation::Activate(call) => (&call.artifact, &call.runtime, call.stable_names.as_slice()),
            _ => continue,
        };
        let one = all.entry(runtime).or_insert_with(|| Retain {
            runtime: runtime.clone(),
            names: Vec::new(),
            keep: kept.max(LEAST),
            commits: vec![artifact.commit.clone()],
            image: None,
        });
        for name in names {
            if !one.names.contains(name) {
                one.names.push(name.clone());
            }
        }
        let previous = previous_commit(std::slice::from_ref(step), &artifact.commit);
        one.commits.extend(previous.and_then(|commit| Commit::parse(&commit).ok()));
        let before = step.before.as_ref().and_then(|before| before.pointer("/container/image")?.as_str());
        one.image = before.map(str::to_owned).or(one.image.take());
    }
    all.into_values().map(Operation::Retain).collect()
}

impl Run<'_> {
    /// Decides and writes down what will be done about old images.
    pub(super) fn foresee_retention(&self, passed: &mut Passed) -> Result<(), Halt> {
        let config = &self.host.config;
        for operation in operations(passed.gate.steps(), config.limits.images_kept) {
            // A node's kubelet removes what no pod uses.
            if matches!(&operation, Operation::Retain(call) if config.clusters.contains_key(&call.runtime)) {
                continue;
            }
            passed.gate.foresee_for(BuiltIn::Retention, operation)?;
        }
        Ok(())
    }

    /// Does what was foreseen about old images; the other steps come back as they are.
    pub(super) async fn retained(&self, foreseen: Vec<Step>) -> Vec<Step> {
        let is_retention = |step: &Step| matches!(step.operation, Operation::Retain(_));
        let (planned, mut steps): (Vec<Step>, Vec<Step>) = foreseen.into_iter().partition(is_retention);
        let Some(first) = planned.first() else { return steps };
        let subject = Subject {
            principal: Principal::BuiltIn { built_in: BuiltIn::Retention },
            context: self.subject.context.clone(),
        };
        let mut gate = Gate::new(
            Arc::clone(&self.host.policy),
            subject,
            self.log.clone(),
            Backend::Live(Arc::clone(&self.far), Recording::new(planned.clone())),
            Arc::clone(&self.audience),
            self.interrupt.clone(),
            self.host.config.limits.host_calls,
        )
        .following(first.seq.saturating_sub(1));
        for step in planned {
            let halt = gate.perform(step.operation.clone()).await.err();
            let done = gate.steps().last().filter(|done| done.seq == step.seq).cloned();
            let unreached = |halt: Option<Halt>| {
                let why = halt.map_or_else(String::new, |halt| halt.to_string());
                Step { pass: Pass::Live, outcome: Err(CallError::Other(why)), ..step.clone() }
            };
            let done = done.unwrap_or_else(|| unreached(halt));
            let stays = retention_part(&done).and_then(|part| part.message);
            if let Some(line) = stays.as_deref().and_then(|message| message.lines().next()) {
                self.audience.says(Pass::Live, &format!("old images stay: {line}"));
            }
            steps.push(done);
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;
    use crate::policy::Decision;
    use serde_json::{Value, json};

    const RAN: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn step(operation: Value, before: Option<Value>) -> Step {
        let operation: Operation = serde_json::from_value(operation).expect("an operation");
        Step {
            pass: Pass::Observing,
            seq: 1,
            kind: operation.kind(true),
            operation,
            verdict: Decision::permitted(Vec::new()),
            outcome: Ok(Answer::Done),
            before,
            desired: None,
            after: None,
            left: false,
            duration_ms: 0,
        }
    }

    /// The two changes of a deploy to `runtime`, in whose container `before` ran.
    fn deploy(runtime: &str, before: Option<&Value>) -> [Step; 2] {
        let artifact = json!({ "service": "shop", "commit": "a".repeat(40), "digest": null });
        let before = before.map(|container| json!({ "container": container }));
        [
            step(
                json!({ "operation": "image.deliver", "artifact": artifact, "runtime": runtime,
                    "name": "unidesk/shop" }),
                None,
            ),
            step(
                json!({ "operation": "compose.activate", "artifact": artifact, "runtime": runtime,
                    "delivered": "unidesk/shop", "service": "shop", "container": "shop-backend",
                    "stableNames": ["shop", "unidesk/shop"], "stamp": [] }),
                before,
            ),
        ]
    }

    fn told(steps: &[Step], kept: u32) -> Vec<Value> {
        operations(steps, kept).iter().map(|one| serde_json::to_value(one).expect("JSON")).collect()
    }

    #[test]
    fn what_is_deployed_and_what_ran_before_it_are_spared_under_every_name_once() {
        let ran = json!({ "commit": RAN, "image": "sha256:b" });
        let expected = json!({
            "operation": "host.retain", "runtime": "here", "names": ["unidesk/shop", "shop"], "keep": 5,
            "commits": ["a".repeat(40), RAN], "image": "sha256:b"
        });
        assert_eq!(told(&deploy("here", Some(&ran)), 5), [expected]);
    }

    #[test]
    fn what_ran_before_is_known_by_its_image_where_that_says_no_commit() {
        let ran = json!({ "commit": null, "image": "sha256:b" });
        let [one] = told(&deploy("here", Some(&ran)), 5).try_into().expect("one");
        assert_eq!((&one["commits"], &one["image"]), (&json!(["a".repeat(40)]), &json!("sha256:b")));
    }

    #[test]
    fn two_stay_at_least_in_each_runtime_and_without_a_change_nothing_is_done() {
        let both = [deploy("here", None), deploy("there", None)].concat();
        let keeps: Vec<Value> =
            told(&both, 0).iter().map(|one| json!([one["runtime"], one["keep"]])).collect();
        assert_eq!(keeps, [json!(["here", 2]), json!(["there", 2])]);
        assert_eq!(told(&[], 5), [Value::Null; 0]);
    }
}
