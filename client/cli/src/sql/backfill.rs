//! How far a new view has come with what its inputs held already.
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use millrace_client::views::{Cut, Description, Views};
use tokio::time::sleep;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A view that is there by then shows nothing.
const QUIET: Duration = Duration::from_millis(300);
const BAR: usize = 30;

/// Shows progress until the view has caught up with where its inputs ended at first. Ctrl-C leaves it to itself.
pub(crate) async fn watch(views: &Views, view: &str) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    tokio::select! {
        () = follow(views, view) => {}
        _ = tokio::signal::ctrl_c() => eprintln!("\nThe view goes on filling by itself; DESCRIBE {view} EXTENDED shows its query."),
    }
}

async fn follow(views: &Views, view: &str) {
    let (began, mut first, mut shown) = (Instant::now(), None::<Description>, false);
    // What cannot be described is not watched: it may have been dropped meanwhile, or be starting.
    while let Ok(now) = views.describe(view).await {
        if !now.trouble.is_empty() {
            return eprintln!("The view is not being filled: {}", now.trouble);
        }
        if now.cut.is_empty() {
            // Its state is being opened.
            sleep(LOOK_EVERY).await;
            continue;
        }
        let first = first.get_or_insert_with(|| now.clone());
        let (done, all) = (distance(&first.cut, &now.cut), distance(&first.cut, &first.end));
        if now.cut.covers(&first.end) {
            if shown {
                eprintln!("\r{} {all} records in {:.1} s", bar(all, all), began.elapsed().as_secs_f64());
            }
            return;
        }
        if began.elapsed() > QUIET && all > 0 {
            shown = true;
            eprint!("\r{} {done} of {all} records ", bar(done, all));
            // Nothing depends on whether it could be shown.
            let _ = std::io::stderr().flush();
        }
        sleep(LOOK_EVERY).await;
    }
}

fn distance(from: &Cut, to: &Cut) -> i64 {
    to.iter().map(|(at, next)| (next - from.next(at).unwrap_or(next)).max(0)).sum()
}

fn bar(done: i64, all: i64) -> String {
    let share = (done.min(all) as f64 / all.max(1) as f64).clamp(0.0, 1.0);
    let full = (share * BAR as f64) as usize;
    format!("[{}{}] {:3.0} %", "#".repeat(full), ".".repeat(BAR - full), share * 100.0)
}
