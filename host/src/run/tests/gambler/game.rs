//! One guest: how it is planned and run, and what must hold of that.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::super::request;
use super::Counts;
use super::dice::Dice;
use super::table::Table;
use super::world::{self, Drawn, Seen, Wheel};
use crate::approval::Counted;
use crate::canonical;
use crate::journal::OperationRow;
use crate::names::{Commit, Digest};
use crate::plan::{Plan, ServicePlan};
use crate::policy::Approvers;
use crate::report::{Decision, Mode, Report};
use crate::run::{Agreed, OnFailure, Request};

fn is_undo(row: &OperationRow) -> bool {
    row.operation["operation"] == "host.undo"
}

/// What a plugin was told by an operation that has ended.
fn told(row: &OperationRow) -> Option<&Value> {
    row.step.as_ref().map(|step| &step["outcome"])
}

/// One guest: planned in one world, run in another.
pub struct Game<'a> {
    table: &'a Table,
    request: Request,
    /// For a person who looks for it again.
    name: String,
    worlds: [Drawn; 2],
}

impl<'a> Game<'a> {
    pub fn drawn(table: &'a Table, number: usize) -> Self {
        let digest = Digest::of(format!("guest {number}").as_bytes()).to_string();
        let commit = digest.trim_start_matches("sha256:")[..40].to_owned();
        let mut dice = Dice::new(&format!("worlds of {commit}"));
        let [seed, other] = [(); 2].map(|()| dice.roll(usize::MAX));
        let turns = dice.once_in(4).then(|| dice.roll(16));
        let planned = Drawn { seed, other, otherwise: None, turns: None, remembers: dice.once_in(4) };
        let then = match dice.roll(6) {
            0..=3 => Drawn { turns, ..planned.clone() },
            4 => Drawn { otherwise: Some(10), turns, ..planned.clone() },
            _ => Drawn { seed: other, other: seed, ..planned.clone() },
        };
        let on_failure = if dice.once_in(2) { OnFailure::Rollback } else { OnFailure::Leave };
        let name = format!("guest {number} ({commit}) in {then:?}");
        let commit = Commit::parse(&commit).expect("a commit");
        let request = Request { commit, on_failure, ..request(Mode::Plan) };
        Self { table, request, name, worlds: [planned, then] }
    }

    pub async fn play(&self) -> Counts {
        let [planned, then] = self.worlds.each_ref().map(|drawn| Arc::new(Wheel::new(drawn.clone())));
        let request = Request { keep: true, ..self.request.clone() };
        let done = self.table.run(&request, None, &planned).await;
        let seen = planned.seen().clone();
        assert!(seen.changes.is_empty() && seen.undone.is_empty(), "{}: a plan changes nothing", self.name);
        let denied = usize::from(done.report.decision == Decision::Denied);

        let agreed = done.plan.map(|plan| self.kept(*plan));
        let live = Request { mode: Mode::Live, ..self.request.clone() };
        let report = self.table.run(&live, agreed.as_ref(), &then).await.report;
        let counts = self.judged(&report, agreed.as_ref(), &then.seen());
        Counts { guests: 1, denied, planned: usize::from(agreed.is_some()), ..counts }
    }

    /// The plan as a later run has it: from a file, and approved.
    fn kept(&self, plan: ServicePlan) -> Agreed {
        let file = self.table.folder.path().join("one.plan");
        let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
        let name = Plan::new(vec![plan], expires).write(&file).expect("a plan");
        let (mut plan, read) = Plan::read(&file).expect("the plan");
        assert_eq!(name, read, "{}", self.name);
        let mut approvers = Approvers::default();
        approvers.add("operator", "another".to_owned());
        let vouched = BTreeSet::from(["another".to_owned()]);
        let counted = Counted { requester: None, approvers, vouched };
        Agreed::saved(&name, plan.services.remove(0), counted)
    }

    /// Holds what reached the far side against what the run was bound to.
    fn judged(&self, report: &Report, agreed: Option<&Agreed>, seen: &Seen) -> Counts {
        let name = &self.name;
        let (first, live) = self.table.written(report);
        let mut before = 0;
        for (seq, change) in &seen.changes {
            assert!(before < *seq, "{name}: step {seq} was done twice, or late");
            before = *seq;
            let planned = first.get(seq).unwrap_or_else(|| panic!("{name}: step {seq} was not planned"));
            let form = |operation: &Value| canonical::json(operation).expect("JSON");
            assert_eq!(*change, form(&planned.operation), "{name}: step {seq}");
            assert_eq!(planned.verdict["allowed"], true, "{name}: step {seq} was not permitted");
            let written = live.get(seq).map(|row| &row.operation);
            assert_eq!(written, Some(&planned.operation), "{name}: step {seq} was not written down");
            // The host's own steps are no part of what is held against a saved plan.
            let saved = agreed.and_then(|agreed| agreed.recording().step(*seq));
            if let Some(saved) = saved {
                assert_eq!(*change, world::form(&saved.operation), "{name}: step {seq} of the file");
                assert!(saved.verdict.allowed, "{name}: step {seq} of the file");
            }
            let of_plugin = planned.operation["operation"] != "host.retain";
            assert!(agreed.is_none() || !of_plugin || saved.is_some(), "{name}: step {seq} of no file");
        }
        self.undone(seen);

        // Every answer that was another one than in the pass that it is bound to.
        let own = || live.values().filter(|row| !is_undo(row));
        let differs = |row: &&OperationRow| told(row) != first.get(&row.seq).and_then(told);
        let otherwise = own().find(differs).map(|row| row.seq);
        let diverged = report.decision == Decision::Diverged;
        let refused = own().next_back().filter(|_| diverged).map(|row| row.seq);
        assert_eq!(diverged, refused.is_some(), "{name}: nothing was refused");
        for row in own() {
            let planned = first.get(&row.seq).map(|row| &row.operation);
            let fits = planned == Some(&row.operation);
            assert_eq!(fits, refused != Some(row.seq), "{name}: step {} of {refused:?}", row.seq);
        }
        if let Some(refused) = refused {
            assert!(before < refused, "{name}: step {before} was done after {refused} was refused");
            let cause = otherwise.is_some_and(|seq| seq < refused);
            assert!(cause, "{name}: was told the same, and step {refused} was refused");
        }
        if matches!(report.decision, Decision::Denied | Decision::Blocked | Decision::Unsupported) {
            assert_eq!(seen.changes, [], "{name}: {:?}", report.decision);
        }
        let changes = seen.changes.len();
        Counts {
            changes,
            several: usize::from(changes > 1),
            undone: seen.undone.len(),
            diverged: usize::from(diverged),
            diverged_late: usize::from(diverged && changes > 0),
            stale: usize::from(report.decision == Decision::Stale),
            told_the_same: usize::from(changes > 0 && otherwise.is_none()),
            ..Counts::default()
        }
    }

    /// Only what was done is taken back, once, and only where that was asked for.
    fn undone(&self, seen: &Seen) {
        let mut done: Vec<&String> = seen.changes.iter().map(|(_, change)| change).collect();
        for undone in &seen.undone {
            let at = done.iter().position(|change| *change == undone);
            done.remove(at.unwrap_or_else(|| panic!("{}: {undone} was not done", self.name)));
        }
        let asked = self.request.on_failure == OnFailure::Rollback;
        assert!(asked || seen.undone.is_empty(), "{}: taken back", self.name);
    }
}
