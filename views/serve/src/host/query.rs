//! SELECT: pull queries over kept rows or over a stream up to its present end, and push queries.
use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::state::{Cut, InputId, MemoryStore};
use millrace_engine::{Query, Task};
use millrace_record::Offset;
use millrace_shard::{Partition, Upto};
use millrace_sql::ast::Located;
use millrace_sql::catalog::{Catalog, Effect, Settings};
use millrace_sql::plan::{Access, PullPlan, PushPlan, SourceColumn, SourceKind, Step};
use millrace_sql::schema::Schema;

use crate::host::plan::{is_stateful, table_topics};
use crate::host::topics::BrokerTopics;
use crate::host::{Reads, Transient, Views};
use crate::push::{Ended, Feed, From, Subscription};
use crate::run::{Cell, Input, Plant, RunError, Runner, SharedStore, Stop, ViewStore};
use crate::{Failed, PullAnswer};

/// What queries are called that read one running query's outputs from now on.
const SCALABLE: &str = "SCALABLE_PUSH_QUERY";

/// A SELECT's answer.
pub enum Selected {
    /// Over a table: its rows.
    Rows(PullAnswer),
    /// Over a stream: what it holds now, then the end.
    Finite(Subscription),
    /// EMIT CHANGES.
    Endless(Subscription),
}

impl Views {
    /// Runs one SELECT, at once and here: a view that is being opened is an error. Rows of a table are those of a state that has
    /// applied `at_or_after`.
    pub async fn select(
        self: &Arc<Self>,
        sql: &str,
        properties: &BTreeMap<String, String>,
        variables: &BTreeMap<String, String>,
        from: Option<From>,
        at_or_after: &Cut,
    ) -> Result<Selected, Failed> {
        self.select_as(false, &self.parse_with(sql, variables)?, properties, from, at_or_after).await
    }

    /// [`Views::select`] for callers over the network: waits for a view that is being opened, and scans on the views' own threads.
    pub async fn select_patiently(
        self: &Arc<Self>,
        sql: &str,
        properties: &BTreeMap<String, String>,
        variables: &BTreeMap<String, String>,
        from: Option<From>,
        at_or_after: &Cut,
    ) -> Result<Selected, Failed> {
        self.select_parsed(&self.parse_with(sql, variables)?, properties, from, at_or_after).await
    }

    /// The same for a text that was read already.
    pub async fn select_parsed(
        self: &Arc<Self>,
        statements: &[Located],
        properties: &BTreeMap<String, String>,
        from: Option<From>,
        at_or_after: &Cut,
    ) -> Result<Selected, Failed> {
        self.select_as(true, statements, properties, from, at_or_after).await
    }

    async fn select_as(
        self: &Arc<Self>,
        patient: bool,
        statements: &[Located],
        properties: &BTreeMap<String, String>,
        from: Option<From>,
        at_or_after: &Cut,
    ) -> Result<Selected, Failed> {
        let [located] = statements else {
            return Err(Failed::statement(format!("Expected exactly one KSQL statement; found {} instead", statements.len())));
        };
        let settings = self.session_settings(properties)?;
        match self.decide(&self.catalog(), &BrokerTopics(&*self.outside), &settings, located)?.effect {
            Effect::Pull(plan) if plan.source.is_table() => {
                // A scan must not keep the threads that serve the network; a look-up is done before it could move.
                let quick = !patient || matches!(plan.access, Access::Keys(_));
                if !patient {
                    self.cells_of(&plan.source)?;
                }
                let cells = self.cells_at(&plan.source, at_or_after).await?;
                let (functions, context) = (self.functions, self.eval_context(&settings));
                let look = move || crate::pull::pull(&plan, &cells, functions, &context);
                Ok(Selected::Rows(if quick { look()? } else { self.aside(look).await? }))
            }
            Effect::Pull(plan) => Ok(Selected::Finite(self.read_stream(&plan, &settings, &located.text)?)),
            Effect::Push(plan) => {
                let from = from.unwrap_or_else(|| match settings.get("auto.offset.reset") {
                    Some(value) if value.eq_ignore_ascii_case("earliest") => From::Earliest,
                    _ => From::Latest,
                });
                Ok(Selected::Endless(self.subscribe(&plan, from, &settings, &located.text)?))
            }
            _ => Err(Failed::statement("only SELECT statements can be queried")),
        }
    }

    /// Everything that the stream holds now.
    fn read_stream(self: &Arc<Self>, plan: &PullPlan, settings: &Settings, statement: &str) -> Result<Subscription, Failed> {
        self.transient_query("transient", &plan.root, &plan.schema, plan.limit, From::Earliest, true, settings, statement)
    }

    fn subscribe(self: &Arc<Self>, plan: &PushPlan, from: From, settings: &Settings, statement: &str) -> Result<Subscription, Failed> {
        let kind = if is_scalable(&plan.root, &from, settings, &self.catalog()) { SCALABLE } else { "transient" };
        self.transient_query(kind, &plan.root, &plan.schema, plan.limit, from, false, settings, statement)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one query's description")]
    fn transient_query(
        self: &Arc<Self>,
        kind: &str,
        root: &Step,
        schema: &Schema,
        limit: Option<i64>,
        from: From,
        finite: bool,
        settings: &Settings,
        statement: &str,
    ) -> Result<Subscription, Failed> {
        let place = self.place()?;
        let query = self.compile(settings, |engine| Query::transient(root, engine))?;
        let (mut inputs, mut warm) = (Vec::new(), Vec::new());
        let (mut begin, mut read) = (Cut::default(), Vec::new());
        let stateful = is_stateful(root);
        let tables = table_topics(root);
        let keyed = kind == SCALABLE && root.sources().iter().any(|step| step.source.schema.keys().next().is_some());
        for topic in query.topics() {
            for (number, partition) in self.topic(&topic)?.into_iter().enumerate() {
                let id = InputId::new(topic.clone(), number as i32);
                let state = partition.state();
                let next = match &from {
                    From::Earliest => state.start,
                    From::Latest => state.high_watermark,
                    // A partition that the cut does not name is one that came later.
                    From::Cut(cut) => resumed(cut, &id, &partition)?.unwrap_or(state.start),
                };
                begin.advance(&id, next.0);
                read.push((id.clone(), partition.clone()));
                // A query with state must see what came before; only what comes of it is not told again.
                let again = stateful && matches!(from, From::Cut(_));
                warm.push(next);
                let input = Input::new(id, partition, if again { state.start } else { next }, tables.contains(&topic));
                inputs.push(if keyed { input.with_keys_only() } else { input });
            }
        }
        if let From::Cut(cut) = &from
            && let Some((stranger, _)) = cut.iter().find(|(id, _)| begin.next(id).is_none())
        {
            return Err(not_read(stranger, root));
        }
        let until = finite.then(|| inputs.iter().map(Input::available).collect());
        let mut task = Task::open(query, SharedStore::new(ViewStore::Memory(MemoryStore::new())))?;
        // Every cut names every input, those included of which nothing has come.
        inputs.iter().for_each(|input: &Input| task.skip_to(&input.id, input.next.0));
        let id = format!("{kind}_{}_{}", root.sources().first().map_or("", |step| step.source.name.as_str()), self.query_suffix());
        let stop = Stop::default();
        let (feed, receiver, ended) = Feed::open(self.outside.world(), settings);
        let reads = Reads::new(read, keyed, tables);
        let (log, name) = (self.log.clone(), id.clone());
        let runner = Runner {
            name: id.clone(),
            world: self.outside.world(),
            cell: Arc::new(Cell::new(task)),
            inputs,
            later: Vec::new(),
            fresh: reads.fresh.clone(),
            hooks: Vec::new(),
            schedule: None,
            output: None,
            deliver: Some(feed.deliver()),
            keep_result: false,
            windowed: false,
            warm: (stateful && matches!(from, From::Cut(_))).then_some(warm),
            until,
            stop: stop.clone(),
            entries: Default::default(),
            plant: Plant::Nothing,
            unsettled: false,
            written_ends: Vec::new(),
            kept_at: self.outside.world().now(),
            on_log: Arc::new(move |event| log.note(&name, event)),
        };
        self.transient.lock().insert(id.clone(), Transient { statement: statement.to_string(), finite, stop: stop.clone(), reads: reads.clone(), ended: ended.clone() });
        let (views, registered, stopped) = (Arc::downgrade(self), id.clone(), stop.clone());
        self.outside.world().spawn(Box::pin(async move {
            let _place = place;
            let why = match runner.run().await {
                Err(error @ RunError::Removed { .. }) => Some(Ended::Gone(error.to_string())),
                Err(error) => Some(Ended::Trouble(error.to_string())),
                Ok(()) => stopped.asked().then_some(Ended::Stopped),
            };
            feed.close(why);
            if let Some(views) = views.upgrade() {
                views.transient.lock().remove(&registered);
            }
        }));
        let table = root.kind() == SourceKind::Table;
        Ok(Subscription { id, schema: schema.clone(), limit, table, begin, reads, receiver, ended, stop })
    }

    fn query_suffix(&self) -> String {
        format!("{:019}", self.outside.world().random() >> 1)
    }
}

/// Where a subscriber goes on that has seen `cut`; nothing if the cut does not name the partition.
fn resumed(cut: &Cut, id: &InputId, partition: &Partition) -> Result<Option<Offset>, Failed> {
    let Some(next) = cut.next(id) else { return Ok(None) };
    let (state, end) = (partition.state(), partition.limit(Upto::LastStable));
    let gone = |why: String| Err(Failed::Gone(format!("{}-{} {why}", id.topic, id.partition)));
    match Offset(next) {
        next if next < state.start => gone(format!("begins at offset {} and the cut at {}: what lies between is gone", state.start.0, next.0)),
        next if next > end => gone(format!("ends at offset {}, before the cut's {}: is it another topic of the same name?", end.0, next.0)),
        next => Ok(Some(next)),
    }
}

pub(crate) fn not_read(stranger: &InputId, root: &Step) -> Failed {
    let read: Vec<&str> = root.sources().into_iter().map(|step| step.source.topic.as_str()).collect();
    Failed::NotAnInput(format!("the cut names {}-{}, which the query does not read; it reads {}", stranger.topic, stranger.partition, read.join(", ")))
}

/// Whether ksqlDB would run the query on its second kind of push queries, whose ids tell them apart: from the end of what a
/// persistent query writes, filtered and projected only. Here both kinds run alike.
fn is_scalable(root: &Step, from: &From, settings: &Settings, catalog: &Catalog) -> bool {
    let on = settings.get("ksql.query.push.v2.enabled").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    on && matches!(from, From::Latest) && reads_one_query(root, catalog)
}

fn reads_one_query(step: &Step, catalog: &Catalog) -> bool {
    match step {
        Step::Source(source) => {
            // A running query's outputs do not know where they will stand in the topic.
            let placed = |column: &SourceColumn| matches!(column, SourceColumn::RowPartition | SourceColumn::RowOffset);
            !source.columns.iter().any(placed) && catalog.writers(&source.source.name).count() == 1
        }
        Step::Filter(filter) => reads_one_query(&filter.input, catalog),
        Step::Project(project) => reads_one_query(&project.input, catalog),
        _ => false,
    }
}
