//! A progress bar on standard error.

use super::ProgressReporter;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

const BOUNDED: &str = "{msg:<10} {bar:30} {human_pos:>12} / {human_len}  {per_sec}, {eta} left";
const UNBOUNDED: &str = "{msg:<10} {spinner} {human_pos:>12}  {per_sec}";

/// A bar with rate and time left on standard error; nothing when that is not a terminal.
#[derive(Debug)]
pub struct ConsoleProgress {
    bar: ProgressBar,
}

impl ConsoleProgress {
    /// A bar that appears with the first phase.
    #[must_use]
    pub fn new() -> Self {
        Self { bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()) }
    }
}

impl Default for ConsoleProgress {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgressReporter for ConsoleProgress {
    fn set_total(&self, total: u64) {
        let template = if total == 0 { UNBOUNDED } else { BOUNDED };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
        self.bar.set_style(style);
        self.bar.reset();
        self.bar.set_length(total);
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn increment(&self, amount: u64) {
        self.bar.inc(amount);
    }

    fn set_message(&self, message: &str) {
        self.bar.set_message(message.to_owned());
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
