//! A JSON object whose keys must differ. Serde's own maps keep the last of two equal keys and say nothing, so half a
//! block could vanish unseen.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Its entries, in the order of the file.
pub struct Unique<K, V>(pub Vec<(K, V)>);

impl<'de, K: Deserialize<'de> + Clone + Ord, V: Deserialize<'de>> Deserialize<'de> for Unique<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de> + Clone + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = Unique<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut entries, mut known) = (Vec::new(), BTreeSet::new());
        while let Some(key) = map.next_key::<K>()? {
            if !known.insert(key.clone()) {
                return Err(A::Error::custom("this key is here for the second time"));
            }
            entries.push((key, map.next_value()?));
        }
        Ok(Unique(entries))
    }
}
