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
    let root = SVGBackend::new(path, (900, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let times = || sweep.iter().flat_map(|row| row.nanoseconds);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let (first, last) = (threads[0] as f64, threads[threads.len() - 1] as f64);
    let mut chart = ChartBuilder::on(&root)
        .caption("One delta of each thread, by method", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .right_y_label_area_size(230)
        .build_cartesian_2d((first..last).log_scale(), (least * 0.7..most * 1.4).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("threads on 2 cores")
        .y_desc("nanoseconds (median)")
        .x_labels(threads.len())
        .x_label_formatter(&|threads| format!("{threads:.0}"))
        .y_label_formatter(&|time| format!("{time}"))
        .draw()?;
    for (number, row) in sweep.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let points = threads.iter().map(|&threads| threads as f64).zip(row.nanoseconds);
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?
            .label(&row.method)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::Coordinate(640, 20))
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}
