//! "did you mean".

/// The candidate nearest to a misspelt word, if one is near enough to be worth a suggestion.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count().min(word.chars().count()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A hint for a misspelt word: the nearest candidate, or else the list of them.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if candidates.is_empty() => "there are none yet".to_owned(),
        None => format!("there is {}", list(&candidates)),
    }
}

/// Words as prose: "`a`, `b` and `c`".
pub fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(nearest("paralelism", ["parallelism", "options"]), Some("parallelism"));
        assert_eq!(nearest("x", ["parallelism", "options"]), None);
        assert_eq!(hint("prd", ["local", "prod"]), "did you mean `prod`?");
        assert_eq!(hint("qa", ["local", "prod"]), "there is `local` and `prod`");
    }
}
