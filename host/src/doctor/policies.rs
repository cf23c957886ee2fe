//! Whether the policies load, and whether their own tests pass.

use crate::config::Config;
use crate::diagnosis::Finding;
use crate::fault::Fault;
use crate::policy::testing;

/// Most failed tests that are shown.
const SHOWN: usize = 5;

/// `broken` is why they did not load, if they did not.
pub fn look(config: &Config, broken: Option<&Fault>) -> Vec<Finding> {
    if let Some(fault) = broken {
        return vec![Finding::problem(&fault.message, &fault.help)];
    }
    let shown = config.policies.display();
    let outcomes = match testing::run(&config.policies) {
        Ok(outcomes) => outcomes,
        Err(fault) if fault.code == "policy-tests-missing" => {
            return vec![Finding::ok(shown.to_string()), Finding::warning(fault.message, fault.help)];
        }
        Err(fault) => return vec![Finding::problem(fault.message, fault.help)],
    };
    let failed: Vec<_> = outcomes.iter().filter_map(|one| Some((one, one.failure.as_deref()?))).collect();
    let mut findings = vec![Finding::ok(format!("{shown}, {} tests pass", outcomes.len() - failed.len()))];
    findings.extend(failed.iter().take(SHOWN).map(|(test, failure)| {
        Finding::problem(
            format!("the policy test {:?} of {} fails: {failure}", test.name, test.file),
            "mend the rule, or the test if the rule is meant so",
        )
    }));
    if failed.len() > SHOWN {
        let more = failed.len() - SHOWN;
        findings.push(Finding::problem(format!("{more} more policy tests fail"), "mend these first"));
    }
    findings
}
