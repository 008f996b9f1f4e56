//! Parameters of a query: `?` in the text becomes a literal. What a parameter holds can never become SQL.

/// Puts literals in place of `?`, outside quotes and comments.
pub fn bind(sql: &str, literals: impl Iterator<Item = Result<String, String>>) -> Result<String, String> {
    let mut literals = literals;
    let mut bound = String::with_capacity(sql.len());
    let mut rest = sql;
    let mut used = 0;
    while let Some(c) = rest.chars().next() {
        let taken = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if matches!(c, '\'' | '"' | '`') {
            rest[1..].find(c).map_or(rest.len(), |at| at + 2)
        } else if c == '?' {
            used += 1;
            bound.push_str(&literals.next().ok_or_else(|| format!("the text has more than {} ? and no parameter for them", used - 1))??);
            rest = &rest[1..];
            continue;
        } else {
            c.len_utf8()
        };
        bound.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    match literals.count() {
        0 => Ok(bound),
        more => Err(format!("the text has {used} ?, and {} parameters were given", used + more)),
    }
}

/// Text as an SQL literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(sql: &str, given: &[&str]) -> Result<String, String> {
        bind(sql, given.iter().map(|text| Ok(quoted(text))))
    }

    #[test]
    fn a_parameter_is_a_literal_whatever_it_holds() {
        let hostile = "x' OR '1'='1'; DROP TABLE t; --";
        assert_eq!(bound("SELECT * FROM t WHERE k=?;", &[hostile]).unwrap(), "SELECT * FROM t WHERE k='x'' OR ''1''=''1''; DROP TABLE t; --';");
    }

    #[test]
    fn quotes_and_comments_are_left_alone() {
        let sql = "SELECT '?', \"?\", `?` /* ? */ FROM t -- ?\n WHERE k=?;";
        assert_eq!(bound(sql, &["a"]).unwrap(), sql.replace("k=?", "k='a'"));
    }

    #[test]
    fn as_many_parameters_as_marks() {
        assert!(bound("SELECT ?;", &[]).is_err());
        assert!(bound("SELECT 1;", &["a"]).is_err());
        assert_eq!(bound("é?", &["ü"]).unwrap(), "é'ü'");
    }
}
