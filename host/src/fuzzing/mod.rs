//! What must hold whatever comes in. Every function takes any bytes and panics where a rule is broken: `cargo xtask fuzz`
//! looks for such bytes, and the tests here feed each function the ones that are kept in `tests/fuzz/corpus`.
//!
//! A function stands beside what it feeds, in a module `fuzzing` of its own: nothing is more visible because of it.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a panic is how a broken rule is told, to libFuzzer and to a test"
)]

mod generate;
mod plan;
mod recording;

pub use self::plan::plan;
pub use self::recording::recording;
pub use crate::backend::live::fuzzing::{
    compose_config, compose_said, env_file, health, image_config, manifest, secrets,
};
pub use crate::config::fuzzing::host_toml;

/// A function by the name of its target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target: a file in `tests/fuzz/fuzz_targets` and a folder in `tests/fuzz/corpus` each.
pub const TARGETS: [Target; 10] = [
    ("compose_config", compose_config),
    ("compose_said", compose_said),
    ("env_file", env_file),
    ("health", health),
    ("host_toml", host_toml),
    ("image_config", image_config),
    ("manifest", manifest),
    ("plan", plan),
    ("recording", recording),
    ("secrets", secrets),
];

/// Between the parts of an input that has several: a line of its own, so that a person can read and write them.
const BETWEEN: &[u8] = b"\n---\n";

/// The part of an input before the first line `---`, and what follows that.
pub(crate) fn parted(input: &[u8]) -> (&[u8], &[u8]) {
    match input.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        // The line end belongs to the part that it ends.
        Some(at) => (&input[..=at], &input[at + BETWEEN.len()..]),
        None => (input, b""),
    }
}

/// One line that can be shown to anybody: nothing in it moves a cursor or turns a direction, and it is no longer than
/// `longest` characters.
pub(crate) fn assert_presentable(text: &str, longest: usize) {
    assert!(text.chars().count() <= longest, "{} characters: {text:?}", text.chars().count());
    for c in text.chars() {
        let shows = matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1;
        assert!(shows, "{c:?} reaches the terminal: {text:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz").join(name)
    }

    /// Sorted.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries =
            std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files
    }

    fn names(folder: &Path) -> Vec<String> {
        let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
        files(folder).into_iter().filter_map(stem).collect()
    }

    #[test]
    fn what_was_kept_of_every_target_holds() {
        for (name, target) in TARGETS {
            let kept = files(&folder("corpus").join(name));
            assert!(!kept.is_empty(), "{name} begins with nothing");
            for path in kept {
                println!("{}", path.display());
                target(&std::fs::read(&path).expect("readable"));
            }
        }
    }

    #[test]
    fn every_target_is_one_of_cargo_fuzz() {
        let all: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names(&folder("fuzz_targets")), all);
        assert_eq!(names(&folder("corpus")), all);
        let manifest = std::fs::read_to_string(folder("Cargo.toml")).expect("a manifest");
        for name in all {
            let code =
                std::fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).expect(name);
            let whole = format!(
                "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|input: &[u8]| host::fuzzing::{name}(input));\n"
            );
            assert_eq!(code, whole);
            assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "{name} is no program");
        }
    }

    #[test]
    fn an_input_has_two_parts() {
        assert_eq!(
            parted(b"A=1\n---\nsaid\n---\nmore"),
            (b"A=1\n".as_slice(), b"said\n---\nmore".as_slice())
        );
        assert_eq!(parted(b"--- A=1"), (b"--- A=1".as_slice(), b"".as_slice()));
    }

    #[test]
    fn what_moves_a_cursor_is_not_presentable() {
        assert_presentable("\"é日\" it's\\n", 20);
        for bad in ["a\nb", "\u{1b}[2J", "\u{202e}", "e\u{301}", "longer than twenty characters"] {
            std::panic::catch_unwind(|| assert_presentable(bad, 20)).expect_err(bad);
        }
    }
}
