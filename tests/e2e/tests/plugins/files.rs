//! Files in the place of a plugin that are none, or none that fits.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use e2e::component::{functions, replaced, with_instances};
use e2e::misbehaving::{Hostile, Row};
use e2e::{SERVICE, commit};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Puts a file to a path; gets the release's plugin.
type Put = fn(&Path, &[u8]);

/// A component larger than this is refused; the release's plugin has a tenth of it.
const LIMITS: &str = "component-bytes = 1000000\ncompile-seconds = 2";

/// `call 0`
const CALL: [u8; 2] = [0x10, 0];
/// `i32.const 0`, `if`, `end`
const BLOCK: [u8; 5] = [0x41, 0, 0x04, 0x40, 0x0b];

const FILES: &[(&str, Put)] = &[
    ("no file", |_, _| {}),
    ("a folder", |path, _| fs::create_dir(path).expect("a folder")),
    ("a named pipe", |path, _| {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    }),
    ("a device", |path, _| symlink("/dev/zero", path).expect("a link")),
    ("a link to nothing", |path, _| symlink("nowhere", path).expect("a link")),
    ("a link to itself", |path, _| symlink(path, path).expect("a link")),
    ("a link to the plugin", |path, good| {
        let other = path.with_extension("real");
        fs::write(&other, good).expect("a file");
        symlink(other, path).expect("a link");
    }),
    ("an empty file", |path, _| write(path, b"")),
    ("a script", |path, _| write(path, b"#!/bin/sh\n")),
    ("a program", |path, _| write(path, b"\x7fELF\x02\x01\x01")),
    ("a text of a component", |path, _| write(path, b"(component)")),
    ("random bytes", |path, _| write(path, &[b"\0asm\x0d\0\x01\0".as_slice(), &noise()].concat())),
    ("a module", |path, _| write(path, &functions(1, &[]))),
    ("an empty component", |path, _| write(path, b"\0asm\x0d\0\x01\0")),
    ("half of a plugin", |path, good| write(path, &good[..good.len() / 2])),
    ("a plugin without its last byte", |path, good| write(path, &good[..good.len() - 1])),
    ("a plugin and one byte more", |path, good| write(path, &[good, b"x"].concat())),
    ("another contract version", |path, good| write(path, &replaced(good, "@0.1.0", "@0.2.0"))),
    ("another export", |path, good| {
        write(path, &replaced(good, "consumer/plugin@0.1.0", "consumer/nilgup@0.1.0"));
    }),
    ("another function", |path, good| write(path, &replaced(good, "describe", "descrive"))),
    ("an import outside the contract", |path, good| {
        write(path, &replaced(good, "deploy:consumer/image@0.1.0", "wasi:clocks/wallclock@0.2.0"));
    }),
    ("an interface the contract has not", |path, good| {
        write(path, &replaced(good, "deploy:consumer/image@0.1.0", "deploy:consumer/egami@0.1.0"));
    }),
    ("larger than allowed", |path, good| write(path, &[good, &vec![0; 1_000_000]].concat())),
    ("thirty more instances", |path, good| write(path, &with_instances(good, &functions(1, &[]), 30))),
    ("100,000 functions", |path, good| write(path, &with_instances(good, &functions(100_000, &[]), 0))),
    ("a function of 200 kB", |path, good| {
        write(path, &with_instances(good, &functions(1, &CALL.repeat(100_000)), 0));
    }),
    ("what takes long to compile", |path, good| {
        let body = BLOCK.repeat(26_000);
        write(path, &with_instances(good, &functions(6, &body), 0));
    }),
];

/// A dry run with each.
pub fn rows() -> Vec<Row> {
    let good =
        fs::read(lab::paths::plugins().expect("target").join(format!("{SERVICE}.wasm"))).expect("the plugin");
    let hostile = Hostile::new(SERVICE, LIMITS);
    let commit = commit("any");
    let mut rows = Vec::new();
    for (name, put) in FILES {
        let path = hostile.file();
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        put(&path, &good);
        rows.push(hostile.attempt(name, "prod", &commit, &["--dry-run"]));
    }
    rows
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("a file");
}

/// The same noise each time (xorshift).
fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    (0..1000).flat_map(|_| next()).collect()
}
