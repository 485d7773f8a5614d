//! Which operators of a job that runs follow when its parallelism is changed. Pure.

/// An operator, chained as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Flink's id of it.
    pub id: String,
    /// What it does.
    pub name: String,
    /// What it is asked to run with.
    pub parallelism: u32,
    /// Flink's `maxParallelism` of it, where it is known.
    pub most: Option<u32>,
}

/// The operators that have the job's own parallelism, and follow it. One that was given another stays: the order of its
/// records may hang on it.
///
/// Those that have `new` already were asked for by a process that died over it. Where none has either, somebody else
/// changed the job, and those with the most are taken for its own.
///
/// # Errors
/// The operator that cannot have so much.
pub fn following(operators: &[Operator], old: u32, new: u32) -> Result<Vec<&Operator>, &Operator> {
    // What can have one task alone was made so, and does not stand against the others.
    let able = || operators.iter().filter(|operator| operator.most != Some(1));
    let most = able().map(|operator| operator.parallelism).max();
    let with = |parallelism| able().filter(|operator| operator.parallelism == parallelism).collect::<Vec<_>>();
    let candidates = [Some(old), Some(new), most].into_iter().flatten().map(with);
    let found = candidates.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    let limit = if found.is_empty() { operators.first().filter(|_| new > 1) } else { None };
    match limit.or_else(|| found.iter().copied().find(|operator| operator.most.is_some_and(|most| most < new))) {
        Some(limit) => Err(limit),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(of: &[(u32, u32)]) -> Vec<Operator> {
        let operator = |(number, (parallelism, most)): (usize, &(u32, u32))| Operator {
            id: number.to_string(),
            name: String::new(),
            parallelism: *parallelism,
            most: Some(*most),
        };
        of.iter().enumerate().map(operator).collect()
    }

    fn follow(of: &[(u32, u32)], old: u32, new: u32) -> Result<String, String> {
        let operators = all(of);
        let ids = |found: Vec<&Operator>| found.iter().map(|operator| operator.id.as_str()).collect();
        following(&operators, old, new).map(ids).map_err(|limit| limit.id.clone())
    }

    #[test]
    fn what_was_given_a_parallelism_of_its_own_stays() {
        assert_eq!(follow(&[(2, 128), (1, 128), (8, 128), (2, 128)], 2, 3), Ok("03".to_owned()));
        // A process died after it had asked.
        assert_eq!(follow(&[(3, 128), (1, 128), (8, 128)], 2, 3), Ok("0".to_owned()));
        // Somebody else changed it.
        assert_eq!(follow(&[(6, 128), (1, 128)], 4, 4), Ok("0".to_owned()));
        // A global aggregation.
        assert_eq!(follow(&[(1, 128), (1, 1)], 1, 3), Ok("0".to_owned()));
    }

    #[test]
    fn what_cannot_have_so_much_is_told() {
        assert_eq!(follow(&[(2, 128), (2, 4)], 2, 5), Err("1".to_owned()));
        assert_eq!(follow(&[(2, 128), (1, 4)], 2, 5), Ok("0".to_owned()));
        assert_eq!(follow(&[(1, 1)], 1, 2), Err("0".to_owned()));
        assert_eq!(follow(&[(1, 1)], 1, 1), Ok(String::new()));
    }
}
