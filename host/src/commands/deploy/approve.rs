//! `host deploy approve`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use jiff::{SignedDuration, Timestamp};

use super::plan::lasting;
use crate::approval::{Approvals, Statement};
use crate::backend::live::signing;
use crate::commands::{Global, print, print_own};
use crate::console;
use crate::fault::Fault;
use crate::names::ConfigName;
use crate::plan::Plan;

/// Longest comment, in characters.
const LONGEST: usize = 500;

/// Sign that a plan of one service may be applied; `host deploy show` shows what that is
///
/// Statement and signature become files beside the plan. Whoever applies it holds them against [approvals] in host.toml: the
/// signer has to have the role, and has to be somebody else than whoever asked for the plan.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host deploy approve code-queue.plan --role supervisor --key ~/.ssh/id_ed25519
  host deploy approve code-queue.plan --role supervisor --print > code-queue.plan.supervisor-1.json
  ssh-keygen -Y sign -n host-approval -f ~/.ssh/id_ed25519 code-queue.plan.supervisor-1.json")]
pub struct ApproveArgs {
    /// The plan that `host deploy plan --out` wrote
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// As what: supervisor, operator; outside says that it is applied from outside of what it deploys, where that does not show
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// Key to sign with: a private key, or the public one of a key in an agent
    #[arg(long, value_name = "KEY", required_unless_present = "print")]
    key: Option<PathBuf>,
    /// Only print what is to be signed
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "key")]
    print: bool,
    /// How long it counts: 24h, 90m
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = lasting)]
    expires_in: SignedDuration,
    /// What whoever reads it later should know
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
}

pub async fn run(args: &ApproveArgs, global: &Global) -> Result<u8, Fault> {
    let config = global.config()?;
    let role = ConfigName::parse(&args.role).map_err(|error| {
        Fault::usage(
            "usage",
            format!("--role: {error}"),
            "a role is one of [approvals] in host.toml: supervisor",
        )
    })?;
    if args.comment.chars().count() > LONGEST || args.comment.chars().any(char::is_control) {
        let what = format!("--comment: at most {LONGEST} characters on one line");
        return Err(Fault::usage("usage", what, "say it shorter"));
    }
    let (plan, name) = Plan::read(&args.plan)?;
    let now = Timestamp::now();
    let beside = |now| Approvals::of(&args.plan, &name, plan.services.len(), &config.approvals, now);
    let requester = beside(now).await?.counted.requester;
    let expires = now.saturating_add(args.expires_in).unwrap_or(now);
    let statement = Statement::new(&name, role, requester, expires, args.comment.clone())?;
    let Some(key) = args.key.as_deref() else {
        print_own(&statement.text()?)?;
        return Ok(0);
    };
    let file = signed(&statement, &args.plan, key).await?;
    let shown = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let refused = beside(now).await?.refused.into_iter().find(|(name, _)| *name == shown);
    if let Some((_, why)) = refused {
        remove(&file);
        return Err(Fault::denied(
            format!("the approval would not count, and was taken back: {why}"),
            "somebody approves who may ([approvals] in host.toml), of a plan of one service that was made with --key",
        ));
    }
    for one in &plan.services {
        print(&format!(
            "approved: {} → {}, commit {} ({})\n",
            one.service, one.environment, one.commit, statement.role
        ))?;
    }
    console::notice(&format!("wrote {} and its signature", file.display()));
    Ok(0)
}

/// Writes a statement beside its plan, and signs it; both are there, or neither.
pub(super) async fn signed(statement: &Statement, plan: &Path, key: &Path) -> Result<PathBuf, Fault> {
    let file = statement.file(plan);
    let text = statement.text()?;
    let written = std::fs::File::create_new(&file).and_then(|mut new| new.write_all(text.as_bytes()));
    written.map_err(|error| {
        Fault::usage(
            "approval",
            format!("{} cannot be written: {error}", file.display()),
            "the folder of the plan takes the statements about it",
        )
    })?;
    if let Err(why) = signing::sign(&file, key).await {
        remove(&file);
        return Err(Fault::usage(
            "approval",
            format!("{} cannot be signed with {}: {why}", file.display(), key.display()),
            "name a private key, or the public one of a key in an agent (`ssh-add -L`); a key with a passphrase belongs into an \
             agent",
        ));
    }
    Ok(file)
}

/// A statement that was not to be: what of it is there.
fn remove(file: &Path) {
    let mut signature = file.as_os_str().to_owned();
    signature.push(".sig");
    // What cannot be removed is no approval: it is not signed, or does not count.
    let _ = (std::fs::remove_file(file), std::fs::remove_file(Path::new(&signature)));
}
