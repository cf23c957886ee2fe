//! `host`: a WebAssembly-plugin host for deploy consumers.
//!
//! Imports run one way: commands → (run, report, engine) → capability → gate → backend.

pub mod access;
pub mod answer;
pub mod approval;
pub mod artifact;
pub mod backend;
pub mod canonical;
pub mod capability;
pub mod commands;
pub mod config;
pub mod console;
pub mod diagnosis;
pub mod doctor;
pub mod engine;
pub mod fault;
mod file;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod gate;
pub mod identity;
pub mod installation;
pub mod inventory;
pub mod journal;
mod leaves;
pub mod lock;
pub mod names;
pub mod operation;
pub mod plan;
pub mod policy;
pub mod progress;
pub mod provenance;
pub mod recording;
pub mod report;
pub mod run;
pub mod step;
pub mod timing;
mod unique;
pub mod who;
pub mod words;
