//! The README and the documentation show the code that the simulator runs.

#[test]
fn the_readme_has_the_loop_that_drives_the_simulator() {
    let [readme, node] = [include_str!("../../README.md"), include_str!("../../src/docs/node.rs")];
    assert!(
        readme.contains(&format!("```rust\n{node}```\n")),
        "README.md has another loop than src/docs/node.rs"
    );
}
