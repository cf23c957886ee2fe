//! Local files that hold secrets.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::LARGEST;
use crate::file::open_regular;
use crate::words;

/// What its group or anybody may do with a file, but for running it.
const OTHERS: u32 = 0o066;

/// A file, read whole.
pub struct Local {
    /// Wiped when dropped.
    pub content: Zeroizing<Vec<u8>>,
    /// Whether others have access to it, and what to do about that.
    pub warning: Option<String>,
}

/// Reads the file at `path`. A link is followed: whoever names a file in the configuration decides where it is.
///
/// # Errors
/// In words; without anything that is in the file.
pub fn read(path: &Path) -> Result<Local, String> {
    let (file, metadata) =
        open_regular(path, OFlags::CLOEXEC).map_err(|error| format!("it cannot be opened: {error}"))?;
    // All of it at once: a buffer that grows leaves copies behind.
    let length = usize::try_from(metadata.len().min(LARGEST)).unwrap_or_default();
    let mut content = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(LARGEST + 1)
        .read_to_end(&mut content)
        .map_err(|error| format!("it cannot be read: {error}"))?;
    if content.len() as u64 > LARGEST {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let warning = (mode & OTHERS != 0).then(|| {
        let path = words::shell(&path.display().to_string());
        format!("other users have access to it (mode {mode:o}): `chmod 600 {path}`")
    });
    Ok(Local { content, warning })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn access_of_others_is_worth_a_warning_and_no_refusal() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it's.env");
        std::fs::write(&path, "A=1\n").expect("a file");
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o602, true)] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
            let local = read(&path).expect("read all the same");
            assert_eq!(local.content.as_slice(), b"A=1\n");
            assert_eq!(local.warning.is_some(), warned, "{mode:o}");
            if let Some(warning) = local.warning {
                assert!(
                    warning.contains(&format!("(mode {mode:o})")) && warning.contains(r"it'\''s.env'"),
                    "{warning}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_file_of_a_sensible_size_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let error = |path: &Path| read(path).map(|_| ()).expect_err("refused");
        assert!(error(&path).contains("cannot be opened: No such file"), "{}", error(&path));
        assert!(error(folder.path()).contains("no regular file"));
        crate::file::testing::pipe(&path);
        assert!(error(&path).contains("no regular file"), "and nothing waited for a writer");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, vec![b'\n'; 1 << 20]).expect("a file");
        assert!(read(&path).is_ok());
        std::fs::write(&path, vec![b'\n'; (1 << 20) + 1]).expect("a file");
        assert_eq!(error(&path), "it is larger than 1 MiB");
    }
}
