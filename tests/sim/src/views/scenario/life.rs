//! A node's lives: it starts, goes on, stops, is killed, and starts again.
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use millrace_serve::Views;
use millrace_serve::host::ViewSettings;
use millrace_shard::Shard;
use millrace_sql::catalog::Settings;
use millrace_sql::parser::Limits;
use millrace_world::World;

use crate::disk::Loss;
use crate::views::outside::{OpenTopics, SimOutside};
use crate::views::scenario::{Node, Run, Slot};
use crate::views::states::{States, peek};

impl Run {
    /// Turns and tasks, and time where there is nothing else to do, until `done` or the power fails. `false`: neither came.
    pub(super) fn drive(&mut self, for_ms: u64, mut done: impl FnMut(&mut Run) -> bool) -> bool {
        let end = self.world.now() + Duration::from_millis(for_ms);
        while self.world.now() < end {
            if self.is_down() || done(self) {
                return true;
            }
            let Some(node) = &mut self.node else { return true };
            node.shard.turn();
            node.shard.run_job();
            if self.world.run_tasks(1_000) == 0 && !node.shard.has_mail() {
                let now = self.world.now();
                let due = node.shard.next_due();
                let next = self.world.next_timer().map_or(due, |timer| timer.min(due));
                let step = if next > now { next.since(now) } else { Duration::ZERO };
                self.world.advance(step.clamp(Duration::from_millis(1), Duration::from_millis(50)));
            }
        }
        false
    }

    pub(super) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Slot<T> {
        let slot: Slot<T> = Arc::default();
        let answer = slot.clone();
        self.world.spawn(Box::pin(async move {
            let value = task.await;
            *answer.lock() = Some(value);
        }));
        slot
    }

    pub(super) fn stop_cleanly(&mut self) -> Result<(), String> {
        let Some(views) = self.views() else { return Ok(()) };
        self.trace.note(format_args!("a clean stop"));
        let stopped = self.spawn(async move { views.stop().await });
        let in_time = self.drive(120_000, |_| stopped.lock().is_some());
        if !in_time && !self.full {
            return Err("the views do not stop".into());
        }
        if let Some(node) = self.node.as_mut().filter(|_| !self.disk.is_off()) {
            let handle = node.shard.handle();
            let mut stopping = Box::pin(handle.stop());
            let _ = stopping.as_mut().now_or_never();
            for _ in 0..1_000 {
                if !node.shard.turn() {
                    break;
                }
            }
        }
        let clean = !self.is_down() && !self.full && !self.broke_disk;
        let loss = if clean { Loss::Everything } else { self.choose_loss() };
        self.crash(loss)
    }

    pub(super) fn end_node(&mut self) {
        self.statement = None;
        self.terminating = None;
        self.world.kill_tasks();
        self.node = None;
        self.world.kill_tasks();
    }

    /// The node dies and starts again.
    pub(super) fn crash(&mut self, loss: Loss) -> Result<(), String> {
        self.crashes += 1;
        self.disk.crash(loss);
        self.end_node();
        self.broke_disk = false;
        self.trace.note(format_args!("crash, loses {loss:?}"));
        self.start()
    }

    pub(super) fn start(&mut self) -> Result<(), String> {
        for attempt in 0.. {
            if attempt < 3 && self.rng.percent(15) {
                self.arm_power_failure();
            }
            match self.try_start() {
                Ok(()) if !self.is_down() => return self.look(false),
                Ok(()) => {}
                Err(error) => {
                    self.trace.note(format_args!("the node does not start: {error}"));
                    if !self.is_down() && !self.full && !self.broke_disk {
                        return Err(format!("the node does not start: {error}"));
                    }
                }
            }
            if attempt > 50 {
                return Err("the node does not start in 50 attempts".into());
            }
            if self.full {
                self.free_disk();
            }
            let again = self.choose_loss();
            self.disk.crash(again);
            self.end_node();
            self.broke_disk = false;
            self.crashes += 1;
            self.trace.note(format_args!("crash while starting, loses {again:?}"));
        }
        Ok(())
    }

    pub(super) fn try_start(&mut self) -> Result<(), String> {
        let states = peek(&self.disk, &self.databases);
        let shard = Shard::open(self.world.clone(), self.settings.clone()).map_err(|error| error.to_string())?;
        let handle = shard.handle();
        let open = OpenTopics::default();
        self.node = Some(Node { shard, open: open.clone(), views: None });
        let topics: Vec<_> = self.metadata.lock().topics.clone().into_iter().collect();
        let (world, shard, metadata, opening) = (self.world.clone(), handle.clone(), self.metadata.clone(), open.clone());
        let opened = self.spawn(async move {
            for (name, specs) in topics {
                SimOutside::open_topic(world.clone(), shard.clone(), metadata.clone(), name, specs, opening.clone()).await;
            }
        });
        if !self.drive(30_000, |_| opened.lock().is_some()) {
            return Err(format!("the topics do not open: {}", self.metadata.lock().trouble));
        }
        if self.is_down() {
            return Ok(());
        }
        if let Ok(states) = states {
            self.check_states(&states)?;
        }
        let (world, databases, metadata) = (self.world.clone(), self.databases.clone(), self.metadata.clone());
        let outside = Arc::new(SimOutside { world, databases, metadata, shard: handle, open });
        let settings = ViewSettings { memory_bytes: 64 << 20, push_queries_max: 10, limits: Limits::STANDARD, answer_bytes_max: 64 << 20, plant: self.options.views };
        let started = self.spawn(Views::start(outside, settings, Settings::default()));
        if !self.drive(30_000, |_| started.lock().is_some()) {
            return Err("the views do not start".into());
        }
        let views = started.lock().take();
        match (views, &mut self.node) {
            (Some(Ok(views)), Some(node)) => node.views = Some(views),
            (Some(Err(failed)), _) => return Err(failed.to_string()),
            _ => {}
        }
        Ok(())
    }

    /// No state that a crash left is ahead of the logs that the same crash left.
    pub(super) fn check_states(&self, states: &States) -> Result<(), String> {
        let found = states.check(|topic| self.partitions_of(topic), |query| self.sink_of(query));
        // The power may have failed under the reader.
        if self.is_down() { Ok(()) } else { found }
    }

    /// The topic that the query's tasks write: the view's own, or, of a stage, the one through which its rows move.
    pub(super) fn sink_of(&self, query: &str) -> Option<String> {
        if self.doomed.contains(query) {
            return None;
        }
        if let Some((_, numbers)) = query.split_once('-') {
            let end = format!("-{numbers}-repartition");
            return self.metadata.lock().topics.keys().find(|topic| topic.ends_with(&end)).cloned();
        }
        self.views.iter().map(|view| view.name).find(|name| query.contains(&format!("_{name}_"))).map(str::to_owned)
    }
}
