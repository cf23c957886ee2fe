//! What `wit/` says, as Rust. Generated; the only place that knows the generator.

#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "generated from wit/, whose comments are the documentation"
)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "consumer",
    imports: { default: trappable },
    trappable_error_type: { "deploy:consumer/types.error" => crate::capability::Refusal },
    with: { "deploy:consumer/registry.artifact": crate::artifact::Artifact },
});
