//! What the owner of a service needs to write a plugin: one trait, one macro, the shapes ready made.
//!
//! A plugin is facts and exceptions. It can do nothing by itself: every function of [`contract`] is a question to the
//! host, which decides, writes down and acts. It never learns which pass it is in; where nothing was asked, the answer is
//! none, and a plugin goes on as if it were well.

pub mod contract;
mod failure;
mod gate;
pub mod shape;

pub use contract::deploy::consumer::types::{Check, Expectation, Literal};
pub use contract::exports::deploy::consumer::plugin::{
    Descriptor, Ending, Environment, Guest, Outcome, Request, Source,
};
pub use failure::{Failure, unlike, verified};
pub use gate::{hold, only_validates, require_approval, require_outside, require_pinned, require_secrets};

/// The knowledge of one service.
pub trait Plugin {
    /// Its id, which is also the name of the component's file.
    const SERVICE: &'static str;

    /// Where its artifact comes from.
    fn source() -> Source;

    /// Where it can be deployed; the host refuses every other environment before the plugin runs.
    fn environments() -> Vec<Environment>;

    /// Deploys `request.commit`, in whichever pass.
    ///
    /// # Errors
    /// A [`Failure`], which `?` makes of every error of the contract.
    fn deploy(request: &Request) -> Result<(), Failure>;
}

/// Makes a component of a type that implements [`Plugin`]. Its version is that of the crate.
#[macro_export]
macro_rules! register {
    ($plugin:ty) => {
        struct Component;

        impl $crate::Guest for Component {
            fn describe() -> $crate::Descriptor {
                $crate::Descriptor {
                    service: <$plugin as $crate::Plugin>::SERVICE.to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    source: <$plugin as $crate::Plugin>::source(),
                    environments: <$plugin as $crate::Plugin>::environments(),
                }
            }

            fn deploy(request: $crate::Request) -> $crate::Outcome {
                match <$plugin as $crate::Plugin>::deploy(&request) {
                    Ok(()) => $crate::Outcome::Deployed,
                    Err(failure) => failure.into(),
                }
            }
        }

        $crate::contract::export!(Component with_types_in $crate::contract);
    };
}
