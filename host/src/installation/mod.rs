//! The registry's own life on its machine: systemd → Docker Compose → CNCF Distribution (specification, "Architecture").
//! What it should look like there is rendered from the configuration, and what is there is held against that.

mod difference;
mod outline;
pub mod query;
mod render;
mod standing;
mod state;
#[cfg(test)]
mod tests;

pub use outline::{Outline, Part, Places};
pub use query::Observed;
pub use render::{File, HEADER, Rendered};
pub use standing::{Check, Scope, Standing, Verdict};
pub use state::{Action, State, Verb};
