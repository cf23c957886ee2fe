//! One at a time: two test runs of one checkout, or two demos, would use the same folders and names.

use std::fs::{File, TryLockError};

use crate::{Error, Result, Say, paths};

/// Held for as long as this value lives; the system releases it too when the program dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for its turn among those who take the lock of this name, after saying so.
    pub fn take(name: &str, say: Say) -> Result<Self> {
        let path = paths::target()?.join(format!("{name}.lock"));
        let io = || Error::io(format!("lock {}", path.display()));
        let file = File::create(&path).map_err(io())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say("waiting for another one of this checkout to end");
                file.lock().map_err(io())?;
            }
            Err(TryLockError::Error(source)) => return Err(io()(source)),
        }
        Ok(Self { _file: file })
    }
}
