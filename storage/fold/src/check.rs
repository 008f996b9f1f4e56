//! Checks that hold for every fold. A fold's own tests call them with states that its generators
//! made; each panics with the first difference.
use std::fmt::Debug;

use millrace_record::Offset;

use crate::{Fold, replay};

/// `replay(rewrite(state)) == state`, and rewriting the copy gives the same records again.
pub fn rewrite_rebuilds<F>(state: &F)
where
    F: Fold + Default + PartialEq + Debug,
    F::Record: PartialEq + Debug,
{
    let mut copy = F::default();
    replay(&mut copy, Offset(0), state.rewrite());
    assert_eq!(&copy, state, "the state built from rewrite() differs");
    assert_eq!(copy.rewrite(), state.rewrite(), "rewrite() is not a function of the state");
}

/// The same log gives the same state: two runs over equal records end equal.
pub fn same_log_same_state<F>(records: &[F::Record])
where
    F: Fold + Default + PartialEq + Debug,
    F::Record: Clone,
{
    let (mut left, mut right) = (F::default(), F::default());
    replay(&mut left, Offset(0), records.iter().cloned());
    replay(&mut right, Offset(0), records.iter().cloned());
    assert_eq!(left, right, "apply depends on something else than the log");
}

/// A state rewritten at any point and then continued ends where the plain log ends. This is what
/// compaction does to a log while its readers are away.
pub fn rewrite_anywhere<F>(records: &[F::Record])
where
    F: Fold + Default + PartialEq + Debug,
    F::Record: Clone,
{
    let mut whole = F::default();
    replay(&mut whole, Offset(0), records.iter().cloned());
    for cut in 0..=records.len() {
        let mut head = F::default();
        replay(&mut head, Offset(0), records[..cut].iter().cloned());
        let mut continued = F::default();
        replay(&mut continued, Offset(0), head.rewrite());
        replay(&mut continued, Offset(cut as i64), records[cut..].iter().cloned());
        assert_eq!(continued, whole, "rewritten after {cut} records, the log ends elsewhere");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Last value per key; an empty value removes.
    #[derive(Default, PartialEq, Debug)]
    struct Table(BTreeMap<u8, u8>);

    impl Fold for Table {
        type Record = (u8, u8);
        fn apply(&mut self, _at: Offset, (key, value): (u8, u8)) {
            if value == 0 { self.0.remove(&key) } else { self.0.insert(key, value) };
        }
        fn rewrite(&self) -> Vec<(u8, u8)> {
            self.0.iter().map(|(key, value)| (*key, *value)).collect()
        }
    }

    /// Forgets in `rewrite` what `apply` knows.
    #[derive(Default, PartialEq, Debug)]
    struct Forgetful(u64);

    impl Fold for Forgetful {
        type Record = ();
        fn apply(&mut self, _at: Offset, (): ()) {
            self.0 += 1;
        }
        fn rewrite(&self) -> Vec<()> {
            Vec::new()
        }
    }

    #[test]
    fn a_table_passes() {
        let records = [(1, 1), (2, 5), (1, 0), (3, 9), (2, 6)];
        let mut table = Table::default();
        replay(&mut table, Offset(0), records);
        rewrite_rebuilds(&table);
        same_log_same_state::<Table>(&records);
        rewrite_anywhere::<Table>(&records);
    }

    #[test]
    #[should_panic(expected = "differs")]
    fn a_forgetful_rewrite_is_found() {
        let mut fold = Forgetful::default();
        replay(&mut fold, Offset(0), [(), ()]);
        rewrite_rebuilds(&fold);
    }

    #[test]
    #[should_panic(expected = "ends elsewhere")]
    fn a_forgetful_rewrite_is_found_in_the_middle() {
        rewrite_anywhere::<Forgetful>(&[(), ()]);
    }
}
