//! A value, and how little can be done with it.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// The value of a secret. It can be counted and nothing else: not printed, compared, copied or written down. Its memory is
/// wiped when it is dropped.
pub struct Secret(Zeroizing<String>);

/// Values by key.
pub type Values = BTreeMap<String, Secret>;

impl Secret {
    /// In bytes.
    pub fn length(&self) -> usize {
        self.0.len()
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}
