//! Counters of several services, of which any answers a scrape for all. The names are a list that is the same
//! everywhere, so a counter is an address, and its value on every node is the sum over all services.
//!
//! `cargo run --release -p atomik-net --example cluster_metrics`

use std::error::Error;
use std::fmt::Write;
use std::thread;
use std::time::Duration;

use atomik_core::{Add, TableProducer};
use atomik_net::Node;
use atomik_replica::ClusterConfig;

/// The counters. New ones go to the end, so that each keeps its address.
const NAMES: [&str; 3] = ["requests_total", "errors_total", "bytes_total"];
const REQUESTS: usize = 0;
const ERRORS: usize = 1;
const BYTES: usize = 2;

/// What a thread of a service does.
fn serve(mut metrics: TableProducer<'static, Add>, requests: u64) {
    for request in 1..=requests {
        metrics.accum(REQUESTS, 1);
        metrics.accum(BYTES, 100 + request % 10);
        if request % 50 == 0 {
            metrics.accum(ERRORS, 1);
        }
    }
}

/// What a scrape of any service answers, in the text format of Prometheus.
fn scrape(node: &Node<Add>) -> String {
    let mut text = String::new();
    for (addr, name) in NAMES.iter().enumerate() {
        let total = node.view().read(addr);
        // Writing to a string does not fail.
        let _ = writeln!(text, "# TYPE {name} counter\n{name} {total}");
    }
    text
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = ClusterConfig::new("metrics", NAMES.len()).with_members([1, 2, 3]);
    let mut services: Vec<Node<Add>> = Vec::new();
    for number in 1..=3 {
        let mut builder = Node::builder(cluster.clone(), number).listen("127.0.0.1:0");
        for address in services.iter().filter_map(Node::local_addr) {
            builder = builder.peer(&address.to_string());
        }
        services.push(builder.start().await?);
    }
    for service in &services {
        service.reached(2).await?;
    }

    let threads: Vec<_> = services
        .iter()
        .flat_map(|service| [service.producer(), service.producer()])
        .map(|metrics| thread::spawn(move || serve(metrics, 100_000)))
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread ended by a panic")?;
    }
    for service in &services {
        tokio::time::timeout(Duration::from_secs(10), service.converged()).await??;
    }

    let scrapes: Vec<String> = services.iter().map(scrape).collect();
    println!(
        "Each of three services, with two threads that served 100,000 requests, answers:\n\n{}",
        scrapes[0]
    );
    assert!(scrapes.iter().all(|scrape| *scrape == scrapes[0]), "{scrapes:?}");
    assert_eq!(services[0].view().read(REQUESTS), 600_000);
    assert_eq!(services[0].view().read(ERRORS), 12_000);
    Ok(())
}
