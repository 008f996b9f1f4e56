//! In which order a task reads several topics that all have something: by the records' times, as ksqlDB does, so that a
//! query that starts late joins what it would have joined live. Of records of one time a table's go first.
use millrace_record::Offset;

use crate::run::schedule::Step;
use crate::run::{Input, RunError};

/// Bytes of each input that are looked at.
const AHEAD_BYTES: usize = 128 << 10;
/// Steps that are planned at once: they are one append to the schedule.
const STEPS_MAX: usize = 256;

/// What is known of one input: its records' offsets and times, and where that knowledge ends.
struct Known {
    input: usize,
    is_table: bool,
    times: Vec<(Offset, i64)>,
    at: usize,
    end: Offset,
    /// There is no more than what is known.
    is_all: bool,
}

impl Known {
    /// What the order goes by; the least is next.
    fn rank(&self) -> Option<(i64, bool, usize)> {
        self.times.get(self.at).map(|(_, time)| (*time, !self.is_table, self.input))
    }
}

/// The next steps of the inputs that have something, each with how far.
pub fn steps_by_time(inputs: &mut [Input], ready: &[(usize, Offset)], clock_ms: i64) -> Result<Vec<Step>, RunError> {
    let mut known = Vec::with_capacity(ready.len());
    for &(at, available) in ready {
        let input = &mut inputs[at];
        let (is_table, from) = (input.is_table, input.next);
        let (times, next) = input.peek(available, AHEAD_BYTES)?;
        // What arrived since it was looked at stays for later.
        let times: Vec<_> = times.take_while(|(offset, _)| *offset < available).collect();
        // A read that got nowhere is the reader's to report.
        let end = if next > from { next.min(available) } else { available };
        known.push(Known { input: at, is_table, times, at: 0, end, is_all: end >= available });
    }
    Ok(merge(known, clock_ms))
}

fn merge(mut known: Vec<Known>, clock_ms: i64) -> Vec<Step> {
    let mut steps = Vec::new();
    // Offsets without records (marks of transactions) stand in nobody's way.
    for empty in known.iter().filter(|known| known.times.is_empty()) {
        steps.push(Step { input: empty.input as u32, upto: empty.end, clock_ms });
    }
    if known.iter().any(|known| known.times.is_empty() && !known.is_all) {
        return steps;
    }
    while steps.len() < STEPS_MAX {
        let Some(least) = (0..known.len()).filter(|at| known[*at].rank().is_some()).min_by_key(|at| known[*at].rank()) else { break };
        let next = (0..known.len()).filter(|at| *at != least).filter_map(|at| known[at].rank()).min();
        let input = &mut known[least];
        while input.rank().is_some_and(|rank| next.is_none_or(|next| rank < next)) {
            input.at += 1;
        }
        let upto = input.times.get(input.at).map_or(input.end, |(offset, _)| *offset);
        steps.push(Step { input: input.input as u32, upto, clock_ms });
        if input.at == input.times.len() && !input.is_all {
            break;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(input: usize, is_table: bool, times: &[i64], is_all: bool) -> Known {
        let times: Vec<_> = times.iter().enumerate().map(|(offset, time)| (Offset(offset as i64), *time)).collect();
        let end = Offset(times.len() as i64);
        Known { input, is_table, times, at: 0, end, is_all }
    }

    fn order(known: Vec<Known>) -> Vec<(u32, i64)> {
        merge(known, 0).into_iter().map(|step| (step.input, step.upto.0)).collect()
    }

    #[test]
    fn earlier_records_come_first() {
        assert_eq!(order(vec![known(0, false, &[5, 6, 9], true), known(1, true, &[1, 7, 8], true)]), [(1, 1), (0, 2), (1, 3), (0, 3)]);
    }

    #[test]
    fn of_one_time_the_tables_come_first() {
        assert_eq!(order(vec![known(0, false, &[5, 5], true), known(1, true, &[5, 5], true)]), [(1, 2), (0, 2)]);
    }

    #[test]
    fn an_input_whose_rest_is_not_known_yet_holds_the_others_up() {
        assert_eq!(order(vec![known(0, false, &[1, 2], false), known(1, false, &[9], true)]), [(0, 2)]);
        assert_eq!(order(vec![known(0, false, &[], false), known(1, false, &[9], true)]), [(0, 0)]);
        assert_eq!(order(vec![known(0, false, &[], true), known(1, false, &[9], true)]), [(0, 0), (1, 1)]);
    }

    #[test]
    fn what_is_out_of_order_inside_an_input_stays_as_it_is() {
        assert_eq!(order(vec![known(0, false, &[9, 1, 2], true), known(1, false, &[5], true)]), [(1, 1), (0, 3)]);
    }
}
