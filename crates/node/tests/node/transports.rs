//! Nodes over datagrams, and with certificates.

use std::path::Path;
use std::process::Command;

use crate::{Process, until};

/// Whether what one node is told arrives at the other.
fn converge(one: &Process, two: &Process) {
    let (mut here, mut there) = (one.client(), two.client());
    until("they take what the other writes", || {
        here.call("INFO").contains("listening:0") && there.call("INFO").contains("listening:0")
    });
    here.call("INCRBY 7 40");
    there.call("INCRBY 7 2");
    until("it is everywhere", || here.get(7) == 42 && there.get(7) == 42);
}

#[test]
fn nodes_converge_over_datagrams() {
    let one = Process::start("--id 1 --len 1000 --redis 127.0.0.1:0 --udp 127.0.0.1:0");
    let two = Process::start(&format!(
        "--id 2 --len 1000 --redis 127.0.0.1:0 --udp 127.0.0.1:0 --udp-peer {}",
        one.address("udp")
    ));
    converge(&one, &two);
    assert!(one.client().call("INFO").contains("connected_peers:0"));
}

/// `ci/nats.sh` runs it, with the path of a server in `ATOMIK_NATS_SERVER`.
#[test]
#[ignore = "needs a server of NATS: ./ci/nats.sh"]
fn nodes_converge_through_nats_and_leave_what_they_wrote_there() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let program = std::env::var_os("ATOMIK_NATS_SERVER").expect("./ci/nats.sh sets it");
    let server = Command::new(program)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-l", "server.log", "-sd", "store"])
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    let _server = KilledAtEnd(server);
    let node = |id: u64| {
        let nats = format!("--nats nats://127.0.0.1:{port}");
        Process::start(&format!("--id {id} --len 1000 --redis 127.0.0.1:0 {nats}"))
    };
    let (one, two) = (node(1), node(2));
    converge(&one, &two);
    let mut client = one.client();
    until("it is in the stream", || !client.call("INFO").contains("nats_put:0"));
    drop(client);
    assert_eq!((one.terminate(), two.terminate()), (Some(0), Some(0)));
    let three = node(3);
    let mut client = three.client();
    until("it is here", || client.get(7) == 42);
}

/// A process that does not outlive the test.
struct KilledAtEnd(std::process::Child);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes an authority and the certificates of two nodes, as people do: by openssl.
fn certificates(folder: &Path) {
    let run = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output();
        let output = output.unwrap_or_else(|error| panic!("openssl: {error}; ci/setup.sh installs it"));
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(folder.join("san"), "subjectAltName=DNS:atomik\n").unwrap();
    run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -subj /CN=authority",
    );
    for name in ["one", "two"] {
        run(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        run(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 -extfile san"
        ));
    }
}

#[test]
fn nodes_converge_with_certificates_and_take_nobody_without() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let tls = |name: &str| {
        let file = |file: &str| folder.path().join(file).display().to_string();
        format!(
            "--tls-cert {} --tls-key {} --tls-ca {}",
            file(&format!("{name}.pem")),
            file(&format!("{name}.key")),
            file("ca.pem")
        )
    };
    let one =
        Process::start(&format!("--id 1 --len 1000 --redis 127.0.0.1:0 --listen 127.0.0.1:0 {}", tls("one")));
    let peer = one.address("listen").to_owned();
    let two = Process::start(&format!("--id 2 --len 1000 --redis 127.0.0.1:0 --peer {peer} {}", tls("two")));
    converge(&one, &two);
    let plain = Process::start(&format!("--id 3 --len 1000 --redis 127.0.0.1:0 --peer {peer}"));
    let mut client = one.client();
    until("it is refused", || !client.call("INFO").contains("refused_tls:0"));
    assert!(plain.client().call("INFO").contains("connected_peers:0"));
    assert_eq!(plain.client().get(7), 0);
}
