//! The live screen.

use std::error::Error;
use std::time::{Duration, Instant};

use atomik_shared::LaneState;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Block, Row, Table};

use crate::report::{lane_cells, title, total_cells};
use crate::sample::{Report, Watch};

/// Shows the file until `q` is pressed.
pub(crate) fn run(watch: &mut Watch, interval: Duration) -> Result<(), Box<dyn Error>> {
    let mut terminal = ratatui::try_init()?;
    let result = (|| {
        let (mut report, mut next) = (watch.look()?, Instant::now() + interval);
        let mut scroll = Scroll::default();
        loop {
            terminal.draw(|frame| draw(frame, &report, &mut scroll))?;
            let wait = next.saturating_duration_since(Instant::now());
            if event::poll(wait)? {
                match event::read()? {
                    Event::Key(key) if is_quit(key) => return Ok(()),
                    Event::Key(key) if key.kind != KeyEventKind::Release => scroll.press(key.code),
                    _ => {}
                }
            } else {
                report = watch.look()?;
                next = Instant::now() + interval;
            }
        }
    })();
    ratatui::restore();
    result
}

fn is_quit(key: KeyEvent) -> bool {
    let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

/// The first rows that are shown, and which table the keys move.
#[derive(Debug, Default)]
struct Scroll {
    totals: usize,
    lanes: usize,
    moves_lanes: bool,
}

impl Scroll {
    fn press(&mut self, key: KeyCode) {
        let moved = if self.moves_lanes { &mut self.lanes } else { &mut self.totals };
        match key {
            KeyCode::Down => *moved = moved.saturating_add(1),
            KeyCode::Up => *moved = moved.saturating_sub(1),
            KeyCode::PageDown => *moved = moved.saturating_add(20),
            KeyCode::PageUp => *moved = moved.saturating_sub(20),
            KeyCode::Tab => self.moves_lanes = !self.moves_lanes,
            _ => {}
        }
    }
}

fn draw(frame: &mut Frame<'_>, report: &Report, scroll: &mut Scroll) {
    let [head, totals, lanes, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        // A table has no lanes.
        if report.lanes.is_empty() { Constraint::Length(0) } else { Constraint::Fill(1) },
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(ratatui::text::Line::styled(title(report), bold), head);

    scroll.totals = scroll.totals.min(report.totals.len().saturating_sub(1));
    let rows = report.totals[scroll.totals..].iter().take(totals.height.into()).map(|row| {
        let changed = row.change != crate::sample::Change::None;
        Row::new(total_cells(report, row)).style(if changed {
            Style::new().fg(Color::Green)
        } else {
            Style::new()
        })
    });
    let widths =
        [Constraint::Length(10), Constraint::Length(22), Constraint::Length(16), Constraint::Fill(1)];
    let table = Table::new(rows, widths)
        .header(Row::new(["address", "total", "per second", "name"]).style(bold))
        .block(Block::bordered().title(format!(" Totals: {} ", report.totals.len())));
    frame.render_widget(table, totals);

    if !report.lanes.is_empty() {
        scroll.lanes = scroll.lanes.min(report.lanes.len() - 1);
        let rows = report.lanes[scroll.lanes..].iter().take(lanes.height.into()).map(|row| {
            let style = match row.lane.state {
                LaneState::Alive => Style::new().fg(Color::Green),
                LaneState::Dead => Style::new().fg(Color::Red),
                _ => Style::new().add_modifier(Modifier::DIM),
            };
            Row::new(lane_cells(report, row)).style(style)
        });
        let widths = [5, 9, 7, 9, 11, 22, 16].map(Constraint::Length).into_iter();
        let header = ["lane", "state", "owners", "pid", "age", "sum", "per second", "label"];
        let table = Table::new(rows, widths.chain([Constraint::Fill(1)]))
            .header(Row::new(header).style(bold))
            .block(Block::bordered().title(" Lanes "));
        frame.render_widget(table, lanes);
    }
    let moved = if scroll.moves_lanes { "lanes" } else { "totals" };
    frame.render_widget(format!("q quit   ↑ ↓ PgUp PgDn move the {moved}   Tab the other table"), foot);
}

#[cfg(test)]
mod tests {
    use super::*;
    use atomik_core::{Add, Xor};
    use atomik_shared::{FanInSize, SharedFanIn, SharedTable};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    /// The text of a screen of 110 by 20.
    fn screen(watch: &mut Watch, scroll: &mut Scroll) -> String {
        let report = watch.look().unwrap();
        let mut terminal = Terminal::new(TestBackend::new(110, 20)).unwrap();
        terminal.draw(|frame| draw(frame, &report, scroll)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_screen_has_totals_rates_and_lanes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts");
        let counts = SharedFanIn::<Add>::create_with(&path, FanInSize::new(100, 3).metadata(1_000)).unwrap();
        counts.metadata_writer().unwrap().append(b"7 requests").unwrap();
        let mut producer = counts.producer_labelled("worker 1").unwrap();
        producer.accum(7, 40);
        let mut watch = Watch::open(&path).unwrap();
        producer.accum(7, 2);
        producer.accum(9, 5u64.wrapping_neg());

        let text = screen(&mut watch, &mut Scroll::default());
        let line = |what: &str| {
            text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what} in\n{text}"))
        };
        assert!(line("fan-in of 100 on add").contains("1 of 3 lanes alive"));
        let total = line("requests");
        assert!(total.contains(" 42 ") && total.contains('+'), "{total}");
        assert!(line(" -5 ").contains("9 "));
        let lane = line("worker 1");
        assert!(
            lane.contains("alive") && lane.contains(" 37 ") && lane.contains(&std::process::id().to_string())
        );
        assert_eq!(text.matches("unused").count(), 2);
    }

    #[test]
    fn a_table_on_xor_has_neither_lanes_nor_rates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flags");
        let flags = SharedTable::<Xor>::create(&path, 100).unwrap();
        let mut watch = Watch::open(&path).unwrap();
        (0..100).for_each(|addr| flags[addr].accum(0xF0));
        let mut scroll = Scroll::default();
        (0..8).for_each(|_| scroll.press(KeyCode::PageDown));
        let text = screen(&mut watch, &mut scroll);
        assert!(text.contains("0x00000000000000f0") && text.contains("changed"), "{text}");
        assert!(!text.contains("Lanes"), "{text}");
        assert_eq!(scroll.totals, 99, "no further than the last row");
        assert!(!screen(&mut watch, &mut scroll).contains("changed"));
    }
}
