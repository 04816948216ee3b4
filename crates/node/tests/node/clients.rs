//! Programs that people use with Redis. `ci/setup.sh` installs them.

use std::process::Command;

use crate::{Process, alone};

fn run(node: &Process, program: &str, arguments: &str) -> String {
    let port = node.address("redis").rsplit(':').next().unwrap();
    let mut command = Command::new(program);
    let output = command.args(["-h", "127.0.0.1", "-p", port]).args(arguments.split_whitespace()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; ci/setup.sh installs it"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn redis_cli_is_a_client() {
    let node = alone("");
    for (arguments, shown) in [
        ("SET 7 42", "OK\n"),
        ("INCRBY 7 8", "50\n"),
        ("MGET 7 8", "50\n0\n"),
        ("GET foo", "ERR \"foo\" is no key: keys are the numbers from 0 to 999\n\n"),
        ("ECHO hello", "hello\n"),
    ] {
        assert_eq!(run(&node, "redis-cli", arguments), shown, "{arguments}");
    }
    assert!(run(&node, "redis-cli", "INFO").contains("server:atomik-node"));
}

#[test]
fn redis_benchmark_is_a_client() {
    let node = alone("");
    let shown = run(&node, "redis-benchmark", "-n 20000 -P 50 -c 4 -r 1000 -q INCRBY __rand_int__ 3");
    assert!(shown.contains("requests per second"), "{shown}");
    let mut client = node.client();
    let sum: i64 = (0..1_000).map(|key| client.get(key)).sum();
    assert_eq!(sum, 60_000, "each request counted once");
    // Its own tests write texts as values, so the one of SET is left out.
    for arguments in ["-t ping,get,incr", "SET __rand_int__ 5"] {
        let shown = run(&node, "redis-benchmark", &format!("-n 5000 -c 50 -r 1000 -q {arguments}"));
        assert!(!shown.contains("rror"), "{shown}");
    }
}
