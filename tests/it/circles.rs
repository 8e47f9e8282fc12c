//! No two modules of a crate depend on each other, directly or through others. A module is a file or a folder at the
//! top of the examined crate or folder.
//!
//! The test reads the sources as text: a module depends on another one if its code names it after `crate::` or
//! `super::`. Tests do not count: they may depend on every module.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tests::servers::checkout;

/// The modules that each module depends on, by name.
type Knows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_two_modules_of_the_domain_depend_on_each_other() {
    let modules = modules(&checkout().join("domain/src"), "lib");
    let is_module = |name: &String| modules.contains_key(name);
    let knows = modules.iter().map(|(module, code)| (module.clone(), names(code, "crate::"))).collect::<Knows>();
    // A name that the root re-exports would hide its module.
    let elsewhere = knows.values().flatten().filter(|name| !is_module(name)).collect::<BTreeSet<_>>();
    assert!(elsewhere.is_empty(), "modules of the domain import {elsewhere:?} from the root instead of from the module");
    assert_eq!(circle(&knows), None);
}

/// The root of a crate knows all its modules, and does not count.
#[test]
fn no_two_modules_of_these_crates_depend_on_each_other() {
    for name in ["commands", "identity", "keyring", "ledger", "live", "processes", "slack", "state", "stores"] {
        let folder = checkout().join(name).join("src");
        let modules = modules(&folder, "lib");
        let (handed_out, _) = handed_out(&code(&folder.join("lib.rs")));
        let module_of = |name: String| if modules.contains_key(&name) { name } else { handed_out.get(&name).cloned().unwrap_or(name) };
        let knows = modules.iter().map(|(module, code)| (module.clone(), names(code, "crate::").into_iter().map(module_of).collect()));
        assert_eq!(circle(&knows.collect()), None, "{name}");
    }
}

#[test]
fn no_two_files_of_the_event_store_depend_on_each_other() {
    let folder = checkout().join("commands/src/event_store");
    let modules = modules(&folder, "mod");
    let (handed_out, root) = handed_out(&code(&folder.join("mod.rs")));
    let mut knows = Knows::new();
    for (module, code) in &modules {
        let named = names(code, "super::").into_iter().chain(names(code, "crate::event_store::"));
        // A name that `mod.rs` does not re-export is defined in `mod.rs` itself.
        let named =
            named.map(|name| if modules.contains_key(&name) { name } else { handed_out.get(&name).cloned().unwrap_or("mod".into()) });
        knows.insert(module.clone(), named.collect());
    }
    let known_by_root = modules.keys().filter(|module| root.contains(&format!("{module}::"))).cloned().collect();
    knows.insert("mod".into(), known_by_root);
    assert_eq!(circle(&knows), None);
}

#[test]
fn a_cycle_is_found_and_a_chain_is_not_a_cycle() {
    let knows = |arrows: &[(&str, &str)]| {
        let mut knows = Knows::new();
        for (from, to) in arrows {
            knows.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        knows
    };
    assert_eq!(circle(&knows(&[("a", "b"), ("b", "c"), ("a", "c"), ("a", "a")])), None);
    assert_eq!(circle(&knows(&[("a", "b"), ("b", "c"), ("c", "b")])), Some(vec!["b".into(), "c".into(), "b".into()]));
}

#[test]
fn names_are_found_in_groups_and_in_nested_groups() {
    let code = "use crate::{a, b::{B, C}, d::D as E};\nuse crate::f::{crates, G};\nlet x = crate::h::i();\n";
    assert_eq!(names(code, "crate::").into_iter().collect::<Vec<_>>(), ["a", "b", "d", "f", "h"]);
}

/// The code of each module of a folder, without its tests. `root` is the file that declares the modules.
fn modules(folder: &Path, root: &str) -> BTreeMap<String, String> {
    let root_code = fs::read_to_string(folder.join(root).with_extension("rs")).expect("the root");
    let mut modules = BTreeMap::new();
    for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let is_test = root_code.contains(&format!("#[cfg(test)]\nmod {name};"));
        if name != root && !is_test {
            modules.entry(name).or_insert_with(String::new).push_str(&code(&path));
        }
    }
    modules
}

/// The code of a file, or of all files of a folder, without comments and tests.
fn code(path: &Path) -> String {
    let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
    if name == "tests" {
        return String::new();
    }
    if path.is_dir() {
        return fs::read_dir(path).expect("a folder").map(|entry| code(&entry.expect("an entry").path())).collect();
    }
    let text = fs::read_to_string(path).expect("a source");
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The first names after a prefix: `a` and `b` in `crate::{a, b::C}`.
fn names(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let is_longer_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            _ if is_longer_word => {}
            Some(group) => found.extend(members(group).into_iter().map(|member| first_name(&member))),
            None => drop(found.insert(first_name(rest))),
        }
    }
    found.remove("");
    found
}

/// The members of a group up to its closing brace.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut members) = (0_u32, vec![String::new()]);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => members.push(String::new()),
            _ => {
                depth = match c {
                    '{' => depth + 1,
                    '}' => depth - 1,
                    _ => depth,
                };
                members.last_mut().expect("a member").push(c);
            }
        }
    }
    members
}

fn first_name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The names that a root re-exports from its modules, and the rest of its code.
fn handed_out(root: &str) -> (BTreeMap<String, String>, String) {
    let (mut names, mut rest) = (BTreeMap::new(), String::new());
    for statement in root.split_inclusive(';') {
        match statement.trim_start().strip_prefix("pub use ").and_then(|used| used.split_once("::")) {
            Some((module, handed)) => {
                let handed = handed.trim_end_matches(';');
                let handed = handed.strip_prefix('{').map_or_else(|| vec![handed.to_owned()], members);
                names.extend(handed.into_iter().map(|name| (first_name(&name), module.to_owned())));
            }
            None => rest.push_str(statement),
        }
    }
    (names, rest)
}

/// A cycle, if there is one: modules that each depend on the next. The first module stands at both ends.
fn circle(knows: &Knows) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    knows.keys().find_map(|module| walk(knows, module, &mut Vec::new(), &mut done))
}

fn walk(knows: &Knows, module: &str, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
    if let Some(began) = path.iter().position(|passed| passed == module) {
        return Some(path[began..].iter().cloned().chain([module.to_owned()]).collect());
    }
    if done.contains(module) {
        return None;
    }
    path.push(module.to_owned());
    let known = knows.get(module).into_iter().flatten().filter(|known| *known != module);
    let found = known.into_iter().find_map(|known| walk(knows, known, path, done));
    path.pop();
    done.insert(module.to_owned());
    found
}
