//! What a partition holds, as records with JSON values.
use millrace_oracle::Event;
use millrace_record::{Offset, Records, split};
use millrace_shard::{Partition, Upto};
/// Every record of a topic that readers may see, partition after partition.
pub fn read_topic(partitions: &[Partition]) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    for (number, partition) in partitions.iter().enumerate() {
        read_partition(number, partition, &mut events)?;
    }
    Ok(events)
}

fn read_partition(number: usize, partition: &Partition, events: &mut Vec<Event>) -> Result<(), String> {
    let state = partition.state();
    let mut from = state.start;
    while from < state.high_watermark {
        let read = partition.read(from, 1 << 20, Upto::HighWatermark, true).map_err(|error| format!("a topic cannot be read: {error}"))?;
        for slice in &read.slices.slices {
            for batch in split(slice) {
                let (header, batch) = batch.map_err(|error| error.to_string())?;
                let records = Records::open(batch, 64 << 20).map_err(|error| error.to_string())?;
                for record in records.iter() {
                    let record = record.map_err(|error| error.to_string())?;
                    let offset = header.offset_of(&record);
                    if offset < from || offset >= state.high_watermark {
                        continue;
                    }
                    events.push(Event::new(number, offset.0, header.timestamp_of(&record), record.key, record.value));
                }
            }
        }
        if read.slices.next_offset <= from {
            return Err(format!("a read at {from} below {} found nothing", state.high_watermark));
        }
        from = Offset(read.slices.next_offset.0);
    }
    Ok(())
}
