//! Drawings of the results.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::Sweep;

/// Draws the time of a delta over the number of threads, a line a method, both axes logarithmic.
pub(crate) fn threads(path: &Path, threads: &[usize], sweep: &[Sweep]) -> Result<(), String> {
    draw(path, threads, sweep).map_err(|error| format!("{}: {error}", path.display()))
}

fn draw(path: &Path, threads: &[usize], sweep: &[Sweep]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (900, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(660);
    let times = || sweep.iter().flat_map(|row| row.nanoseconds);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    // Each number of threads is twice the one before, so steps of one width are a logarithmic axis.
    let last = (threads.len() - 1) as f64;
    let mut chart = ChartBuilder::on(&left)
        .caption("One delta of each thread, by method", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last, (least * 0.7..most * 1.4).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("threads on 2 cores")
        .y_desc("nanoseconds (median)")
        .x_labels(threads.len())
        .x_label_formatter(&|step| threads[step.round() as usize].to_string())
        .y_label_formatter(&|time| time.to_string())
        .disable_x_mesh()
        .draw()?;
    for (number, row) in sweep.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let points = (0..).map(f64::from).zip(row.nanoseconds);
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?;
        // The key, in the order of the lines with two threads, the slowest on top.
        let y = 60 + 24 * (sweep.len() - 1 - number) as i32;
        right.draw(&PathElement::new([(0, y), (24, y)], colour.stroke_width(3)))?;
        right.draw(&Text::new(row.method.clone(), (32, y - 6), ("sans-serif", 12)))?;
    }
    root.present()?;
    Ok(())
}
