//! What a component may have in it, whatever its size. The compiler knows no bounds: it holds one function at a time, and
//! books about all of them, and takes a thousand times the bytes of a function for it (measured).

use wasmparser::{Parser, Payload};

use crate::config::Limits;

/// Why a component is not compiled.
#[derive(Debug, PartialEq, Eq)]
pub enum Oversized {
    /// In words, with the key and the limit.
    Limit(String),
    /// It cannot be read.
    Malformed(String),
}

/// Holds all modules of a component together to the limits.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), Oversized> {
    let mut functions = 0_u64;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| Oversized::Malformed(error.to_string()))? {
            Payload::CodeSectionStart { count, .. } => {
                functions = functions.saturating_add(u64::from(count));
                if functions > limits.functions {
                    return Err(Oversized::Limit(format!(
                        "it has more than {} functions (limits.functions)",
                        limits.functions
                    )));
                }
            }
            Payload::CodeSectionEntry(body) if body.range().len() > limits.function_bytes => {
                return Err(Oversized::Limit(format!(
                    "one of its functions has {} bytes, limits.function-bytes allows {}",
                    body.range().len(),
                    limits.function_bytes
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
