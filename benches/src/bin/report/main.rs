//! Writes the tables and plots of BENCHMARKS.md, and README.md's table, from the records in `benches/record`. `--keep`
//! first turns what Criterion left in `target` into records. Called by `ci/bench.sh`. A test compares the pages with the
//! records.

mod criterion_results;
mod page;
mod plot;
mod processors;
mod tables;

use std::process::ExitCode;

use atomik_benches::circumstances::Circumstances;
use atomik_benches::record::{Record, records};

use criterion_results::KERNELS;
use page::Page;
use processors::{Processor, each};

fn main() -> ExitCode {
    let keep = std::env::args().any(|arg| arg == "--keep");
    let kept = if keep { keep_criterion_results() } else { Ok(()) };
    match kept.and_then(|()| write()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn keep_criterion_results() -> Result<(), String> {
    if let Some(results) = criterion_results::threads()? {
        let circumstances = Circumstances::now("fan_in_threads");
        Record { circumstances, results }.write("fan_in_threads")?;
    }
    for (kernel, _) in KERNELS {
        if let Some(results) = criterion_results::kernel(kernel)? {
            let circumstances = Circumstances::now(&format!("kernel_sweep={kernel}"));
            Record { circumstances, results }.write(&format!("sweep_{kernel}"))?;
        }
    }
    Ok(())
}

fn write() -> Result<(), String> {
    let processors = processors::all(&records())?;
    processors.iter().try_for_each(Processor::draw)?;
    pages(&processors)?.iter().try_for_each(Page::write)
}

/// The pages as the records have them.
fn pages(processors: &[Processor]) -> Result<[Page; 2], String> {
    Ok([benchmarks(processors)?, readme(processors)?])
}

fn readme(processors: &[Processor]) -> Result<Page, String> {
    let mut page = Page::open(records().join("../../README.md"))?;
    page.put("deltas", &tables::deltas(processors))?;
    Ok(page)
}

fn benchmarks(processors: &[Processor]) -> Result<Page, String> {
    let mut page = Page::open(records().join("../../BENCHMARKS.md"))?;
    page.put("circumstances", &each(processors, |processor| Some(tables::circumstances(processor))))?;
    for name in [
        "fan_in",
        "fan_in_locks",
        "apply_wire",
        "replication",
        "tick_growth",
        "checkpoint",
        "processes",
        "nodes",
        "nats",
        "redis",
    ] {
        page.put(name, &each(processors, |processor| tables::ratios(processor.ratios(name))))?;
    }
    page.put("replica_growth", &each(processors, tables::replica_growth))?;
    page.put("fan_in_growth", &each(processors, tables::growth))?;
    page.put("fan_in_threads", &each(processors, tables::threads))?;
    for (name, level) in [("kernels_avx512", "AVX-512"), ("kernels_avx2", "AVX2")] {
        page.put(name, &each(processors, |processor| tables::kernels(processor, level)))?;
    }
    page.put("short_equal", &each(processors, tables::short_equal))?;
    page.put("fingerprint_builds", &each(processors, tables::fingerprint_builds))?;
    page.put("fingerprint_limit", &each(processors, tables::fingerprint_limit))?;
    page.put("two_cores", &each(processors, tables::two_cores))?;
    page.put("par", &each(processors, |processor| tables::pivot(processor.ratios("par"))))?;
    for name in ["metrics_counter", "metrics_histogram", "metrics_macro", "metrics_render", "metrics_scraped"]
    {
        page.put(name, &each(processors, |processor| tables::ratios(processor.ratios(name))))?;
    }
    let memory = each(processors, |processor| tables::bytes(processor.ratios("metrics_memory")));
    page.put("metrics_memory", &memory)?;
    page.put("metrics_threads", &each(processors, tables::metrics))?;
    page.put("kernel_sweep", &each(processors, tables::throughput))?;
    page.put("plots", &tables::plots(processors))?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_was_recorded() {
        for page in pages(&processors::all(&records()).unwrap()).unwrap() {
            page.assert_unchanged();
        }
    }
}
