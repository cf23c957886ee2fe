//! The part of the sample service that those who make images of it share with it.

mod behaviour;

pub use behaviour::Behaviour;
