//! Statements: all of a text are decided first, against a catalog that each of them changes in turn; then each is carried out.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::lock::MutexGuard;
use millrace_engine::Query;
use millrace_shard::{GroupId, Partition};
use millrace_sql::ast::{Located, QueryRef, Statement};
use millrace_sql::catalog::properties::{Unfit, check};
use millrace_sql::catalog::{Catalog, Decision, Effect, Explanation, NewTopic, NoSchemas, Session, Settings, Topics, decide};
use millrace_sql::parser::{RawStatement, Variables, parse_raw, split};
use millrace_sql::plan::QueryId;

use crate::command::Command;
use crate::host::commands::{CommandStatus, UnderWay, command_id};
use crate::host::names::kept_id;
use crate::host::start::{is_kept, is_lasting, whole_source};
use crate::host::topics::{Answers, BrokerTopics, Noted};
use crate::host::Views;
use crate::{Failed, Refused, insert};

/// What became of one statement.
#[derive(Clone, Debug)]
pub enum Outcome {
    Done { effect: Effect, command: String, message: String, query: Option<QueryId> },
    /// INSERT VALUES: where the record is.
    Inserted { topic: String, partition: i32, log: Option<GroupId>, offset: i64 },
    /// SET, UNSET, DEFINE, UNDEFINE: they hold for the rest of the text.
    Session,
    /// LIST, DESCRIBE, EXPLAIN ..: whoever asked finds the answer in the catalog that the statement saw.
    Ask { catalog: Arc<Catalog>, settings: Settings, variables: Variables },
    /// ASSERT TOPIC, which held.
    Asserted { topic: String, exists: bool },
    /// TERMINATE of a query that would have ended with whoever asked for it.
    Closed { query: String },
}

#[derive(Clone, Debug)]
pub struct Executed {
    pub located: Located,
    pub outcome: Outcome,
    pub warnings: Vec<String>,
    /// The number of the command that it became.
    pub sequence: Option<u64>,
}

/// Statements that were carried out before one failed.
#[derive(Debug)]
pub struct Stopped {
    pub done: Vec<Executed>,
    pub failed: Failed,
    /// The text of the statement at fault.
    pub statement: String,
}

/// The right to change the catalog.
struct Alone<'a> {
    _under_way: UnderWay<'a>,
    _lock: MutexGuard<'a, ()>,
}

/// The broker's topics and those that earlier statements of the same text will make.
struct PlannedTopics<'a> {
    broker: BrokerTopics<'a>,
    planned: RefCell<BTreeMap<String, Option<i32>>>,
}

impl Topics for PlannedTopics<'_> {
    fn partitions(&self, topic: &str) -> Option<i32> {
        match self.planned.borrow().get(topic) {
            Some(planned) => *planned,
            None => self.broker.partitions(topic),
        }
    }
}

impl PlannedTopics<'_> {
    fn follow(&self, effect: &Effect) {
        let mut planned = self.planned.borrow_mut();
        match effect {
            Effect::CreateSource { topic: Some(topic), .. } | Effect::StartQuery { topic: Some(topic), .. } => {
                planned.insert(topic.name.clone(), Some(topic.partitions.unwrap_or(1)));
            }
            Effect::DropSource { delete_topic: Some(topic), .. } => drop(planned.insert(topic.clone(), None)),
            _ => {}
        }
    }
}

impl Views {
    /// Runs a text of statements. Nothing is done when any of them cannot be.
    pub async fn execute(
        self: &Arc<Self>,
        sql: &str,
        properties: &BTreeMap<String, String>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Vec<Executed>, Stopped> {
        let whole = |failed: Failed| Stopped { done: Vec::new(), failed, statement: sql.to_string() };
        let raws = split(sql, &self.settings.limits).map_err(|error| whole(error.into()))?;
        let mut alone = Some(self.alone().await);
        let mut settings = self.session_settings(properties).map_err(whole)?;
        self.check_all(&raws, settings.clone(), variables)?;

        let mut variables = variables_of(variables);
        let mut done = Vec::new();
        for raw in &raws {
            match self.execute_one(raw, &mut settings, &mut variables, &mut alone).await {
                Ok(executed) => done.push(executed),
                Err(failed) => return Err(Stopped { done, failed, statement: raw.text.to_string() }),
            }
        }
        Ok(done)
    }

    /// [`Views::execute`] that goes on to its end when the caller does not wait for it.
    pub async fn execute_whole(
        self: &Arc<Self>,
        sql: String,
        properties: BTreeMap<String, String>,
        variables: BTreeMap<String, String>,
    ) -> Result<Vec<Executed>, Stopped> {
        let (views, text) = (self.clone(), sql.clone());
        let (done, answer) = futures_channel::oneshot::channel();
        self.outside.world().spawn(Box::pin(async move {
            // Whoever asked may be gone.
            let _ = done.send(views.execute(&text, &properties, &variables).await);
        }));
        let given_up = |_| Err(Stopped { done: Vec::new(), failed: Failed::trouble("the statements were given up: the node stops, or the log says why"), statement: sql });
        answer.await.unwrap_or_else(given_up)
    }

    /// The server's properties under the session's own. A name that nothing knows has no effect: clients send what they like.
    pub fn session_settings(&self, properties: &BTreeMap<String, String>) -> Result<Settings, Failed> {
        let mut settings = self.server.clone();
        for (name, value) in properties {
            match check(name, value) {
                Ok(()) | Err(Unfit::Unknown(_)) => settings.set(full_name(name), value.as_str()),
                Err(unfit) => return Err(Failed::statement(unfit.to_string())),
            }
        }
        Ok(settings)
    }

    /// All statements of a text, without a look at the catalog.
    pub fn parse_with(&self, sql: &str, variables: &BTreeMap<String, String>) -> Result<Vec<Located>, Failed> {
        Ok(millrace_sql::parser::parse(sql, &mut variables_of(variables), &self.settings.limits)?)
    }

    /// How a query that runs, or a statement that could, is carried out.
    pub fn explain(&self, catalog: &Catalog, settings: &Settings, query: Option<&str>, statement: Option<&Statement>) -> Result<Explanation, Failed> {
        let topics = BrokerTopics(&*self.outside);
        let session = Session { catalog, topics: &topics, schemas: &NoSchemas, settings, functions: self.functions };
        Ok(session.explain(query, statement)?)
    }

    fn check_all(&self, raws: &[RawStatement<'_>], mut settings: Settings, variables: &BTreeMap<String, String>) -> Result<(), Stopped> {
        let mut variables = variables_of(variables);
        let mut catalog = (*self.catalog()).clone();
        let topics = PlannedTopics { broker: BrokerTopics(&*self.outside), planned: RefCell::default() };
        for raw in raws {
            let stopped = |failed: Failed| Stopped { done: Vec::new(), failed, statement: raw.text.to_string() };
            let located = parse_raw(raw, &variables, &self.settings.limits).map_err(|error| stopped(error.into()))?;
            if self.transient_meant(&located.statement).is_some() {
                continue;
            }
            let decision = self.decide(&catalog, &topics, &settings, &located).map_err(stopped)?;
            self.check_can_run(&decision.effect, &settings).map_err(stopped)?;
            topics.follow(&decision.effect);
            follow_session(&decision.effect, &mut settings, &mut variables);
            catalog.apply(&decision.effect);
        }
        Ok(())
    }

    /// Whether what the statement makes could be carried out: a format that is not here, say, must be refused before anything changes.
    fn check_can_run(&self, effect: &Effect, settings: &Settings) -> Result<(), Failed> {
        match effect {
            Effect::CreateSource { source, .. } => self.compile(settings, |engine| Query::transient(&whole_source(source), engine)).map(drop),
            Effect::StartQuery { plan, .. } => self.compile(settings, |engine| Query::persistent(plan, engine)).map(drop),
            _ => Ok(()),
        }
    }

    pub(super) fn decide(&self, catalog: &Catalog, topics: &dyn Topics, settings: &Settings, located: &Located) -> Result<Decision, Failed> {
        let session = Session { catalog, topics, schemas: &NoSchemas, settings, functions: self.functions };
        Ok(decide(&session, located)?)
    }

    async fn alone(&self) -> Alone<'_> {
        let lock = self.changing.lock().await;
        Alone { _under_way: self.commands.begin(self.outside.world().now()), _lock: lock }
    }

    /// The catalog does not know the queries that end with whoever asked for them.
    fn transient_meant(&self, statement: &Statement) -> Option<String> {
        let Statement::Terminate(QueryRef::Id(id)) = statement else { return None };
        self.transient.lock().keys().find(|known| known.eq_ignore_ascii_case(id)).cloned()
    }

    async fn execute_one<'a>(
        self: &'a Arc<Self>,
        raw: &RawStatement<'_>,
        settings: &mut Settings,
        variables: &mut Variables,
        alone: &mut Option<Alone<'a>>,
    ) -> Result<Executed, Failed> {
        let located = parse_raw(raw, variables, &self.settings.limits)?;
        if let Some(query) = self.transient_meant(&located.statement) {
            self.close(&query);
            return Ok(Executed { located, outcome: Outcome::Closed { query }, warnings: Vec::new(), sequence: None });
        }
        let (Decision { effect, warnings }, topics) = {
            let noted = Noted::new(BrokerTopics(&*self.outside));
            let decision = self.decide(&self.catalog(), &noted, settings, &located)?;
            (decision, noted.into_answers())
        };
        let mut sequence = None;
        let outcome = match &effect {
            Effect::SetProperty { .. } | Effect::UnsetProperty { .. } | Effect::Define { .. } | Effect::Undefine { .. } => {
                follow_session(&effect, settings, variables);
                Outcome::Session
            }
            Effect::InsertValues(values) => {
                let record = insert::record_of(values, self.functions, &self.eval_context(settings))?;
                let topic = &values.target.topic;
                let partitions = self.topic(topic)?;
                let (partition, appended) = insert::append(&partitions, &record, self.next_number()).await?;
                let log = partitions.get(partition as usize).map(Partition::id);
                Outcome::Inserted { topic: topic.clone(), partition, log, offset: appended.base_offset.0 }
            }
            Effect::Ask => match &located.statement {
                Statement::AssertTopic { topic, exists, properties, timeout } => {
                    // It may take its time, and changes nothing: others go on.
                    *alone = None;
                    self.assert_topic(topic, *exists, properties, timeout.as_ref()).await?;
                    *alone = Some(self.alone().await);
                    Outcome::Asserted { topic: topic.clone(), exists: *exists }
                }
                _ => Outcome::Ask { catalog: self.catalog(), settings: settings.clone(), variables: variables.clone() },
            },
            Effect::Push(_) | Effect::Pull(_) => {
                return Err(Failed::statement("The following statement types should be issued to the websocket endpoint '/query': SELECT"));
            }
            lasting => {
                let command = command_id(lasting, &self.catalog());
                if is_lasting(&located.statement, lasting) {
                    sequence = Some(self.carry_out(lasting, &located, settings, topics, command.clone()).await?);
                }
                Outcome::Done { message: message_of(lasting), command, effect: effect.clone(), query: query_of(lasting) }
            }
        };
        Ok(Executed { located, outcome, warnings, sequence })
    }

    /// Makes what the effect needs, writes the command, then makes this node match. Answers the command's number.
    async fn carry_out(self: &Arc<Self>, effect: &Effect, located: &Located, settings: &Settings, topics: Answers, id: String) -> Result<u64, Failed> {
        let properties = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut command = Command::new(located.text.clone(), properties);
        command.topics = topics;
        match effect {
            Effect::CreateSource { source, topic, .. } => {
                self.make_topic(topic.as_ref()).await?;
                if is_kept(source) {
                    let begin = self.topic(&source.topic)?;
                    let begin = begin.iter().enumerate();
                    command.start = begin.map(|(at, partition)| (source.topic.clone(), at as i32, partition.state().start.0)).collect();
                }
            }
            Effect::StartQuery { plan, topic, replaces, .. } => {
                self.make_topic(topic.as_ref()).await?;
                let catalog = self.catalog();
                match replaces.as_ref().and_then(|id| catalog.query(id)) {
                    Some(old) => {
                        if let Err(failed) = self.take_over(&old.plan, plan, &mut command).await {
                            self.restart_stages().await;
                            return Err(failed);
                        }
                    }
                    None => {
                        command.start = self.start_positions(&plan.root, settings)?;
                        (command.sharded, command.repartitions) = self.spread(plan, settings, &command.start).await?;
                        command.producer = Some(self.producers().await?);
                        command.sink_partitions = Some(self.topic(&plan.sink.source.topic)?.len() as i32);
                    }
                }
            }
            Effect::DropSource { delete_topic: Some(topic), .. } => command.deletes = self.groups_of(topic).iter().map(|group| group.0).collect(),
            _ => {}
        }
        if let Err(refused) = self.outside.append_command(command.encode()).await {
            self.restart_stages().await;
            return Err(Failed::Trouble(refused.0));
        }
        let (before, commands) = (self.catalog(), self.starts.lock().clone());
        let mut catalog = (*before).clone();
        catalog.apply(effect);
        self.catalog.store(Arc::new(catalog));
        self.note_start(effect, &Arc::new(command));
        self.forget_ended();
        self.hold_inputs();
        // The command holds from here on: what could not be done of it is told, and is no reason to be stuck.
        let matched = self.match_effect(effect, &before, &commands).await;
        let status = match &matched {
            Ok(()) => CommandStatus { message: message_of(effect), query: query_of(effect).map(|id| id.to_string()), failed: false },
            Err(failed) => CommandStatus { message: failed.to_string(), query: None, failed: true },
        };
        self.commands.carried_out(id, status);
        matched?;
        Ok(self.outside.commands().len() as u64 - 1)
    }

    async fn make_topic(&self, topic: Option<&NewTopic>) -> Result<(), Failed> {
        let Some(topic) = topic else { return Ok(()) };
        self.outside.create_topic(topic.clone()).await.map_err(|refused| Failed::Trouble(refused.0))
    }

    /// `commands` are those by which the queries of the catalog `before` ran.
    async fn match_effect(&self, effect: &Effect, before: &Catalog, commands: &BTreeMap<QueryId, Arc<Command>>) -> Result<(), Failed> {
        match effect {
            Effect::CreateSource { source, .. } if is_kept(source) => {
                self.keep_source(source).await;
                Ok(())
            }
            Effect::StartQuery { plan, replaces, .. } => {
                self.follow(plan).await;
                if let Some(old) = replaces {
                    self.stop_unused_stages().await;
                    self.restart_stages().await;
                    self.forget_stages(commands.get(old).map(Arc::as_ref)).await;
                }
                Ok(())
            }
            Effect::DropSource { name, delete_topic, terminates } => {
                let kept = before.source(name).filter(|source| is_kept(source)).map(|source| kept_id(source));
                for id in terminates.iter().chain(&kept) {
                    self.stop_query(id).await;
                    self.forget(id, commands.get(id).map(Arc::as_ref)).await;
                }
                match delete_topic {
                    Some(topic) if self.outside.partitions(topic).is_some() => {
                        let left = |refused: Refused| Failed::Trouble(format!("{name} was dropped, but its topic {topic} is still there: {}", refused.0));
                        self.outside.delete_topic(topic.clone()).await.map_err(left)
                    }
                    _ => Ok(()),
                }
            }
            Effect::Terminate { ids } => {
                self.stop_queries(ids).await;
                for id in ids {
                    self.forget(id, commands.get(id).map(Arc::as_ref)).await;
                }
                Ok(())
            }
            Effect::Pause { ids } => {
                self.stop_queries(ids).await;
                Ok(())
            }
            Effect::Resume { ids } => {
                let catalog = self.catalog();
                for id in ids.iter().filter(|id| self.following(id).is_none()) {
                    if let Some(query) = catalog.query(id) {
                        self.follow(&query.plan).await;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn query_of(effect: &Effect) -> Option<QueryId> {
    match effect {
        Effect::StartQuery { plan, .. } => Some(plan.id.clone()),
        _ => None,
    }
}

fn variables_of(given: &BTreeMap<String, String>) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in given {
        variables.define(name, value);
    }
    variables
}

fn follow_session(effect: &Effect, settings: &mut Settings, variables: &mut Variables) {
    match effect {
        Effect::SetProperty { name, value } => settings.set(full_name(name), value.as_str()),
        Effect::UnsetProperty { name } => drop(settings.unset(&full_name(name))),
        Effect::Define { name, value } => variables.define(name, value),
        Effect::Undefine { name } => variables.undefine(name),
        _ => {}
    }
}

/// `ksql.streams.auto.offset.reset` is `auto.offset.reset`.
fn full_name(name: &str) -> String {
    name.strip_prefix("ksql.streams.").unwrap_or(name).to_string()
}

pub(super) fn message_of(effect: &Effect) -> String {
    match effect {
        Effect::CreateSource { source, replaces: false, .. } => match source.is_table() {
            true => "Table created".into(),
            false => "Stream created".into(),
        },
        Effect::CreateSource { source, .. } => format!("{} replaced", if source.is_table() { "Table" } else { "Stream" }),
        Effect::StartQuery { plan, .. } => format!("Created query with ID {}", plan.id),
        Effect::AlterSource { source } => format!("{} altered", if source.is_table() { "Table" } else { "Stream" }),
        Effect::DropSource { name, delete_topic: None, .. } => format!("Source {} was dropped.", name.quoted()),
        Effect::DropSource { name, delete_topic: Some(topic), .. } => {
            format!("Source {} (topic: {topic}) was dropped.", name.quoted())
        }
        Effect::Terminate { .. } => "Query terminated.".into(),
        Effect::Pause { .. } => "Query paused.".into(),
        Effect::Resume { .. } => "Query resumed.".into(),
        Effect::CreateType { name, data_type } => format!("Registered custom type with name '{name}' and SQL type {data_type}"),
        Effect::DropType { name } => format!("Dropped type '{name}'"),
        Effect::Nothing { message } => message.clone(),
        _ => String::new(),
    }
}

/// Whether the statement is a SELECT or PRINT, which have an endpoint of their own.
pub fn is_query(statement: &Statement) -> bool {
    matches!(statement, Statement::Query(_) | Statement::Print { .. })
}
