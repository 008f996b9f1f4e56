//! The methods.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use millrace_engine::state::Cut;
use millrace_proto::{self as proto, views_server};
use millrace_sql::catalog::RunningQuery;
use millrace_sql::plan::DataSource;
use millrace_sql::value::Value;
use millrace_world::{Moment, World};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use crate::grpc::answers::{self, Answers};
use crate::grpc::convert::{columns, from_cut, from_value, literal, named_cut, seen_cut, to_row};
use crate::grpc::error::{invalid, refuse, status, stopped};
use crate::grpc::{ask, deadline};
use crate::host::{Executed, Outcome, Selected};
use crate::run::{Cell, ViewRow};
use crate::{Failed, From, InputId, Views, pull};

/// Keys in one BatchGet.
const KEYS_MAX: usize = 10_000;
/// Positions in a cut.
const POSITIONS_MAX: usize = 100_000;

pub struct Service {
    views: Arc<Views>,
    world: Arc<dyn World>,
}

/// A table as a look-up finds it.
struct Found {
    source: Arc<DataSource>,
    cells: Vec<Arc<Cell>>,
}

impl Service {
    pub fn new(views: Arc<Views>) -> Service {
        let world = views.outside().world();
        Service { views, world }
    }

    fn deadline(&self, metadata: &MetadataMap) -> Option<Moment> {
        deadline::given(metadata, &*self.world)
    }

    /// The table, once its tasks have applied what the caller has seen.
    async fn table(&self, name: &str, at_or_after: &Cut) -> Result<Found, Status> {
        let source = self.views.source(name).map_err(status)?;
        if !source.is_table() {
            let message = format!("{} is a stream: it has no row of a key; use Query or Subscribe", source.name);
            return Err(refuse(Code::FailedPrecondition, "NOT_A_TABLE", &message));
        }
        let cells = self.views.cells_at(&source, at_or_after).await.map_err(status)?;
        Ok(Found { source, cells })
    }

    /// A cut of the request, which must be of the logs that are there.
    fn cut_of(&self, field: &str, cut: Option<&proto::Cut>) -> Result<Cut, Status> {
        let positions = cut.map(|cut| cut.positions.as_slice()).unwrap_or_default();
        if positions.len() > POSITIONS_MAX {
            return Err(invalid(field, format!("a cut names at most {POSITIONS_MAX} positions")));
        }
        for position in positions.iter().filter(|position| position.log != 0) {
            let found = self.views.log_of(&InputId::new(position.topic.as_str(), position.partition));
            if found.is_some_and(|found| found.0 != position.log) {
                let (topic, partition) = (&position.topic, position.partition);
                let why = format!("{topic}-{partition} is another log than the cut's: the topic was deleted and made again, and what the cut speaks of is gone");
                return Err(status(Failed::Gone(why)));
            }
        }
        Ok(from_cut(cut))
    }

    /// Why an answer at `cut` is not there yet.
    fn late(&self, cut: &Cut) -> String {
        let ends = self.views.ends_of(cut);
        let ahead = cut.iter().find_map(|(input, wanted)| Some((input, wanted, ends.next(input)?)).filter(|(_, wanted, end)| wanted > end));
        match ahead {
            Some((input, wanted, end)) => format!(
                "{}-{} ends at offset {end}, and at_or_after asks for what lies before {wanted}: nobody wrote that in time",
                input.topic, input.partition
            ),
            None if cut.iter().next().is_some() => "the view did not reach at_or_after in time; Describe says how far it is".into(),
            None => deadline::late(),
        }
    }

    fn result(&self, one: Executed) -> Result<proto::StatementResult, Status> {
        let mut result = proto::StatementResult { warnings: one.warnings, ..Default::default() };
        match &one.outcome {
            Outcome::Done { message, query, .. } => {
                result.message = message.clone();
                result.query_id = query.as_ref().map(ToString::to_string).unwrap_or_default();
            }
            Outcome::Inserted { topic, partition, log, offset } => {
                let table = ask::inserted(topic, *partition, *offset);
                (result.columns, result.rows) = (table.columns, table.rows);
                let position = proto::Position { topic: topic.clone(), partition: *partition, offset: offset + 1, log: log.map_or(0, |log| log.0) };
                result.written = Some(proto::Cut { positions: vec![position] });
            }
            Outcome::Session => {}
            Outcome::Asserted { topic, exists } => result.message = format!("Topic {topic} {}.", if *exists { "exists" } else { "does not exist" }),
            Outcome::Closed { query } => result.message = format!("{query} was ended."),
            Outcome::Ask { catalog, settings, .. } => {
                let table = ask::answer(&self.views, catalog, settings, &one.located.statement).map_err(status)?;
                (result.message, result.columns, result.rows) = (table.message, table.columns, table.rows);
            }
        }
        result.statement = one.located.text;
        Ok(result)
    }
}

impl Found {
    fn windowed(&self) -> bool {
        self.source.window.is_some()
    }

    fn key(&self, field: &str, given: &[proto::Value]) -> Result<Vec<Value>, Status> {
        let keys: Vec<_> = self.source.schema.keys().collect();
        if given.len() != keys.len() {
            let names: Vec<String> = keys.iter().map(|column| column.name.to_string()).collect();
            let message = format!("{} has {} key columns ({}), and {} values were given", self.source.name, keys.len(), names.join(", "), given.len());
            return Err(invalid(field, message));
        }
        let typed = |(value, column): (&proto::Value, &&millrace_sql::schema::Column)| {
            from_value(value, &column.sql_type).ok_or_else(|| invalid(field, format!("the key column {} is of the type {}", column.name, column.sql_type)))
        };
        given.iter().zip(&keys).map(typed).collect()
    }

    fn rows(rows: &[ViewRow]) -> Vec<proto::Row> {
        rows.iter().map(|row| to_row(&row.values, row.window)).collect()
    }
}

fn ordered(map: HashMap<String, String>) -> BTreeMap<String, String> {
    map.into_iter().collect()
}

/// `?` in the text stands for the next parameter, as a literal of its type: never as text of the statement.
fn bind(sql: &str, parameters: &[proto::Value]) -> Result<String, Status> {
    let bound = crate::bind::bind(sql, parameters.iter().map(literal));
    bound.map_err(|message| invalid("parameters", message))
}

#[tonic::async_trait]
impl views_server::Views for Service {
    async fn execute(&self, request: Request<proto::ExecuteRequest>) -> Result<Response<proto::ExecuteResponse>, Status> {
        let given = self.deadline(request.metadata());
        let request = request.into_inner();
        let (properties, variables) = (ordered(request.properties), ordered(request.variables));
        deadline::within(&*self.world, given, deadline::late, async {
            // Carried out to its end even when the caller goes away: half a statement helps nobody.
            let executed = self.views.execute_whole(request.sql, properties, variables).await.map_err(|failed| stopped(&failed))?;
            let results = executed.into_iter().map(|one| self.result(one)).collect::<Result<_, _>>()?;
            Ok(Response::new(proto::ExecuteResponse { results }))
        })
        .await
    }

    async fn get(&self, request: Request<proto::GetRequest>) -> Result<Response<proto::GetResponse>, Status> {
        let given = self.deadline(request.metadata());
        let request = request.into_inner();
        let cut = self.cut_of("at_or_after", request.at_or_after.as_ref())?;
        deadline::within(&*self.world, given, || self.late(&cut), async {
            let found = self.table(&request.view, &cut).await?;
            let (mut rows, seen) = pull::get(&found.cells, &found.key("key", &request.key)?, found.windowed()).map_err(status)?;
            if let Some(range) = &request.window_start {
                rows.retain(|row| {
                    row.window.is_none_or(|window| {
                        range.from_ms.is_none_or(|from| from <= window.start) && range.to_ms.is_none_or(|to| window.start <= to)
                    })
                });
            }
            let answer = proto::GetResponse { columns: columns(&found.source.schema), rows: Found::rows(&rows), cut: Some(seen_cut(&seen)) };
            Ok(Response::new(answer))
        })
        .await
    }

    async fn batch_get(&self, request: Request<proto::BatchGetRequest>) -> Result<Response<proto::BatchGetResponse>, Status> {
        let given = self.deadline(request.metadata());
        let request = request.into_inner();
        if request.keys.len() > KEYS_MAX {
            return Err(invalid("keys", format!("at most {KEYS_MAX} keys can be asked for at once, and these are {}", request.keys.len())));
        }
        let cut = self.cut_of("at_or_after", request.at_or_after.as_ref())?;
        deadline::within(&*self.world, given, || self.late(&cut), async {
            let found = self.table(&request.view, &cut).await?;
            let keys = request.keys.iter().map(|key| found.key("keys", &key.values)).collect::<Result<Vec<_>, _>>()?;
            let (each, seen) = pull::get_many(&found.cells, &keys, found.windowed()).map_err(status)?;
            let each = each.iter().map(|rows| proto::batch_get_response::Found { rows: Found::rows(rows) }).collect();
            let answer = proto::BatchGetResponse { columns: columns(&found.source.schema), found: each, cut: Some(seen_cut(&seen)) };
            Ok(Response::new(answer))
        })
        .await
    }

    type ScanStream = Answers<proto::RowsResponse>;

    async fn scan(&self, request: Request<proto::ScanRequest>) -> Result<Response<Self::ScanStream>, Status> {
        let given = self.deadline(request.metadata());
        let request = request.into_inner();
        let cut = self.cut_of("at_or_after", request.at_or_after.as_ref())?;
        let scanned = deadline::within(&*self.world, given, || self.late(&cut), async {
            let found = self.table(&request.view, &cut).await?;
            let bound = |field, key: &Option<proto::Key>| key.as_ref().map(|key| found.key(field, &key.values)).transpose();
            let (from, to) = (bound("from", &request.from)?, bound("to", &request.to)?);
            let limit = if request.limit == 0 { usize::MAX } else { request.limit as usize };
            let (columns, windowed, cells) = (columns(&found.source.schema), found.windowed(), found.cells);
            let scan = move || pull::scan(&cells, from.as_deref(), to.as_deref(), limit, windowed);
            let (rows, seen) = self.views.aside(scan).await.map_err(status)?;
            Ok((columns, rows, seen))
        });
        let (columns, rows, seen) = scanned.await?;
        let rows = rows.into_iter().map(|row| to_row(&row.values, row.window));
        Ok(Response::new(deadline::until(&*self.world, given, answers::rows(columns, rows, seen_cut(&seen)))))
    }

    type QueryStream = Answers<proto::RowsResponse>;

    async fn query(&self, request: Request<proto::QueryRequest>) -> Result<Response<Self::QueryStream>, Status> {
        let given = self.deadline(request.metadata());
        let request = request.into_inner();
        let sql = bind(&request.sql, &request.parameters)?;
        let cut = self.cut_of("at_or_after", request.at_or_after.as_ref())?;
        let properties = ordered(request.properties);
        let selected = deadline::within(&*self.world, given, || self.late(&cut), async {
            self.views.select_patiently(&sql, &properties, &BTreeMap::new(), None, &cut).await.map_err(status)
        });
        let answers = match selected.await? {
            Selected::Rows(answer) => {
                let rows = answer.rows.into_iter().map(|row| to_row(&row, None));
                answers::rows(columns(&answer.schema), rows, seen_cut(&answer.seen))
            }
            Selected::Finite(subscription) => answers::finite(subscription),
            Selected::Endless(_) => return Err(invalid("sql", "EMIT CHANGES belongs to Subscribe")),
        };
        Ok(Response::new(deadline::until(&*self.world, given, answers)))
    }

    type SubscribeStream = Answers<proto::SubscribeResponse>;

    async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Result<Response<Self::SubscribeStream>, Status> {
        use proto::subscribe_request::{From as Begin, What};
        let given = self.deadline(request.metadata());
        let request = request.into_inner();
        let sql = match &request.what {
            Some(What::Sql(sql)) => bind(sql, &request.parameters)?,
            Some(What::View(_)) if !request.parameters.is_empty() => return Err(invalid("parameters", "they belong to sql, and a view was named")),
            Some(What::View(view)) => format!("SELECT * FROM {} EMIT CHANGES;", self.views.source(view).map_err(status)?.name.quoted()),
            None => return Err(invalid("what", "say what to subscribe to: sql or view")),
        };
        let from = match &request.from {
            Some(Begin::Earliest(true)) => Some(From::Earliest),
            Some(Begin::Latest(true)) => Some(From::Latest),
            Some(Begin::Cut(cut)) => Some(From::Cut(self.cut_of("cut", Some(cut))?)),
            // The session's `auto.offset.reset`, which is latest unless it says otherwise.
            Some(Begin::Earliest(false) | Begin::Latest(false)) | None => None,
        };
        let properties = ordered(request.properties);
        let selected = deadline::within(&*self.world, given, deadline::late, async {
            self.views.select_patiently(&sql, &properties, &BTreeMap::new(), from, &Cut::default()).await.map_err(status)
        });
        match selected.await? {
            Selected::Endless(subscription) => Ok(Response::new(deadline::until(&*self.world, given, answers::changes(subscription)))),
            _ => Err(invalid("sql", "only SELECT .. EMIT CHANGES can be subscribed to")),
        }
    }

    async fn describe(&self, request: Request<proto::DescribeRequest>) -> Result<Response<proto::DescribeResponse>, Status> {
        let source = self.views.source(&request.into_inner().view).map_err(status)?;
        let catalog = self.views.catalog();
        let cells = self.views.cells_of(&source);
        let queryable = source.is_table() && cells.is_ok();
        let trouble = self.views.trouble_of(&source);
        let cells = cells.unwrap_or_default();
        let mut cut = Cut::default();
        for cell in &cells {
            cell.progress().cut.iter().for_each(|(input, next)| cut.advance(input, next));
        }
        let log_of = |input: &InputId| cells.iter().find_map(|cell| cell.log_of(input));
        let ids = |queries: &mut dyn Iterator<Item = &RunningQuery>| queries.map(|query| query.plan.id.to_string()).collect();
        Ok(Response::new(proto::DescribeResponse {
            name: source.name.to_string(),
            table: source.is_table(),
            topic: source.topic.clone(),
            key_format: source.key_format.format.name().into(),
            value_format: source.value_format.format.name().into(),
            window: source.window.map(|window| window.window_type.to_string()).unwrap_or_default(),
            statement: source.statement.clone(),
            columns: columns(&source.schema),
            read_by: ids(&mut catalog.readers(&source.name)),
            written_by: ids(&mut catalog.writers(&source.name)),
            end: Some(named_cut(&self.views.ends_of(&cut), |input| self.views.log_of(input))),
            cut: Some(named_cut(&cut, log_of)),
            trouble,
            queryable,
        }))
    }
}
