//! `host policy test`.

use std::fmt::Write;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::FolderArgs;
use crate::commands::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::policy::testing::{self, Outcome};
use crate::report::SCHEMA;

/// Run the data tests beside the policies
///
/// Each case of tests/*.json says what must be permitted or denied, and by which rules; one that fails shows what was
/// expected, what came, and why. Ends with code 0, or 1 where a case fails.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host policy test
  host policy test policies --output json | jq '.cases[] | select(.failure)'")]
pub struct TestArgs {
    #[command(flatten)]
    folder: FolderArgs,
}

/// What `host policy test` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTest {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Every case passed.
    ok: bool,
    /// The policy folder.
    folder: String,
    /// How many cases passed.
    passed: usize,
    /// How many did not.
    failed: usize,
    /// Every case, in the order of the files.
    cases: Vec<Outcome>,
}

pub fn run(args: &TestArgs, global: &Global) -> Result<u8, Fault> {
    let folder = args.folder.or(global.config()?.policies);
    let cases = testing::run(&folder)?;
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    let answer = PolicyTest {
        schema_version: SCHEMA,
        ok: failed == 0,
        folder: folder.display().to_string(),
        passed: cases.len() - failed,
        failed,
        cases,
    };
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => print(&text(&answer))?,
    }
    Ok(u8::from(!answer.ok))
}

fn text(answer: &PolicyTest) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, answer);
    out
}

fn write_text(out: &mut String, answer: &PolicyTest) -> std::fmt::Result {
    for file in answer.cases.chunk_by(|one, other| one.file == other.file) {
        file.first().map_or(Ok(()), |first| writeln!(out, "{}", first.file))?;
        for case in file {
            let mark = if case.failure.is_none() { "✓" } else { "✗" };
            writeln!(out, "  {mark} {}", case.name)?;
            let lines = case.failure.iter().flat_map(|failure| failure.lines());
            lines.into_iter().try_for_each(|line| writeln!(out, "      {line}"))?;
        }
    }
    writeln!(out, "\n{} passed, {} failed", answer.passed, answer.failed)
}
