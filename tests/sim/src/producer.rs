//! Producers as Kafka's clients are: an idempotent one keeps up to five batches in flight and sends
//! again, in order, whatever was not answered with success; a plain one sends once and hopes.
use std::collections::VecDeque;
use std::future::Future;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, ProducerId};
use millrace_shard::{AppendError, AppendOptions, AppendReply, Appended, Partition};

use crate::model::{Model, Value, key_of};
use crate::rng::Rng;

const IN_FLIGHT_MAX: usize = 5;

pub struct Producer {
    /// Names its values; the producer id besides.
    pub number: u64,
    pub idempotent: bool,
    pub partition: usize,
    next_value: u64,
    next_sequence: i32,
    epoch: i16,
    overtook: bool,
    outstanding: VecDeque<Sent>,
    /// The last batches that were acknowledged, to send again on purpose.
    acknowledged: VecDeque<(BytesMut, i64)>,
    /// Sent again though it was acknowledged: must come back with the same offset.
    again: Vec<(AppendReply, i64)>,
}

struct Sent {
    batch: BytesMut,
    values: Vec<Value>,
    reply: Option<AppendReply>,
    /// At least once.
    refused: bool,
    /// Nothing was outstanding before it when it was last sent: it must be in order.
    first: bool,
}

/// What an answer came to, for the trace.
pub enum Heard {
    Acked { base: i64, records: usize, duplicate: bool },
    Failed(AppendError),
}

impl Producer {
    pub fn new(number: u64, idempotent: bool, partition: usize) -> Self {
        Producer {
            number,
            idempotent,
            partition,
            next_value: 0,
            next_sequence: 0,
            epoch: 0,
            overtook: false,
            outstanding: VecDeque::new(),
            acknowledged: VecDeque::new(),
            again: Vec::new(),
        }
    }

    /// Makes a batch of a few records and sends it.
    pub fn produce(&mut self, rng: &mut Rng, padding_max: usize, now_ms: i64, model: &mut Model, partition: Option<&Partition>) {
        if self.outstanding.len() >= IN_FLIGHT_MAX || (!self.idempotent && partition.is_none()) {
            return;
        }
        let mut builder = BatchBuilder::new(Codec::None, Level::Default);
        if self.idempotent {
            builder = builder.producer(ProducerId(self.number as i64), self.epoch, self.next_sequence);
        }
        let mut values = Vec::new();
        for _ in 0..rng.range(1, 5) {
            let value = Value { producer: self.number, number: self.next_value };
            self.next_value += 1;
            model.sent(value);
            builder.push(now_ms, Some(&key_of(value)), Some(&value.encode(rng.below(padding_max + 1))), &[]);
            values.push(value);
        }
        self.next_sequence += values.len() as i32;
        let batch = builder.build();
        let reply = partition.filter(|_| self.may_send()).map(|partition| send(partition, &batch));
        let first = self.outstanding.is_empty();
        self.outstanding.push_back(Sent { batch, values, reply, refused: false, first });
    }

    /// An idempotent producer that has to send again does not overtake itself.
    fn may_send(&self) -> bool {
        self.outstanding.iter().all(|sent| sent.reply.is_some())
    }

    /// Sends again what was not acknowledged: the first without an answer, and all behind it.
    pub fn resend(&mut self, partition: &Partition) -> usize {
        let mut resent = 0;
        if !self.idempotent {
            return 0;
        }
        for (at, sent) in self.outstanding.iter_mut().enumerate() {
            if sent.reply.is_none() {
                sent.first = at == 0;
                sent.reply = Some(send(partition, &sent.batch));
                resent += 1;
            }
        }
        resent
    }

    /// Sends an acknowledged batch once more, as after a lost answer.
    pub fn repeat(&mut self, rng: &mut Rng, partition: &Partition) -> bool {
        if self.acknowledged.is_empty() || !self.may_send() || !self.outstanding.is_empty() {
            return false;
        }
        let (batch, base) = &self.acknowledged[rng.below(self.acknowledged.len())];
        self.again.push((send(partition, batch), *base));
        true
    }

    pub fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Takes the answers that have come. `may_lose`: an acknowledged batch may have been lost since.
    pub fn listen(&mut self, model: &mut Model, durable: bool, may_lose: bool, mut heard: impl FnMut(Heard)) -> Result<(), String> {
        let mut at = 0;
        while at < self.outstanding.len() {
            let sent = &mut self.outstanding[at];
            let Some(answer) = sent.reply.as_mut().and_then(poll) else {
                at += 1;
                continue;
            };
            sent.reply = None;
            match answer {
                Ok(Appended { base_offset, duplicate, .. }) => {
                    heard(Heard::Acked { base: base_offset.0, records: sent.values.len(), duplicate });
                    // The one in front was refused for want of room. It may be in the log from an earlier life;
                    // or the log knows nothing of this producer, and takes any first batch: then the one in
                    // front is out of order for good.
                    let overtook = at > 0 && self.idempotent;
                    self.overtook |= overtook;
                    if overtook && !self.outstanding[0].refused {
                        return Err(format!("{}: producer {} heard of batch {at} before the one in front of it", model.name, self.number));
                    }
                    let sent = self.outstanding.remove(at).expect("it was just looked at");
                    for (nth, value) in sent.values.iter().enumerate() {
                        model.acked(*value, base_offset.0 + nth as i64, durable)?;
                    }
                    self.acknowledged.push_back((sent.batch, base_offset.0));
                    if self.acknowledged.len() > IN_FLIGHT_MAX {
                        self.acknowledged.pop_front();
                    }
                }
                Err(error) => {
                    sent.refused = true;
                    let out_of_order = matches!(error, AppendError::OutOfOrderSequence { .. });
                    let unexpected = out_of_order && at == 0 && sent.first;
                    if unexpected && !may_lose && !self.overtook && !self.acknowledged.is_empty() {
                        return Err(format!("{}: producer {} sent what comes next, and was told: {error}", model.name, self.number));
                    }
                    let certain = matches!(error, AppendError::DiskFull | AppendError::NotLeader | AppendError::OutOfOrderSequence { .. });
                    heard(Heard::Failed(error));
                    if !self.idempotent {
                        let sent = self.outstanding.remove(at).expect("it was just looked at");
                        if certain {
                            sent.values.iter().for_each(|value| model.refused(*value));
                        }
                        continue;
                    }
                    if unexpected {
                        self.begin_anew();
                        return Ok(());
                    }
                    at += 1;
                }
            }
        }
        let mut wrong = None;
        self.again.retain_mut(|(reply, base)| match poll(reply) {
            None => true,
            Some(answer) => {
                // Other outcomes are another life's.
                if let Ok(appended) = answer
                    && appended.base_offset.0 != *base
                {
                    wrong = Some(format!("{}: a batch at {base} was sent again and landed at {}", model.name, appended.base_offset));
                }
                false
            }
        });
        wrong.map_or(Ok(()), Err)
    }

    /// Its history is gone from the log, as it may be where nothing is flushed: the next epoch.
    fn begin_anew(&mut self) {
        self.outstanding.clear();
        self.acknowledged.clear();
        self.again.clear();
        self.epoch += 1;
        self.overtook = false;
        self.next_sequence = 0;
    }

    /// The node died: no answer will come any more. What a plain producer sent is anybody's guess.
    pub fn disconnected(&mut self, lost_acknowledged: bool) {
        for sent in &mut self.outstanding {
            sent.reply = None;
        }
        self.again.clear();
        if lost_acknowledged {
            self.acknowledged.clear();
        }
        if !self.idempotent {
            self.outstanding.clear();
        }
    }
}

fn send(partition: &Partition, batch: &BytesMut) -> AppendReply {
    let header = BatchHeader::parse(batch).expect("producers build whole batches");
    partition.append(batch.clone(), header, AppendOptions::CLIENT)
}

fn poll(reply: &mut AppendReply) -> Option<Result<Appended, AppendError>> {
    match std::pin::Pin::new(reply).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
