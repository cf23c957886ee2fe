//! A value, and how little can be done with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use zeroize::Zeroizing;

/// The value of a secret. It can be counted, and inside of the backend brought to where it is synchronised; not printed,
/// and not written down. Its memory is wiped when it is dropped.
#[derive(Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

/// Values by key.
pub type Values = BTreeMap<String, Secret>;

impl Secret {
    /// In bytes.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// The value itself.
    pub(in crate::backend) fn text(&self) -> &str {
        &self.0
    }

    /// Whether both are the same.
    pub(in crate::backend) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}
