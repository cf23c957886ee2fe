//! `host registry render`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::file::write_whole;
use crate::installation::{File, Rendered};
use crate::report::SCHEMA;

/// Show the files that the registry is installed with in full, with their SHA-256
///
/// The same configuration gives the same bytes. Nobody is asked anything.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host registry render
  host registry render --out rendered && systemd-analyze verify rendered/*.service
  host registry render --output json | jq -r '.files[] | .sha256 + \"  \" + .path'")]
pub struct RenderArgs {
    /// Write them into this folder, too; files of the same name are replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What `host registry render` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryRender {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Exit code 0.
    ok: bool,
    /// Each file, in the order in which an install writes them.
    files: Vec<RenderedFile>,
}

/// A file of the installation.
#[derive(Serialize, JsonSchema)]
struct RenderedFile {
    /// What it is: `config`, `compose` or `unit`.
    name: &'static str,
    /// Where, on the registry's machine.
    path: PathBuf,
    /// Of its content, as `sha256sum` prints it.
    sha256: String,
    /// All of it.
    content: String,
    /// Where it was written now; nothing where that was not asked for.
    written: Option<PathBuf>,
}

pub fn run(args: &RenderArgs, global: &Global) -> Result<u8, Fault> {
    let config = global.config()?;
    let rendered = Rendered::new(&config.registry.installation);
    let file = |(name, file): (&'static str, &File)| {
        let written = args.out.as_deref().map(|folder| write(folder, file)).transpose()?;
        Ok(RenderedFile {
            name,
            path: file.path.clone(),
            sha256: file.sha256(),
            content: file.content.clone(),
            written,
        })
    };
    let files = rendered.files().into_iter().map(file).collect::<Result<Vec<_>, Fault>>()?;
    match global.output {
        Output::Json => print_json(&RegistryRender { schema_version: SCHEMA, ok: true, files })?,
        Output::Text => print(&text(&files))?,
    }
    Ok(0)
}

/// A file that is there whole or not at all.
fn write(folder: &Path, file: &File) -> Result<PathBuf, Fault> {
    let name = file.path.file_name().map_or(file.path.as_path(), Path::new);
    let path = folder.join(name);
    let written = std::fs::create_dir_all(folder).and_then(|()| write_whole(&path, file.content.as_bytes()));
    written.map_err(|error| {
        Fault::usage(
            "registry-render",
            format!("{} cannot be written: {error}", path.display()),
            "name a folder that you may write to with --out",
        )
    })?;
    Ok(path)
}

fn text(files: &[RenderedFile]) -> String {
    let mut text = String::new();
    for RenderedFile { name, path, sha256, content, written } in files {
        let to = written.as_ref().map(|path| format!(", written to {}", path.display())).unwrap_or_default();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "==> {name}: {} (sha256 {sha256}){to}\n{content}", path.display());
    }
    text
}
