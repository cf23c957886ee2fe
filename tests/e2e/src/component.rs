//! Components made by hand, for what a compiler would not write.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a module of `tests/guests/raw` imports.
const IMPORTS: &str = r#"
(import "deploy:consumer/registry@0.1.0" "resolve" (func $resolve (param i32 i32 i32 i32 i32 i32 i32)))
(import "deploy:consumer/registry@0.1.0" "[resource-drop]artifact" (func $drop (param i32)))
(import "deploy:consumer/image@0.1.0" "deliver" (func $deliver (param i32 i32 i32 i32)))
(import "deploy:consumer/log@0.1.0" "info" (func $info (param i32 i32)))
"#;

/// What a module has where it does not say otherwise, each with the words that it would say it in: a descriptor at 1024 of
/// a service `raw` for `prod`, an outcome `deployed` at 1200, and memory that is given out from the second page on.
const DEFAULTS: [(&str, &str); 4] = [
    ("(export \"memory\")", "(memory (export \"memory\") 2)"),
    (
        "\"cabi_realloc\"",
        r#"(global $free (mut i32) (i32.const 65536))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
  (global.set $free (i32.add (local.get $at) (local.get 3)))
  (local.get $at))"#,
    ),
    (
        "plugin@0.1.0#describe\"",
        r#"(func (export "deploy:consumer/plugin@0.1.0#describe") (result i32) (i32.const 1024))"#,
    ),
    (
        "\"deploy:consumer/plugin@0.1.0#deploy\"",
        r#"(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 1200))"#,
    ),
];

/// The words that the default descriptor points to.
const DATA: &str = r#"
(data (i32.const 2048) "raw" "1" "prod" "main-server" "main-server-compose")
(data (i32.const 1024)
  "\00\08\00\00" "\03\00\00\00"  "\03\08\00\00" "\01\00\00\00"
  "\00\08\00\00" "\03\00\00\00"  "\00\00\00\00" "\00\00\00\00" "\00\00\00\00"  "\00\08\00\00" "\03\00\00\00"
  "\4c\04\00\00" "\01\00\00\00")
(data (i32.const 1100)
  "\04\08\00\00" "\04\00\00\00"  "\13\08\00\00" "\13\00\00\00"  "\08\08\00\00" "\0b\00\00\00"
  "\00\00\00\00" "\00\00\00\00"  "\00\00\00\00" "\00\00\00\00")
"#;

/// A component that fits the contract, of a module written as text; what the text leaves out is as in [`DEFAULTS`].
#[must_use]
pub fn raw(text: &str) -> Vec<u8> {
    let defaults = DEFAULTS.iter().filter(|(words, _)| !text.contains(words)).map(|(_, default)| *default);
    let fields = defaults.collect::<Vec<_>>().join("\n");
    let mut module = wat::parse_str(format!("(module {IMPORTS} {fields} {text} {DATA})")).expect("a module");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(lab::paths::root().join("wit")).expect("the contract");
    let world = resolve.select_world(&[package], Some("consumer")).expect("its world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&module).and_then(ComponentEncoder::encode).expect("a component")
}

/// `component` with `instances` more instances of `module` in it; a component is a list of sections.
#[must_use]
pub fn with_instances(component: &[u8], module: &[u8], instances: u32) -> Vec<u8> {
    let index = modules(component);
    let instance = [&[0], leb(index).as_slice(), &[0]].concat();
    let all: Vec<u8> = std::iter::repeat_n(instance, instances as usize).flatten().collect();
    let mut bytes = component.to_vec();
    bytes.extend(section(1, module));
    if instances > 0 {
        bytes.extend(section(2, &[leb(instances), all].concat()));
    }
    bytes
}

/// A module of `functions` functions that each have `body`, instructions without locals and without the end.
#[must_use]
pub fn functions(functions: u32, body: &[u8]) -> Vec<u8> {
    let body = [&[0], body, &[0x0b]].concat();
    let code = [leb(u32::try_from(body.len()).expect("a small body")), body].concat();
    let codes: Vec<u8> = std::iter::repeat_n(code, functions as usize).flatten().collect();
    let types = vec![0; functions as usize];
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[leb(functions), types].concat()),
        section(10, &[leb(functions), codes].concat()),
    ]
    .concat()
}

/// `bytes` with every `old` replaced by a `new` of the same length, which keeps a component well formed.
#[must_use]
pub fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old.as_bytes()) {
        bytes[at + found..at + found + old.len()].copy_from_slice(new.as_bytes());
        at += found + old.len();
    }
    bytes
}

/// The modules of `tests/guests/raw` by name.
#[must_use]
pub fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the raw guests")
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().trim_end_matches(".wat").to_owned();
            (name, std::fs::read_to_string(entry.path()).expect("a raw guest"))
        })
        .collect();
    found.sort();
    found
}

/// How many modules a component has.
fn modules(component: &[u8]) -> u32 {
    let (mut rest, mut modules) = (&component[8..], 0);
    while let Some((id, after)) = rest.split_first() {
        let (mut size, mut shift, mut at) = (0_usize, 0, 0);
        loop {
            size |= usize::from(after[at] & 0x7f) << shift;
            shift += 7;
            at += 1;
            if after[at - 1] & 0x80 == 0 {
                break;
            }
        }
        modules += u32::from(*id == 1);
        rest = &after[at + size..];
    }
    modules
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(u32::try_from(content.len()).expect("a section")).as_slice(), content].concat()
}

fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}
