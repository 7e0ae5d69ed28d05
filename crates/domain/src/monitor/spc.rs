//! What is usual: individual values with their moving range (XmR), and the four rules of NHS England's "Making Data
//! Count" by which a value is not common cause.

/// The mean moving range times this is the distance of the limits from the mean: 3 / 1.128, as XmR charts have it.
pub const LIMITS_OVER_RANGE: f64 = 2.66;
/// So many points in a row on one side of the mean, or all rising or falling, are a special cause.
pub const RUN: usize = 7;
/// Fewer points than this have no usual range.
pub const POINTS_MIN: usize = 8;

/// Which rule says that a point is not common cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Outside the limits.
    Outside,
    /// One of two of three in a row in the outer third of the range, on one side of the mean.
    NearLimit,
    /// One of [`RUN`] or more in a row on one side of the mean.
    Shift,
    /// One of [`RUN`] or more in a row that all rise, or all fall.
    Trend,
}

/// On which side of the mean something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above it.
    High,
    /// Below it.
    Low,
}

/// Values in time, with what is usual of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Their mean; 0 without any.
    pub mean: f64,
    /// The upper limit.
    pub upper: f64,
    /// The lower limit; never below 0 where no value can be.
    pub lower: f64,
    /// Of each value, the first rule that says it is special, and on which side.
    pub signals: Vec<Option<(Signal, Side)>>,
}

/// Works out what is usual of values, oldest first. `floor` is the least that a value can be, such as 0 for a count.
///
/// Fewer than [`POINTS_MIN`] values have limits but no signals: too little is known.
#[must_use]
pub fn chart(values: &[f64], floor: Option<f64>) -> Chart {
    let mean = average(values.iter().copied());
    let range = average(values.windows(2).map(|pair| (pair[1] - pair[0]).abs()));
    let (upper, lower) = (mean + LIMITS_OVER_RANGE * range, mean - LIMITS_OVER_RANGE * range);
    let mut chart = Chart {
        mean,
        upper,
        lower: floor.map_or(lower, |floor| lower.max(floor)),
        signals: vec![None; values.len()],
    };
    if values.len() < POINTS_MIN {
        return chart;
    }
    // A limit that was cut at the floor is no limit for the outer third: it is measured from the mean.
    let third = (upper - mean) * 2.0 / 3.0;
    let side = |value: f64| if value > mean { Side::High } else { Side::Low };
    let is_near = |value: f64| third > 0.0 && (value - mean).abs() > third;
    for (at, value) in values.iter().enumerate() {
        let signal = if *value > chart.upper || *value < chart.lower {
            Some(Signal::Outside)
        } else if is_near(*value) && has_near_neighbour(values, at, mean, is_near) {
            Some(Signal::NearLimit)
        } else {
            None
        };
        chart.signals[at] = signal.map(|signal| (signal, side(*value)));
    }
    let above: Vec<i8> = values.iter().map(|value| sign(value - mean)).collect();
    mark(&mut chart.signals, &runs(&above), Signal::Shift);
    // A step belongs to the points at both its ends.
    let steps: Vec<i8> = values.windows(2).map(|pair| sign(pair[1] - pair[0])).collect();
    let trends = runs_of(&steps, RUN - 1).into_iter().map(|(first, last, way)| (first, last + 1, way));
    mark(&mut chart.signals, &trends.collect::<Vec<_>>(), Signal::Trend);
    chart
}

fn average(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count == 0.0 { 0.0 } else { sum / count }
}

fn sign(difference: f64) -> i8 {
    if difference > 0.0 {
        1
    } else if difference < 0.0 {
        -1
    } else {
        0
    }
}

/// Says whether another of some three in a row around a value lies as near to the same limit.
fn has_near_neighbour(values: &[f64], at: usize, mean: f64, is_near: impl Fn(f64) -> bool) -> bool {
    let (first, last) = (at.saturating_sub(2), (at + 2).min(values.len() - 1));
    (first..=last).any(|other| {
        other != at && is_near(values[other]) && sign(values[other] - mean) == sign(values[at] - mean)
    })
}

fn runs(signs: &[i8]) -> Vec<(usize, usize, i8)> {
    runs_of(signs, RUN)
}

/// Returns the first and last place and the sign of every stretch of at least `least` equal signs other than 0.
fn runs_of(signs: &[i8], least: usize) -> Vec<(usize, usize, i8)> {
    let mut found = Vec::new();
    let mut first = 0;
    for at in 1..=signs.len() {
        if at == signs.len() || signs[at] != signs[first] {
            if signs.get(first).is_some_and(|sign| *sign != 0) && at - first >= least {
                found.push((first, at - 1, signs[first]));
            }
            first = at;
        }
    }
    found
}

/// Marks the points of stretches that no stronger rule has marked.
fn mark(signals: &mut [Option<(Signal, Side)>], stretches: &[(usize, usize, i8)], signal: Signal) {
    for (first, last, way) in stretches {
        let side = if *way > 0 { Side::High } else { Side::Low };
        for place in signals.iter_mut().take(last + 1).skip(*first) {
            place.get_or_insert((signal, side));
        }
    }
}

impl Chart {
    /// Says of the newest value, in one plain sentence, whether it is usual. `since` names the time of a value by its
    /// place, such as "09:00".
    #[must_use]
    pub fn sentence(&self, since: impl Fn(usize) -> String) -> String {
        if self.signals.len() < POINTS_MIN {
            return format!(
                "Too little is known to say what is usual: {} of {POINTS_MIN} points.",
                self.signals.len()
            );
        }
        let Some(Some((signal, side))) = self.signals.last().copied() else {
            return match self.signals.iter().rposition(Option::is_some) {
                Some(last) => format!("Nothing unusual since {}.", since(last)),
                None => format!("Nothing unusual since {}.", since(0)),
            };
        };
        let same = |place: &Option<(Signal, Side)>| *place == Some((signal, side));
        let first = self.signals.iter().rposition(|place| !same(place)).map_or(0, |before| before + 1);
        let since = since(first);
        let what = match (signal, side) {
            (Signal::Outside, Side::High) => "Above the usual range",
            (Signal::Outside, Side::Low) => "Below the usual range",
            (Signal::NearLimit, Side::High) => "Near the top of the usual range",
            (Signal::NearLimit, Side::Low) => "Near the bottom of the usual range",
            (Signal::Shift, Side::High) => "Higher than usual at every point",
            (Signal::Shift, Side::Low) => "Lower than usual at every point",
            (Signal::Trend, Side::High) => "Rising at every point",
            (Signal::Trend, Side::Low) => "Falling at every point",
        };
        format!("{what} since {since}: special cause.")
    }
}

#[cfg(test)]
#[path = "spc_tests.rs"]
mod tests;
