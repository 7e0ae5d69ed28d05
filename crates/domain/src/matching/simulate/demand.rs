//! Demand times a factor, in whole units.

use std::sync::Arc;

use crate::need::Need;
use crate::quantity::Count;
use crate::resource::ResourceKey;

/// Thousandths in one.
const WHOLE: u64 = 1_000;

/// Multiplies the units that still look for an offer, of one resource or of all; says whether any changed.
///
/// Needs are gone through in order of resource, band and id, and each is given what the running total rounds to (halves
/// up) less what those before it were given. So every resource, and every band of a resource, comes to within one unit of
/// its share, and the whole to the nearest unit. Units that are proposed or agreed stay; a need left without any to look
/// for takes part no more.
pub(super) fn scale(needs: &mut [Arc<Need>], resource: Option<&ResourceKey>, thousandths: u32) -> bool {
    let takes_part = |need: &Need| {
        need.state.takes_part()
            && !need.units_wanted().is_zero()
            && resource.is_none_or(|key| need.resource.key() == *key)
    };
    let mut order: Vec<usize> = (0..needs.len()).filter(|&at| takes_part(&needs[at])).collect();
    order.sort_by_cached_key(|&at| {
        let need = &needs[at];
        (need.resource.key(), need.priority, need.id.clone())
    });
    let (mut wanted, mut given, mut has_changed) = (0_u64, 0_u64, false);
    for at in order {
        let now = needs[at].units_wanted();
        wanted = wanted.saturating_add(u64::from(now.get()));
        let due = (wanted.saturating_mul(u64::from(thousandths)) + WHOLE / 2) / WHOLE;
        let share = Count::new(u32::try_from(due - given).unwrap_or(u32::MAX));
        given = due;
        if share != now {
            let need = Arc::make_mut(&mut needs[at]);
            need.units = need.units.less(now).plus(share).unwrap_or(need.units);
            has_changed = true;
        }
    }
    has_changed
}
