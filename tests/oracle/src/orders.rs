//! Orders that name the limit which holds for them: a foreign-key join, whose sides lie in the partitions of different keys.
use std::collections::{BTreeMap, BTreeSet};

use crate::Event;
use crate::checks::versions;

/// What an order was: its number and the limit that it named; nothing where it was deleted.
type Order = Option<(i64, Option<String>)>;

fn orders<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeMap<String, Vec<Order>> {
    let mut orders: BTreeMap<String, Vec<Order>> = BTreeMap::new();
    for event in events {
        let Some(key) = event.key_text() else { continue };
        orders.entry(key).or_default().push(event.integer("N").map(|number| (number, event.text("OWNER"))));
    }
    orders
}

/// The rows of the inner join: the order's number and the limit's.
pub fn limited<'a>(order_events: impl Iterator<Item = &'a Event>, limits: impl Iterator<Item = &'a Event>) -> BTreeMap<String, Vec<i64>> {
    let limits: Vec<Event> = limits.cloned().collect();
    let caps = versions(&limits, "CAP");
    let row = |(key, all): (String, Vec<Order>)| {
        let (number, owner) = all.last()?.clone()?;
        Some((key, vec![number, *caps.get(&owner?)?.last()?]))
    };
    orders(order_events).into_iter().filter_map(row).collect()
}

/// The changelog of that join: each order meets a limit that it named, in the order of their changes, and no pair is told twice. What
/// comes after a deletion may be of an older order, when the limits' partitions are not equally far; it ends at what it must be.
pub fn check_limited_log(sink: &[Event], order_events: &[Event], limits: &[Event], complete: bool) -> Result<(), String> {
    let (orders, caps) = (orders(order_events.iter()), versions(limits, "CAP"));
    let mut last: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut told: BTreeSet<(String, i64, i64)> = BTreeSet::new();
    for event in sink {
        let key = event.key_text().unwrap_or_default();
        let (Some(number), Some(cap)) = (event.integer("N"), event.integer("CAP")) else {
            last.remove(&key);
            continue;
        };
        let order = orders.get(&key).and_then(|all| all.iter().flatten().find(|(known, _)| *known == number));
        let Some((_, Some(owner))) = order else { return Err(format!("{key} never was order {number} with an owner")) };
        let place = |cap: i64| caps.get(owner).and_then(|caps| caps.iter().position(|known| *known == cap));
        let Some(at) = place(cap) else { return Err(format!("{owner}, whom {key} names in {number}, never had {cap}")) };
        match last.get(&key).map(Vec::as_slice) {
            Some([before, _]) if *before > number => return Err(format!("{key} went back from order {before} to {number}")),
            Some([before, cap]) if *before == number && place(*cap) >= Some(at) => {
                return Err(format!("{key} met the limit {cap} of {owner}, and then its limit number {at}"));
            }
            _ => {}
        }
        if !told.insert((key.clone(), number, cap)) {
            return Err(format!("order {number} of {key} met {cap} twice"));
        }
        last.insert(key, vec![number, cap]);
    }
    let wanted = limited(order_events.iter(), limits.iter());
    if complete && last != wanted { Err(format!("it ended at {last:?}, not at {wanted:?}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: &str, value: Option<&str>) -> Event {
        Event::new(0, 0, 0, Some(key.as_bytes()), value.map(str::as_bytes))
    }

    #[test]
    fn an_old_order_a_repeat_and_a_wrong_end_are_told() {
        let orders = [event("a", Some(r#"{"N":1,"OWNER":"x"}"#)), event("a", Some(r#"{"N":2,"OWNER":"y"}"#))];
        let limits = [event("x", Some(r#"{"CAP":3}"#)), event("y", Some(r#"{"CAP":4}"#)), event("y", Some(r#"{"CAP":5}"#))];
        let check = |pairs: &[Option<(i64, i64)>], complete| {
            let sink: Vec<Event> = pairs.iter().map(|pair| event("a", pair.map(|(n, cap)| format!(r#"{{"N":{n},"CAP":{cap}}}"#)).as_deref())).collect();
            check_limited_log(&sink, &orders, &limits, complete)
        };
        assert!(check(&[Some((1, 3)), Some((2, 4)), Some((2, 5))], true).is_ok());
        assert!(check(&[Some((1, 3)), Some((2, 5))], true).is_ok());
        assert!(check(&[Some((1, 3)), Some((2, 4))], true).is_err());
        assert!(check(&[Some((2, 5)), Some((1, 3))], false).is_err());
        assert!(check(&[Some((2, 5)), Some((2, 4))], false).is_err());
        assert!(check(&[Some((2, 5)), None, Some((2, 5))], false).is_err());
        assert!(check(&[Some((1, 4))], false).is_err());
    }
}
