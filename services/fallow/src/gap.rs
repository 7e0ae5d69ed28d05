//! `fallow match --gap`: the theatre's search on published instances of the generalised assignment problem.
//!
//! The classical text format: the numbers of agents and jobs; for each agent the cost of each job; for each agent what
//! each job uses; for each agent its capacity. All are whole numbers with spaces or line ends between them.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use fallow_domain::matching::theatre::assign::Assignment;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cli::{Exit, given};

/// Most agents times jobs that are read.
const PAIRS_MAX: usize = 10_000_000;

/// Largest cost, use or capacity.
const NUMBER_MAX: u32 = 1_000_000_000;

/// Reads an instance, searches for so long, and says what was found as one JSON object.
///
/// # Errors
/// Says what is wrong with the file, and where, and what the command ends with; or that no plan was found in which every job has an agent.
pub(crate) fn solved(path: &Path, limit: Duration, seed: u64) -> Result<Value, (Exit, String)> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| (given::exit(&error, Exit::Usage), format!("{name} cannot be read: {error}")))?;
    let assignment = parse(&text).map_err(|fault| (Exit::Usage, format!("{name}:{fault}")))?;
    let started = Instant::now();
    let found = assignment.solve(u64::MAX, seed, &mut || started.elapsed() >= limit);
    let seconds = (started.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    let found = found
        .ok_or_else(|| (Exit::Usage, format!("{name}: no plan was found in which every job has an agent")))?;
    Ok(json!({
        "file": path.file_name().unwrap_or_default().to_string_lossy(), "value": found.cost, "seconds": seconds,
        "steps": found.steps, "seed": seed,
    }))
}

/// Where a file is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    line: usize,
    /// The number within the line, from 1; 0 for the end of the file.
    field: usize,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            0 => write!(f, "{}: {}", self.line, self.message),
            field => write!(f, "{}: field {field}: {}", self.line, self.message),
        }
    }
}

fn parse(text: &str) -> Result<Assignment, Fault> {
    let mut numbers = Numbers::new(text);
    let agents = numbers.count("agents")?;
    let jobs = numbers.count("jobs")?;
    if agents.saturating_mul(jobs) > PAIRS_MAX {
        return Err(numbers.fault(format!("{agents} agents and {jobs} jobs are more than {PAIRS_MAX} pairs")));
    }
    let mut table = |what: &str| -> Result<Vec<Vec<u32>>, Fault> {
        let row = |agent: usize| {
            (1..=jobs).map(|job| numbers.next(|| format!("the {what} of agent {agent}, job {job}"))).collect()
        };
        (1..=agents).map(row).collect()
    };
    let costs = table("cost")?;
    let uses = table("use")?;
    let capacity = |agent: usize| numbers.next(|| format!("the capacity of agent {agent}"));
    let capacities = (1..=agents).map(capacity).collect::<Result<_, _>>()?;
    match numbers.fields.next() {
        Some((line, field, _)) => {
            Err(Fault { line, field, message: "nothing was expected after the last capacity".to_owned() })
        }
        None => Ok(Assignment { capacities, costs, uses }),
    }
}

/// The fields of a file with where they stand.
struct Numbers<'a> {
    fields: Box<dyn Iterator<Item = (usize, usize, &'a str)> + 'a>,
    line: usize,
    field: usize,
    last_line: usize,
}

impl<'a> Numbers<'a> {
    fn new(text: &'a str) -> Self {
        let fields = text.lines().enumerate().flat_map(|(line, text)| {
            text.split_whitespace().enumerate().map(move |(field, word)| (line + 1, field + 1, word))
        });
        Self { fields: Box::new(fields), line: 1, field: 0, last_line: text.lines().count().max(1) }
    }

    fn fault(&self, message: String) -> Fault {
        Fault { line: self.line, field: self.field, message }
    }

    fn next(&mut self, what: impl Fn() -> String) -> Result<u32, Fault> {
        let Some((line, field, word)) = self.fields.next() else {
            let message = format!("the file ends where {} was expected", what());
            return Err(Fault { line: self.last_line, field: 0, message });
        };
        (self.line, self.field) = (line, field);
        match word.parse::<u32>() {
            Ok(number) if number <= NUMBER_MAX => Ok(number),
            Ok(_) | Err(_) => {
                Err(self.fault(format!("{}: “{word}” is not a whole number from 0 to {NUMBER_MAX}", what())))
            }
        }
    }

    fn count(&mut self, what: &str) -> Result<usize, Fault> {
        let number = self.next(|| format!("the number of {what}"))?;
        match usize::try_from(number) {
            Ok(count) if count > 0 => Ok(count),
            Ok(_) | Err(_) => Err(self.fault(format!("the number of {what} must be 1 or more"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "2 3\n 4 1 7\n 2 5 3\n 2 2 2\n 3 3 3\n 4 3\n";

    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn an_instance_is_read_agent_by_agent() {
        let expected = Assignment {
            capacities: vec![4, 3],
            costs: vec![vec![4, 1, 7], vec![2, 5, 3]],
            uses: vec![vec![2, 2, 2], vec![3, 3, 3]],
        };
        assert_eq!(parse(SMALL), Ok(expected.clone()));
        assert_eq!(parse(&SMALL.replace('\n', " ")), Ok(expected), "line ends mean no more than spaces");
    }

    #[test]
    fn bad_files_are_named_by_line_and_field() {
        check("", "1: the file ends where the number of agents was expected");
        check("0 3", "1: field 1: the number of agents must be 1 or more");
        check("100000 100000", "1: field 2: 100000 agents and 100000 jobs are more than 10000000 pairs");
        check(
            "1 2\n1 x\n",
            "2: field 2: the cost of agent 1, job 2: “x” is not a whole number from 0 to 1000000000",
        );
        check(
            &SMALL.replace("3 3 3", "3 -3 3"),
            "5: field 2: the use of agent 2, job 2: “-3” is not a whole number from 0 to 1000000000",
        );
        check("1 1\n5\n5\n", "3: the file ends where the capacity of agent 1 was expected");
        check("1 1\n5\n5\n5 6\n", "4: field 2: nothing was expected after the last capacity");
    }

    #[test]
    fn the_value_is_that_of_the_best_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small");
        std::fs::write(&path, SMALL).unwrap();
        let found = solved(&path, Duration::from_secs(60), 1).unwrap();
        // The second agent can take one job: the third (3), which leaves the first with 4 + 1.
        assert_eq!((&found["value"], &found["file"]), (&8.into(), &"small".into()));
        std::fs::write(&path, SMALL.replace(" 4 3\n", " 3 3\n")).unwrap();
        assert!(solved(&path, Duration::from_millis(50), 1).unwrap_err().1.contains("no plan was found"));
        let (exit, said) = solved(&folder.path().join("none"), Duration::ZERO, 1).unwrap_err();
        assert!(exit == Exit::NotFound && said.contains("cannot be read"), "{said}");
    }
}
