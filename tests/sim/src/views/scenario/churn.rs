//! Statements that change what runs: a view goes with its topic, another takes its place, all of them pause.
use millrace_oracle::View;
use millrace_sql::name::Name;

use crate::views::scenario::Run;

impl Run {
    /// Takes a view away with its topic, or puts another of the same rows in its place, if no statement is under way.
    pub(super) fn drop_or_replace(&mut self) {
        let Some(views) = self.views() else { return };
        if self.statement.is_some() {
            return;
        }
        let catalog = views.catalog();
        let is_there = |name: &str| catalog.source(&Name::new(name)).is_some();
        let alone = |view: &&&View| is_there(view.name) && !self.views.iter().any(|other| other.needs == Some(view.name) && is_there(other.name));
        let there: Vec<&'static View> = self.views.iter().filter(alone).copied().collect();
        if there.is_empty() {
            return;
        }
        let view = *self.rng.pick(&there);
        let replaced = self.replaces && view.sql.starts_with("CREATE STREAM") && self.rng.percent(50);
        let sql = if replaced {
            // A column more, which nobody looks at.
            view.sql.replacen("CREATE", "CREATE OR REPLACE", 1).replacen(" FROM", ", 1 AS more FROM", 1)
        } else {
            self.promised.retain(|(name, ..), _| *name != view.name);
            self.doomed.extend(catalog.writers(&Name::new(view.name)).map(|query| query.plan.id.to_string()));
            let kind = if view.pull.is_some() { "TABLE" } else { "STREAM" };
            format!("DROP {kind} {} DELETE TOPIC;", view.name)
        };
        self.trace.note(format_args!("statement: {sql}"));
        self.execute(views, sql);
    }

    pub(super) fn pause_or_resume(&mut self) -> Result<(), String> {
        let Some(views) = self.views() else { return Ok(()) };
        if self.statement.is_some() || views.catalog().queries().next().is_none() {
            return Ok(());
        }
        self.paused = !self.paused;
        let sql = if self.paused { "PAUSE ALL;" } else { "RESUME ALL;" };
        self.trace.note(format_args!("{sql}"));
        self.execute(views, sql.to_owned());
        Ok(())
    }
}
