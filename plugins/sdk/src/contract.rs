//! What `wit/` says, as Rust. Generated.

#![allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    reason = "generated from wit/"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "consumer",
    pub_export_macro: true,
    default_bindings_module: "plugin_sdk::contract",
});
