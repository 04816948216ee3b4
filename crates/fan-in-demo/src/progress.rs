//! The progress bar: on standard error, and only if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// The bar's units in one step.
const STEP: u64 = 1_000;

/// The progress of the whole run, in steps of equal width. It never moves backwards.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        let progress = Self(ProgressBar::new(steps as u64 * STEP));
        const TEMPLATE: &str = "{msg:>12} [{bar:40}] {percent:>3}% {elapsed:>4}";
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        progress.0.set_style(style.progress_chars("=> "));
        progress
    }

    #[cfg(test)]
    pub(crate) fn hidden(steps: usize) -> Self {
        Self(ProgressBar::with_draw_target(
            Some(steps as u64 * STEP),
            indicatif::ProgressDrawTarget::hidden(),
        ))
    }

    /// Starts the step with this index, which is complete when `size` units of its work are done.
    pub(crate) fn step(&self, index: usize, name: &'static str, size: u64) -> Step<'_> {
        self.0.set_message(name);
        let step = Step { bar: &self.0, start: index as u64 * STEP, size };
        step.show(0);
        step
    }

    /// Removes the bar from the terminal.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// One step of the progress.
pub(crate) struct Step<'a> {
    bar: &'a ProgressBar,
    start: u64,
    size: u64,
}

impl Step<'_> {
    /// Shows that `done` of the step's work is done. A step that is repeated stays where it was.
    pub(crate) fn show(&self, done: u64) {
        let part = u128::from(done.min(self.size)) * u128::from(STEP) / u128::from(self.size.max(1));
        let position = self.start + part as u64;
        if position > self.bar.position() {
            self.bar.set_position(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_moves_backwards() {
        let progress = Progress::hidden(3);
        let mut positions = Vec::new();
        let first = progress.step(0, "first", 10);
        for done in [5, 10, 2] {
            first.show(done);
            positions.push(progress.0.position());
        }
        // The second step is left out.
        let third = progress.step(2, "third", u64::MAX);
        positions.push(progress.0.position());
        third.show(u64::MAX / 2 + 1);
        positions.push(progress.0.position());
        assert_eq!(positions, [500, 1000, 1000, 2000, 2500]);
    }

    #[test]
    fn a_step_without_work_is_shown() {
        let progress = Progress::hidden(2);
        progress.step(1, "empty", 0).show(7);
        assert_eq!(progress.0.position(), 1000);
    }
}
