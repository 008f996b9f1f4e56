//! Which words are reserved.

/// Words that a name may not be unless it is quoted. Sorted, for binary search.
const RESERVED: [&str; 50] = [
    "AND", "AS", "BETWEEN", "BY", "CASE", "CAST", "CREATE", "DELETE", "DESCRIBE", "DISTINCT", "DROP", "ELSE", "END", "EXISTS", "FALSE", "FROM",
    "FULL", "GROUP", "HAVING", "HOPPING", "IN", "INNER", "INSERT", "INTO", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "LIST", "NOT", "NULL", "ON",
    "OR", "OUTER", "PRINT", "RIGHT", "RUN", "SELECT", "STREAM", "TABLE", "TERMINATE", "THEN", "TRUE", "TUMBLING", "VALUES", "WHEN", "WHERE",
    "WITH", "WITHIN",
];

pub fn is_reserved(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    RESERVED.binary_search(&upper.as_str()).is_ok()
}

/// Whether the text, left unquoted, reads back as the name itself.
pub fn is_plain_name(name: &str) -> bool {
    let mut letters = name.bytes();
    let starts_well = letters.next().is_some_and(|first| first.is_ascii_uppercase() || first == b'_');
    starts_well
        && letters.all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == b'_' || letter == b'@')
        && !is_reserved(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(RESERVED.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn plain_names_need_no_quotes() {
        assert!(is_plain_name("ABC_1@x".to_uppercase().as_str()));
        for name in ["", "abc", "1A", "SELECT", "A B", "A-B", "É"] {
            assert!(!is_plain_name(name), "{name}");
        }
    }
}
