//! A progress bar on standard error.

use super::ProgressReporter;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const BOUNDED: &str = "{msg:<10} {bar:30} {human_pos:>12} / {human_len:<12} {rate:>14}, {eta} left";
const UNBOUNDED: &str = "{msg:<10} {spinner} {human_pos:>12}  {rate}";

/// A bar with rate and time left on standard error; nothing when that is not a terminal.
#[derive(Debug)]
pub struct ConsoleProgress {
    phase: Mutex<Phase>,
}

#[derive(Debug)]
struct Phase {
    message: String,
    bar: ProgressBar,
}

impl ConsoleProgress {
    /// A bar that appears with the first phase.
    #[must_use]
    pub fn new() -> Self {
        let phase = Phase { message: String::new(), bar: ProgressBar::hidden() };
        Self { phase: Mutex::new(phase) }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ConsoleProgress {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgressReporter for ConsoleProgress {
    /// Shows a new bar: one that is changed in place shows the old count under the new name.
    fn set_total(&self, total: u64) {
        let template = if total == 0 { UNBOUNDED } else { BOUNDED };
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            // Nothing to be done about a terminal that cannot be written to.
            let _ = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", rate)
            .progress_chars("━╸ ");
        let mut phase = self.phase();
        phase.bar.finish_and_clear();
        phase.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
            .with_style(style)
            .with_message(phase.message.clone());
        phase.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn increment(&self, amount: u64) {
        self.phase().bar.inc(amount);
    }

    /// Names the phase that the next [`set_total`](Self::set_total) begins.
    fn set_message(&self, message: &str) {
        message.clone_into(&mut self.phase().message);
    }

    fn finish(&self) {
        self.phase().bar.finish_and_clear();
    }
}
