//! What each command answers.

use crate::{Process, alone, until};

#[test]
fn each_command_answers_in_the_style_of_redis() {
    let node = alone("");
    let mut client = node.client();
    for (request, reply) in [
        ("PING", "+PONG\r\n"),
        ("ping hello", "$5\r\nhello\r\n"),
        ("ECHO hello", "$5\r\nhello\r\n"),
        ("GET 7", "$1\r\n0\r\n"),
        ("SET 7 42", "+OK\r\n"),
        ("GET 7", "$2\r\n42\r\n"),
        ("GET 0000000007", "$2\r\n42\r\n"),
        ("GET key:000000000007", "$2\r\n42\r\n"),
        ("INCR 7", ":43\r\n"),
        ("INCRBY 7 -50", ":-7\r\n"),
        ("DECR 7", ":-8\r\n"),
        ("DECRBY 7 2", ":-10\r\n"),
        ("INCRBY 8 9223372036854775807", ":9223372036854775807\r\n"),
        ("INCR 8", ":-9223372036854775808\r\n"),
        ("MSET 1 10 2 20", "+OK\r\n"),
        ("MGET 1 2 3", "*3\r\n$2\r\n10\r\n$2\r\n20\r\n$1\r\n0\r\n"),
        ("ATOMIK.ACCUM 1 0x10", "+OK\r\n"),
        ("GET 1", "$2\r\n26\r\n"),
        ("ATOMIK.PUT 1 5", "+OK\r\n"),
        ("GET 1", "$1\r\n5\r\n"),
        ("ATOMIK.WAIT 1000", ":0\r\n"),
        ("DBSIZE", ":1000\r\n"),
        ("SELECT 0", "+OK\r\n"),
        ("CLIENT SETNAME me", "+OK\r\n"),
        ("CLIENT ID", ":1\r\n"),
        ("COMMAND", "*0\r\n"),
        ("COMMAND DOCS", "*0\r\n"),
    ] {
        assert_eq!(client.call(request), reply, "{request}");
    }
    assert!(client.call("INFO").contains("connected_peers:0"));
    assert!(client.call("HELLO 2").starts_with("*8\r\n$6\r\nserver\r\n$11\r\natomik-node\r\n"));
    client.send(b"HELLO 3\r\n");
    assert_eq!(client.reply(), "%4\r\n");
    let said: Vec<String> = (0..8).map(|_| client.reply()).collect();
    assert!(said[4..6].concat().contains("proto") && said[5] == ":3\r\n", "{said:?}");
    assert_eq!(client.call("ATOMIK.DIGEST").len(), "$16\r\n0123456789abcdef\r\n".len());
    assert_eq!(client.call("QUIT"), "+OK\r\n");
    assert!(client.is_closed());
}

#[test]
fn what_can_not_be_done_is_named_and_changes_nothing() {
    let node = alone("");
    let mut client = node.client();
    client.call("SET 1 10");
    for (request, error) in [
        ("FLUSHALL now", "-ERR unknown command 'FLUSHALL', with args beginning with: 'now'"),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("GET 1 2", "-ERR wrong number of arguments for 'get' command"),
        ("GET foo", "-ERR \"foo\" is no key: keys are the numbers from 0 to 999"),
        ("GET 1000", "-ERR key 1000 is beyond the table, whose last key is 999"),
        ("SET 1 abc", "-ERR value \"abc\" is not an integer or out of range"),
        ("SET 1 1 EX 10", "-ERR syntax error: SET has no options here"),
        ("MSET 1 11 2", "-ERR wrong number of arguments for 'mset' command"),
        ("MSET 1 11 foo 2", "-ERR \"foo\" is no key: keys are the numbers from 0 to 999"),
        ("MGET 1 foo", "-ERR \"foo\" is no key: keys are the numbers from 0 to 999"),
        ("INCRBY 1 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("INCRBY 1 1.5", "-ERR value is not an integer or out of range"),
        ("SELECT 1", "-ERR DB index is out of range: there is only database 0"),
        ("HELLO 4", "-NOPROTO unsupported protocol version: this server speaks 2 and 3"),
        ("AUTH secret", "-ERR AUTH was called without any password configured"),
        ("ATOMIK.WAIT soon", "-ERR timeout is not an integer or out of range"),
        ("CLIENT KILL me", "-ERR unknown subcommand 'KILL' of CLIENT"),
    ] {
        assert_eq!(client.call(request), format!("{error}\r\n"), "{request}");
    }
    assert_eq!((client.get(1), client.get(2)), (10, 0));
}

#[test]
fn a_pipeline_and_lines_as_people_type_them_are_answered_in_order() {
    let node = alone("");
    let mut client = node.client();
    client.send(b"SET 1 5\r\n\r\n  get   1 \nSET 1 x\r\nSET 2 6\r\nSET 3 7\r\nGET 3\r\nINCR 2\nPING\r\n");
    let replies: Vec<String> = (0..8).map(|_| client.reply()).collect();
    let error = "-ERR value \"x\" is not an integer or out of range\r\n";
    assert_eq!(
        replies,
        ["+OK\r\n", "$1\r\n5\r\n", error, "+OK\r\n", "+OK\r\n", "$1\r\n7\r\n", ":7\r\n", "+PONG\r\n"]
    );
    // More requests than are answered at once.
    client.send("INCR 9\r\n".repeat(50_000).as_bytes());
    (1..=50_000).for_each(|count| assert_eq!(client.reply(), format!(":{count}\r\n")));
}

#[test]
fn a_table_of_bits_has_no_sums() {
    let node = alone("--algebra xor");
    let mut client = node.client();
    assert_eq!(client.call("SET 1 0xCAFEBABE"), "+OK\r\n");
    assert_eq!(client.call("ATOMIK.ACCUM 1 -1"), "+OK\r\n");
    assert_eq!(client.call("GET 1"), format!("$20\r\n{}\r\n", !0xCAFE_BABE_u64));
    assert_eq!(client.call("INCR 1"), "-ERR INCR needs a table of sums, and this one has --algebra xor\r\n");
}

#[test]
fn nothing_is_answered_before_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    let node = alone(&format!("--password-file {}", file.display()));
    let mut client = node.client();
    for request in ["GET 1", "SET 1 1", "INFO", "PING", "HELLO 2"] {
        assert!(client.call(request).starts_with("-NOAUTH"), "{request}");
    }
    for wrong in ["AUTH secre", "AUTH secret2", "AUTH default x", "HELLO 2 AUTH default x"] {
        assert!(client.call(wrong).starts_with("-WRONGPASS"), "{wrong}");
    }
    assert!(client.call("GET 1").starts_with("-NOAUTH"));
    assert_eq!(client.call("AUTH secret"), "+OK\r\n");
    assert_eq!(client.call("GET 1"), "$1\r\n0\r\n");
    assert!(node.client().call("HELLO 2 AUTH default secret").starts_with("*8"));
    assert_eq!(node.client().call("AUTH default secret"), "+OK\r\n");
}

#[test]
fn nodes_answer_with_what_others_were_told() {
    let one = Process::start("--id 1 --len 1000 --redis 127.0.0.1:0 --listen 127.0.0.1:0");
    let peer = format!("--peer {}", one.address("listen"));
    let two = Process::start(&format!("--id 2 --len 1000 --redis 127.0.0.1:0 {peer}"));
    let (mut here, mut there) = (one.client(), two.client());
    until("they are connected", || here.call("INFO").contains("connected_peers:1"));
    until("they take what the other writes", || !there.call("INFO").contains("listening:1"));
    here.call("SET 1 100");
    assert_eq!(here.call("ATOMIK.WAIT 20000"), ":1\r\n");
    assert_eq!(there.call("INCRBY 1 11"), ":111\r\n");
    assert_eq!(there.call("ATOMIK.WAIT 20000"), ":1\r\n");
    assert_eq!(here.get(1), 111);
    assert_eq!(here.call("ATOMIK.DIGEST"), there.call("ATOMIK.DIGEST"));
    two.kill();
    until("it is noticed", || here.call("INFO").contains("connected_peers:0"));
    assert_eq!(here.call("ATOMIK.WAIT 20000"), ":0\r\n");
}
