//! A security key that nobody has to touch: OpenSSH's own, from the package of its tests.

use std::path::PathBuf;

use crate::{Error, Result, Say, debian, paths};

/// The package.
const PACKAGE: &str = "openssh-tests";
/// The library in it that stands for a key (`SSH_SK_PROVIDER`, ssh-keygen(1) `-w`).
const LIBRARY: &str = "usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// Unpacks the package, once; it is never installed.
pub fn prepare(say: Say) -> Result<()> {
    if !debian::has_apt() {
        return Err(Error::Missing {
            what: "a security key",
            why: format!("it is in Debian's package {PACKAGE}, and there is no apt-get"),
            remedy: "run this on Debian".to_owned(),
        });
    }
    debian::unpack(PACKAGE, &unpacked()?, say)
}

/// The library that `ssh-keygen` talks to in place of a device; [`prepare`] was called before.
pub fn provider() -> Result<PathBuf> {
    Ok(unpacked()?.join(LIBRARY))
}

fn unpacked() -> Result<PathBuf> {
    let version = debian::candidate(PACKAGE).unwrap_or_default().replace([':', '~', '+'], "-");
    Ok(paths::cache()?.join(format!("{PACKAGE}-{version}")))
}
