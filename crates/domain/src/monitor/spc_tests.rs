use super::*;

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

fn signals(values: &[f64]) -> Vec<Option<Signal>> {
    chart(values, None).signals.iter().map(|found| found.map(|(signal, _)| signal)).collect()
}

/// Mean 26; steps 4, 2, 4, 2, 4, 2, 4, 2 with mean 3; limits 26 ± 2.66 × 3.
const USUAL: [f64; 9] = [24.0, 28.0, 26.0, 30.0, 28.0, 24.0, 26.0, 22.0, 24.0];

#[test]
fn the_limits_are_those_that_were_worked_out_by_hand() {
    // 24 28 26 30 28 24 26 22 24: sum 232 over 9; steps 4 2 4 2 4 2 4 2: sum 24 over 8.
    let found = chart(&USUAL, None);
    assert!(near(found.mean, 232.0 / 9.0), "{found:?}");
    assert!(near(found.upper, 232.0 / 9.0 + 7.98), "{found:?}");
    assert!(near(found.lower, 232.0 / 9.0 - 7.98), "{found:?}");
    assert_eq!(found.signals, [None; 9]);
    assert_eq!(found.sentence(|place| format!("point {place}")), "Nothing unusual since point 0.");
}

#[test]
fn a_count_has_no_limit_below_nought() {
    // 0 4 0 4 0 4 0 4: mean 2, mean step 4, limits 2 ± 10.64.
    let found = chart(&[0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0], Some(0.0));
    assert!(near(found.upper, 12.64) && near(found.lower, 0.0), "{found:?}");
    assert!(found.signals.iter().all(Option::is_none));
}

#[test]
fn a_point_beyond_a_limit_is_special() {
    // Ten 10s and 11s in turn, then 20: 11 points, sum 105 + 20 = 125, mean 11.36; steps nine 1s and one 9, mean 1.8;
    // upper 11.36 + 4.79 = 16.15.
    let mut values: Vec<f64> = (0..10).map(|n| 10.0 + f64::from(n % 2)).collect();
    values.push(20.0);
    let found = chart(&values, None);
    assert!(near(found.mean, 125.0 / 11.0) && near(found.upper, 125.0 / 11.0 + 2.66 * 1.8), "{found:?}");
    assert_eq!(found.signals.last(), Some(&Some((Signal::Outside, Side::High))));
    assert_eq!(
        found.sentence(|place| format!("#{place}")),
        "Above the usual range since #10: special cause."
    );
}

#[test]
fn two_of_three_near_a_limit_are_special() {
    // 10 and 14 in turn: the outer third begins at mean + 2/3 × 2.66 × range.
    let mut values: Vec<f64> = (0..20).map(|n| if n % 2 == 0 { 10.0 } else { 14.0 }).collect();
    values.extend([21.5, 12.0, 21.5]);
    let found = chart(&values, None);
    let third = found.mean + (found.upper - found.mean) * 2.0 / 3.0;
    assert!(21.5 > third && 21.5 < found.upper, "{found:?}");
    assert_eq!(signals(&values)[20..], [Some(Signal::NearLimit), None, Some(Signal::NearLimit)]);
    // One alone is not.
    values.pop();
    assert_eq!(signals(&values)[20], None);
}

#[test]
fn seven_in_a_row_on_one_side_are_a_shift_and_six_are_not() {
    let low = [10.0, 14.0, 10.0, 14.0, 10.0, 14.0, 10.0, 14.0];
    let shifted = |n: usize| {
        let high = (0..n).map(|n| if n % 2 == 0 { 15.0 } else { 14.5 });
        low.into_iter().chain(high).chain([9.0]).collect::<Vec<f64>>()
    };
    let of = |n| signals(&shifted(n)).iter().filter(|found| **found == Some(Signal::Shift)).count();
    // The last low point, 14, is above the mean too.
    assert_eq!((of(6), of(5)), (7, 0));
}

#[test]
fn seven_points_that_all_rise_are_a_trend_and_six_are_not() {
    let rising = |n: i32| {
        let wave = (0..24).map(|n| if n % 2 == 0 { 0.0 } else { 40.0 });
        wave.chain((0..n).map(|n| 10.0 + 3.0 * f64::from(n))).chain([5.0]).collect::<Vec<f64>>()
    };
    let of = |n| signals(&rising(n)).iter().filter(|found| **found == Some(Signal::Trend)).count();
    assert_eq!((of(7), of(6)), (7, 0));
}

#[test]
fn of_few_points_nothing_is_usual() {
    let found = chart(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 90.0], None);
    assert!(found.signals.iter().all(Option::is_none));
    assert_eq!(found.sentence(|_| String::new()), "Too little is known to say what is usual: 7 of 8 points.");
    assert_eq!(chart(&[], None).mean, 0.0);
}

#[test]
fn the_same_value_for_ever_is_usual() {
    assert_eq!(signals(&[3.0; 30]), [None; 30]);
}

#[test]
fn nothing_unusual_is_said_since_the_last_that_was() {
    // The 90 lies outside; those after it are usual again.
    let mut values: Vec<f64> = (0..12).map(|n| if n % 2 == 0 { 10.0 } else { 20.0 }).collect();
    values[6] = 90.0;
    let found = chart(&values, None);
    assert_eq!(found.signals[6], Some((Signal::Outside, Side::High)));
    assert_eq!(found.sentence(|place| format!("#{place}")), "Nothing unusual since #6.");
}
