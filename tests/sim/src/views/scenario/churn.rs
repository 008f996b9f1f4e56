//! Statements that change what runs: a view goes with its topic, another takes its place, all of them pause.
use std::sync::Arc;

use millrace_oracle::View;
use millrace_serve::Views;
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
        let writers: Vec<String> = catalog.writers(&Name::new(view.name)).map(|query| query.plan.id.to_string()).collect();
        // As in ksqlDB, a join cannot be replaced, and what takes a terminated query's place begins from the start.
        let replaced = self.replaces && !writers.is_empty() && view.sql.starts_with("CREATE STREAM") && !view.sql.contains("JOIN") && self.rng.percent(50);
        if replaced {
            // A column more, which nobody looks at.
            let sql = view.sql.replacen("CREATE", "CREATE OR REPLACE", 1).replacen(" FROM", ", 1 AS more FROM", 1);
            self.trace.note(format_args!("statement: {sql}"));
            return self.execute(views, sql);
        }
        match &writers[..] {
            // Its query ends first; the rest follows as soon as that is answered, whatever comes between.
            [id] if self.rng.percent(40) => {
                self.promised.retain(|(name, ..), _| *name != view.name);
                self.trace.note(format_args!("statement: TERMINATE {id}"));
                self.terminating = Some(id.clone());
                self.told_to_end.push(id.clone());
                self.execute(views, format!("TERMINATE {id};"));
            }
            _ => self.drop_view(views, view, writers),
        }
    }

    /// A view whose query was terminated is good for nothing: it goes, and is declared again.
    pub(super) fn drop_terminated(&mut self, views: &Arc<Views>) -> bool {
        let catalog = views.catalog();
        let is_there = |view: &&&View| catalog.source(&Name::new(view.name)).is_some();
        let is_written = |view: &View| catalog.writers(&Name::new(view.name)).next().is_some();
        let Some(view) = self.views.iter().find(|view| is_there(view) && !is_written(view)).copied() else { return false };
        self.drop_view(views.clone(), view, Vec::new());
        true
    }

    fn drop_view(&mut self, views: Arc<Views>, view: &View, writers: Vec<String>) {
        self.promised.retain(|(name, ..), _| *name != view.name);
        // The state of a query that was told to end may have outlived a crash in the midst of that.
        let of_view = format!("_{}_", view.name);
        self.doomed.extend(writers.into_iter().chain(self.told_to_end.iter().filter(|id| id.contains(&of_view)).cloned()));
        let kind = if view.pull.is_some() { "TABLE" } else { "STREAM" };
        let sql = format!("DROP {kind} {} DELETE TOPIC;", view.name);
        self.trace.note(format_args!("statement: {sql}"));
        self.execute(views, sql);
    }

    /// What a statement's answer says for good.
    pub(super) fn note_terminated(&mut self, done: bool) {
        self.terminated.extend(self.terminating.take().filter(|_| done));
    }

    /// A query that was terminated never comes back.
    pub(super) fn check_terminated(&self, views: &Views) -> Result<(), String> {
        let catalog = views.catalog();
        let back = catalog.queries().map(|query| query.plan.id.to_string()).find(|id| self.terminated.contains(id));
        back.map_or(Ok(()), |id| Err(format!("{id} was terminated and is there again")))
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
