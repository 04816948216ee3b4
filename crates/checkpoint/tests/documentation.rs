//! What the READMEs show: the program is compiled, and the queries find what they say.

use std::fs;
use std::path::Path;

use atomik_checkpoint::CheckpointStore;
use atomik_core::{Add, Table};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The text between a line that starts a block of code and the line that ends it.
fn block<'a>(text: &'a str, begin: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("there is no {begin}"));
    rest.split_once("```\n").unwrap().0
}

/// This crate's README is compiled with the doc tests. That of the repository has the same lines.
#[test]
fn the_program_of_the_first_readme_is_the_compiled_one() {
    let (first, own) = (read("../../README.md"), read("README.md"));
    let (_, section) = first.split_once("\n## Checkpoints\n").unwrap();
    let shown: Vec<&str> = block(section, "```rust,ignore\n").lines().map(str::trim).collect();
    let compiled: Vec<&str> = block(&own, "```rust,no_run\n").lines().map(str::trim).collect();
    assert!(compiled.windows(shown.len()).any(|lines| lines == shown), "{shown:#?} in {compiled:#?}");
}

#[test]
fn the_queries_of_the_readme_find_the_states() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("totals.db");
    let mut store = CheckpointStore::open(&path).unwrap();
    let table = Table::<Add>::new(100_000);
    table[7].accum(0x1234);
    store.save(&mut table.epoch(), b"offset 1").unwrap();

    let readme = read("README.md");
    let queries: Vec<&str> = readme
        .split("sqlite3 totals.db \"")
        .skip(1)
        .map(|rest| rest.split_once('"').expect("the query is quoted").0)
        .collect();
    // While the store is open.
    let connection = rusqlite::Connection::open(&path).unwrap();
    let (kind, caller): (String, String) =
        connection.query_row(queries[0], [], |row| Ok((row.get("kind")?, row.get(4)?))).unwrap();
    assert_eq!((&*kind, &*caller), ("full", "offset 1"));
    let state: String = connection.query_row(queries[1], [], |row| row.get(0)).unwrap();
    assert_eq!(u64::from_str_radix(&state, 16), Ok(0x1234));
    assert!(read("../../README.md").contains(queries[0]), "the repository's README shows another query");
}
